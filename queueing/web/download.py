"""A file as an answer: read as it travels, or, from a storage of objects, by a redirect to a signed address."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils.http import content_disposition_header

from queueing.storage import folders

BLOCK = 256 * 1024  # bytes


class Download(StreamingHttpResponse):
    """A file that is opened when its first byte is asked for: a client that has gone by then leaves none open.

    Django's FileResponse opens it in the view, and is read as a whole before its first byte is sent, when the server
    speaks ASGI.
    """

    def __init__(self, stored: FieldFile, *, filename: str, content_type: str) -> None:
        """Raises FileNotFoundError."""
        size = stored.size
        self._blocks = _blocks(stored)
        super().__init__(self._blocks, content_type=content_type)
        self["Content-Length"] = size
        self["Content-Disposition"] = content_disposition_header(True, filename)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        following = sync_to_async(partial(next, self._blocks, b""), thread_sensitive=False)
        while block := await following():
            yield block


def _blocks(stored: FieldFile) -> Iterator[bytes]:
    with stored.storage.open(str(stored.name)) as content:
        while block := content.read(BLOCK):
            yield block


def attachment(request: HttpRequest, stored: FieldFile, *, filename: str, content_type: str) -> HttpResponseBase:
    """A stored file as an attachment. The caller has checked who may see it. Raises Http404, or StorageError.

    A signed address is made here, without a question to the storage. The storage is asked all the same: a browser that
    comes to one that is away, or to a file that is gone, would get a page of its own, or none.
    """
    storage: Any = stored.storage
    if not hasattr(storage, "signed_url"):
        try:
            return Download(stored, filename=filename, content_type=content_type)
        except FileNotFoundError:
            raise Http404 from None
    folders.give_rows_back()
    if not storage.exists(str(stored.name)):
        raise Http404
    method = "HEAD" if request.method == "HEAD" else "GET"
    address = storage.signed_url(str(stored.name), filename=filename, content_type=content_type, method=method)
    return HttpResponseRedirect(address)
