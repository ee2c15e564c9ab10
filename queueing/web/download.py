"""A file as an answer that is read as it travels."""

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import FileResponse

BLOCK = 256 * 1024  # bytes


class Download(FileResponse):
    """Django's own FileResponse is read as a whole before its first byte is sent, when the server speaks ASGI."""

    def __init__(self, content: Any, **options: Any) -> None:
        super().__init__(content, **options)
        self.content_file = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = sync_to_async(self.content_file.read, thread_sensitive=False)
        while block := await read(BLOCK):
            yield block
