"""The contract with daphne and Twisted: what `queueing/web/{channel,request,server}.py` rely on beyond their documents.

A new release that behaves otherwise fails here, with the name that changed. What the limits do with it is in
tests/processes/test_bodies.py and test_slow_clients.py.
"""

import inspect
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import daphne.cli
import daphne.http_protocol
import daphne.server
import pytest
from daphne.ws_protocol import WebSocketProtocol
from packaging.requirements import Requirement
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.protocols.basic import LineReceiver
from twisted.web import http

from queueing.web.channel import Channel
from queueing.web.command_line import CommandLine
from queueing.web.request import Request
from queueing.web.server import Factory, Server
from tests.support.paths import ROOT

# The release that the overrides were written for; a later one is read before it is let in.
WRITTEN_FOR = {"daphne": "4.2", "twisted": "26.10"}

# Each class of ours: the names of its base that it overrides.
OVERRIDES: dict[type, set[str]] = {
    Channel: {
        "connectionMade", "connectionLost", "dataReceived", "lineReceived", "lineLengthExceeded", "rawDataReceived",
        "headerReceived", "allHeadersReceived", "allContentReceived", "requestDone", "pauseProducing",
        "resumeProducing", "loseConnection", "_respondToBadRequestAndDisconnect", "checkPersistence",
    },
    Request: {"__init__", "handleContentChunk", "process", "basic_error", "finish", "connectionLost"},
    Factory: {"__init__", "protocol", "buildProtocol"},
    Server: {
        "__init__", "create_application", "handle_reply", "listen_success", "kill_all_applications",
        "application_checker",
    },
    CommandLine: {"__init__", "run", "server_class"},
}  # fmt: skip

# Each name of theirs that is used without being overridden, by a piece of source in which it does what is relied upon.
RELIED_UPON: list[tuple[Any, str]] = [
    (http.HTTPChannel.allHeadersReceived, "req.gotLength(self.length)"),
    (http.HTTPChannel.allHeadersReceived, "_send100Continue"),
    (http.HTTPChannel.lineReceived, "self.allHeadersReceived()\n            if self.length == 0:"),
    (http.HTTPChannel.lineReceived, "self._command = command"),
    (http.HTTPChannel.lineReceived, "self._path = request"),
    (http.HTTPChannel._maybeChooseTransferDecoder, "self._transferDecoder = newTransferDecoder"),
    (http.HTTPChannel._maybeChooseTransferDecoder, "self.requests[-1].handleContentChunk"),
    (http.HTTPChannel._maybeChooseTransferDecoder, "if self._transferDecoder is not None:"),  # two lengths: 400
    (http.HTTPChannel.rawDataReceived, "self._dataBuffer.append(data)"),
    (http.HTTPChannel.requestDone, 'b"".join(self._dataBuffer)'),
    (http.HTTPChannel.pauseProducing, "self._waitingForTransport = True"),
    (http.HTTPChannel.connectionLost, "request.connectionLost(reason)"),
    (http.Request.requestReceived, "self._parsePOSTFormSubmission"),
    (http.Request.requestReceived, "self.content.seek(0, 0)"),
    (http.Request.handleContentChunk, "self.content.write(data)"),
    (LineReceiver.dataReceived, "while self._buffer and not self.paused:"),
    (LineReceiver.clearLineBuffer, 'self._buffer = self._buffer, b""'),
    (FileDescriptor.doWrite, "self.producer.resumeProducing()"),
    (FileDescriptor._maybePauseProducer, "self.producer.pauseProducing()"),
    (daphne.http_protocol.WebRequest.__init__, "http.Request.__init__(self, *args, **kwargs)"),
    (daphne.http_protocol.WebRequest.process, "transport, self.transport = self.transport, None"),
    (daphne.http_protocol.WebRequest.process, "chunk = self.content.read(buffer_size)"),
    (daphne.http_protocol.WebRequest.process, "self.server.create_application,\n                    self,"),
    (daphne.http_protocol.HTTPFactory.buildProtocol, "protocol.requestFactory = WebRequest"),
    (daphne.server.Server.run, "self.http_factory = HTTPFactory(self)"),
    (daphne.server.Server.run, "ep.listen(self.http_factory)"),
    (daphne.server.Server.create_application, "receive=input_queue.get"),
    (daphne.server.Server.create_application, "send=partial(self.handle_reply, protocol)"),
    (daphne.cli.CommandLineInterface.run, "self.server = self.server_class("),
    (daphne.cli.CommandLineInterface.run, "args = self.parser.parse_args(args)"),
    (WebSocketProtocol.processHandshake, "self.http_request_data = self.data["),
    (WebSocketProtocol.processHandshake, "self.http_headers,"),
    (WebSocketProtocol.succeedHandshake, "self.http_response_data = response"),
    (WebSocketProtocol.failHandshake, "self.sendHttpErrorResponse(code, reason, responseHeaders)"),
]


@pytest.mark.parametrize("package", WRITTEN_FOR)
def test_the_installed_version_is_the_one_this_contract_was_written_for(package: str) -> None:
    assert Requirement(f"{package}=={WRITTEN_FOR[package]}.*").specifier.contains(version(package)), (
        f"{package} {version(package)} is installed: read the changes of the names below, then move WRITTEN_FOR."
    )


@pytest.mark.parametrize("cls", OVERRIDES)
def test_every_override_is_known_and_overrides_something(cls: type) -> None:
    bases = [base for base in cls.__mro__[1:] if base is not object]
    own = {name for name in vars(cls) if name == "__init__" or not name.startswith("__")}
    overridden = {name for name in own if any(name in vars(base) for base in bases)}
    assert overridden == OVERRIDES[cls]


@pytest.mark.parametrize(("name", "source"), RELIED_UPON)
def test_the_source_still_does_what_is_relied_upon(name: Any, source: str) -> None:
    assert source in inspect.getsource(name), f"{name.__qualname__} has changed"


def test_the_procfile_needs_no_options() -> None:
    assert "web: exec python -m config.serve\n" in (ROOT / "Procfile").read_text()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        (IPv4Address("TCP", "127.0.0.1", 8000), "http://127.0.0.1:8000/"),
        (IPv6Address("TCP", "::1", 8000), "http://[::1]:8000/"),
        (UNIXAddress("/run/x.sock"), "UNIXAddress('/run/x.sock')"),
    ],
)
def test_the_log_has_the_address_of_an_open_socket(host: Any, told: str, caplog: pytest.LogCaptureFixture) -> None:
    never_called: Any = None
    server = Server(never_called, endpoints=["tcp:0"])
    caplog.set_level("INFO", "queueing")
    server.listen_success(SimpleNamespace(getHost=lambda: host))
    assert f"web: listens on {told}" in caplog.messages


@pytest.mark.parametrize(
    ("arguments", "endpoints"),
    [
        ([], ["tcp:port=8000:interface=127.0.0.1:backlog=2048"]),
        (["--port", "1"], ["tcp:port=1:interface=127.0.0.1:backlog=2048"]),
        (["-b", "::1", "-p", "1"], [r"tcp:port=1:interface=\:\:1:backlog=2048"]),
        (["--unix-socket", "/run/x.sock"], []),
        (["--endpoint", "tcp:1"], ["tcp:1"]),
        (["--fd", "3", "-v", "0"], []),
    ],
)
def test_an_address_gets_a_long_backlog(arguments: list[str], endpoints: list[str]) -> None:
    line = CommandLine()
    options = line.parser.parse_args(line.with_endpoint(arguments))
    assert options.socket_strings == endpoints
    assert (options.ping_interval, options.ping_timeout, options.websocket_max_message_size) == (10, 8, 16384)
    assert options.application == "config.asgi:application"
