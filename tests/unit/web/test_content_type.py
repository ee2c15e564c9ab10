"""The Content-Type of requests: no client chooses the codec of its form, and no header is an error."""

import encodings.aliases
import io
import time
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIRequest

from queueing.web.content_type import FormsOnly, plain_type

MULTIPART = b'multipart/form-data; boundary="%s"'
FORM = b"application/x-www-form-urlencoded"
PART = b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n%s\r\n--B--\r\n'
# The codecs of Python that know other names, and those that have none.
CODECS = sorted({*encodings.aliases.aliases.values(), "idna", "punycode", "raw_unicode_escape", "undefined", "nosuch"})


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        (b"multipart/form-data; boundary=----WebKitFormBoundaryqsAx", MULTIPART % b"----WebKitFormBoundaryqsAx"),
        (b'Multipart/Form-Data;charset=punycode; BOUNDARY="a b"; x=1', MULTIPART % b"a b"),
        (b"multipart/form-data; boundary=B; charset=punycode", MULTIPART % b"B"),
        (b"multipart/form-data", None),
        (b"multipart/form-data; boundary=", None),
        (b"multipart/form-data; boundary=" + b"b" * 71, None),
        (b"multipart/form-data; xboundary=B", None),
        (b"application/x-www-form-urlencoded", FORM),
        (b"application/x-www-form-urlencoded; charset=utf-16", FORM),
        (b"application/x-www-form-urlencodedx", None),
        (b"application/json", None),
        (b"a/b; x*=nosuch''%41", None),
        (b"x" * 2000, None),
        (b"", None),
    ],
)
def test_only_the_types_of_forms_are_known(sent: bytes, known: bytes | None) -> None:
    assert plain_type(sent) == known


async def seen(*types: bytes, length: int = 0) -> Any:
    """The scope that the application gets from a request with these headers."""
    scopes: list[Any] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        scopes.append(scope)

    headers = [(b"content-length", b"%d" % length), *((b"content-type", value) for value in types)]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await ApplicationCommunicator(FormsOnly(application), scope).wait()
    return scopes[0]


@pytest.mark.parametrize("codec", CODECS)
async def test_no_client_chooses_the_codec_of_its_form(codec: str) -> None:
    """With punycode the field would take a minute; with others the form would be an error, or hold a half character."""
    body = PART % (b"a" * 900_000 + b"\\ud800-")
    scope = await seen(b"multipart/form-data; boundary=B; charset=" + codec.encode(), length=len(body))
    began = time.process_time()
    request = ASGIRequest(scope, io.BytesIO(body))
    assert request.POST["x"] == "a" * 900_000 + "\\ud800-"
    assert time.process_time() - began < 10


@pytest.mark.parametrize("value", [b"a/b; x*=nosuch''%41", b"a/b; x*=undefined''%41", b'a/b; x="' + b"y" * 5000])
async def test_a_header_that_cannot_be_parsed_is_no_error(value: bytes) -> None:
    request = ASGIRequest(await seen(value), io.BytesIO())
    assert request.content_type == ""


async def test_two_headers_are_no_form() -> None:
    scope = await seen(b"multipart/form-data; boundary=B", b"multipart/form-data; boundary=C; charset=punycode")
    assert "punycode" not in ASGIRequest(scope, io.BytesIO()).META["CONTENT_TYPE"]
