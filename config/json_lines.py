"""Log lines as JSON, one object a line (LOG_FORMAT=json)."""

from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

# Django gives its lines the request, whose text has the URL in it, and so may have the name of a file.
LEFT_OUT = [*RESERVED_ATTRS, "request"]


class JsonLines(JsonFormatter):
    """The message, the fields that the line was given, and when, where and how loud."""

    def __init__(self, **_: Any) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(process)d %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            reserved_attrs=LEFT_OUT,
            timestamp=True,
        )
