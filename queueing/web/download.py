"""A file as an answer: read as it travels, or, from a storage of objects, by a redirect to a signed address."""

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect

from queueing.storage import folders

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


def attachment(request: HttpRequest, stored: FieldFile, *, filename: str, content_type: str) -> HttpResponseBase:
    """A stored file as an attachment. The caller has checked who may see it. Raises Http404, or StorageError.

    A signed address is made here, without a question to the storage. The storage is asked all the same: a browser that
    comes to one that is away, or to a file that is gone, would get a page of its own, or none.
    """
    storage: Any = stored.storage
    if not hasattr(storage, "signed_url"):
        try:
            content = stored.open("rb")
        except FileNotFoundError:
            raise Http404 from None
        return Download(content, as_attachment=True, filename=filename, content_type=content_type)
    folders.give_rows_back()
    if not storage.exists(str(stored.name)):
        raise Http404
    method = "HEAD" if request.method == "HEAD" else "GET"
    address = storage.signed_url(str(stored.name), filename=filename, content_type=content_type, method=method)
    return HttpResponseRedirect(address)
