"""The options of the web process: daphne's own, with this site's server and defaults."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from daphne.cli import CommandLineInterface
from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings

from queueing.conf import site
from queueing.web.server import Server

# daphne's own backlog refuses bursts: thousands of pages come back together after a restart.
BACKLOG = 2048
LONGEST_SILENCE = 25  # seconds; within them the README promises that a dead connection is known
DEFAULTS: dict[str, Any] = {
    # Seconds; a silent socket is noticed after 20 at most.
    "ping_interval": 10,
    "ping_timeout": 8,
    # Bytes; a page says little, and a frame to it is smaller, too.
    "websocket_max_message_size": 16384,
    "websocket_max_frame_size": 16384,
}


def application() -> str:
    """The site's ASGI application, as daphne names it."""
    return ":".join(str(settings.ASGI_APPLICATION).rsplit(".", 1))


_PINGS = "leave both out, or write --ping-interval 10 --ping-timeout 8."
# Rules for the options, each with its sentence.
RULES: list[tuple[Callable[[argparse.Namespace], bool], str]] = [
    (
        lambda chosen: chosen.ping_timeout < chosen.ping_interval,
        f"--ping-timeout must be shorter than --ping-interval, or living visitors are dropped: {_PINGS}",
    ),
    (
        lambda chosen: chosen.ping_interval + chosen.ping_timeout <= LONGEST_SILENCE,
        f"A dead connection keeps its place until both pings are over, for over {LONGEST_SILENCE} s here: {_PINGS}",
    ),
    (
        lambda chosen: chosen.websocket_max_message_size >= DEFAULTS["websocket_max_message_size"],
        "--websocket-max-message-size is smaller than a page's frame: leave it out.",
    ),
    (
        lambda chosen: chosen.application == application(),
        "The application is not this site: leave it out, or write what ASGI_APPLICATION says.",
    ),
]


class CommandLine(CommandLineInterface):
    """daphne's command line. The application need not be named; without an address it is 127.0.0.1 and PORT."""

    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        for action in self.parser._actions:  # noqa: SLF001  # argparse has no other way to make one optional
            if action.dest == "application":
                action.nargs = "?"
        self.parser.set_defaults(application=application(), **DEFAULTS)
        if site.LOG_FORMAT == "json":  # daphne's lines on requests are text, on the standard output
            self.parser.set_defaults(verbosity=0)

    def checked(self, arguments: list[str]) -> list[str]:
        """The same arguments. Ends the process with one sentence if they do not fit the site."""
        chosen = self.parser.parse_args(self.with_endpoint(arguments))
        for fits, sentence in RULES:
            if not fits(chosen):
                sys.exit(sentence)
        return arguments

    def run(self, arguments: list[str]) -> None:
        super().run(self.with_endpoint(arguments))

    def with_endpoint(self, arguments: list[str]) -> list[str]:
        """The arguments, with an endpoint that has our backlog in the place of `--bind` and `--port`."""
        address = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        address.add_argument("-b", "--bind")
        address.add_argument("-p", "--port", type=int)
        given, rest = address.parse_known_args(arguments)
        others = self.parser.parse_args(rest)
        has_other = others.unix_socket or others.socket_strings or others.file_descriptor is not None
        if given.bind is None and given.port is None and has_other:
            return rest
        port = site.PORT if given.port is None else given.port
        [endpoint] = build_endpoint_description_strings(host=given.bind or "127.0.0.1", port=port)
        return ["--endpoint", f"{endpoint}:backlog={BACKLOG}", *rest]
