"""The Content-Type of requests: Django sees the two types of HTML forms, and no parameter but the boundary.

Django takes the charset of a form from its client, and decodes each field with that codec of Python. Some codecs take
quadratic time (punycode), and some have results that no database stores. Browsers send forms in the charset of their
page, UTF-8. A header that cannot be parsed would be an error outside of all middleware.
"""

import re
from typing import Any

from queueing.web.origin import App

URLENCODED = re.compile(rb"\s*application/x-www-form-urlencoded\s*(;.*)?", re.IGNORECASE | re.DOTALL)
MULTIPART = re.compile(rb"\s*multipart/form-data\s*;(.*)", re.IGNORECASE | re.DOTALL)
# RFC 2046, section 5.1.1: 1 to 70 characters, in quotes or not.
BOUNDARY = re.compile(
    rb"(?:^|;)\s*boundary=(?:\"([\w'()+,./:=? -]{1,70})\"|([\w'()+,./:=?-]{1,70}))\s*(?:;|$)", re.IGNORECASE
)


class FormsOnly:
    """ASGI middleware: replaces the header by one that is known, or takes it away. Then a body is no form."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope | {"headers": list(_known(scope["headers"]))}, receive, send)


def _known(headers: Any) -> Any:
    for name, value in headers:
        if name.lower() != b"content-type":
            yield name, value
        elif (plain := plain_type(value)) is not None:
            yield name, plain


def plain_type(value: bytes) -> bytes | None:
    """The type without what Django must not see; None for a type that is none of a form."""
    if len(value) > 1000:
        return None
    if URLENCODED.fullmatch(value):
        return b"application/x-www-form-urlencoded"
    if (parameters := MULTIPART.fullmatch(value)) and (found := BOUNDARY.search(parameters[1])):
        return b'multipart/form-data; boundary="%s"' % (found[1] or found[2]).rstrip()
    return None
