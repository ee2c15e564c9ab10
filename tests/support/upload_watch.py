"""An upload handler that notes whether the request holds a connection to the database while its form is parsed."""

from typing import Any, ClassVar

from django.core.files.uploadhandler import FileUploadHandler
from django.db import connection


class Watch(FileUploadHandler):
    held: ClassVar[list[bool]] = []

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.held.append(connection.connection is not None)
        return raw_data

    def file_complete(self, file_size: int) -> Any:
        return None
