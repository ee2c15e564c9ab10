"""A storage of objects: django-storages' S3 storage, as pages, workers and the keeper need it.

- Objects are private, by S3's own default: no ACL is sent, which new buckets of Amazon's refuse.
- Every error is an OSError: FileNotFoundError, or StorageError with one sentence.
- Waits are bounded, and content streams: neither an upload nor a download is in memory as a whole.
- One client serves all threads. django-storages makes one for each thread, and here each request has a thread.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError
from django.core.files.base import File
from django.utils import timezone
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage
from storages.utils import ReadBytesWrapper, clean_name

from queueing import site_time
from queueing.exceptions import StorageError, StorageRefused
from queueing.storage.answers import NO_BUCKET, SILENCE, Body, one_part_at_a_time, refusal
from queueing.storage.clients import LOOK, QUICK, TRANSFER, Circuit, Clients, Patience
from queueing.storage.staying import sentence_on

BLOCK = 256 * 1024  # bytes that a reader asks for at a time
MANY = 1000  # objects that one call deletes; S3's own limit
# Seconds from the making of a signed address to the begin of its download. Clocks may be minutes apart.
SIGNED_SECONDS = 300


class ObjectStorage(S3Storage):
    """A bucket, or a folder in it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"transfer_config": one_part_at_a_time()} | options)
        self.circuit = Circuit()
        self._clients: Clients | None = None

    def get_default_settings(self) -> dict[str, Any]:
        """django-storages' own, but for names that are never used twice, and signatures that all servers know."""
        settings: dict[str, Any] = super().get_default_settings()
        return settings | {
            "file_overwrite": False,
            "signature_version": "s3v4",
            "querystring_expire": SIGNED_SECONDS,
            "public_url": "",  # the address at which browsers find the storage; empty: `endpoint_url`
        }

    # Django's storage

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        """The content, read once from its start to its end."""
        if mode != "rb":
            raise ValueError("An object is opened to be read, as bytes")
        with self._asked():
            answer = self._client(TRANSFER).get_object(**self._key(name))
        file: File[bytes] = File(io.BufferedReader(Body(answer["Body"], self._answered), BLOCK), name)
        file.size = answer["ContentLength"]
        return file

    def _save(self, name: str, content: "File[Any]") -> str:
        """Store the content: from its start, where that can be found again.

        Without the type and the encoding that django-storages takes from the name: they would make browsers unpack
        "x.gz". Each signed address names the type.
        """
        with suppress(AttributeError, io.UnsupportedOperation):
            content.seek(0)
        read = ReadBytesWrapper(content)
        read.close = lambda: None  # s3transfer would close the caller's file
        with self._asked():
            self._client(TRANSFER).upload_fileobj(
                read, **self._key(name), ExtraArgs=self.get_object_parameters(name), Config=self.transfer_config
            )
        return str(clean_name(name))

    def exists(self, name: str) -> bool:
        """True if there is an object of this name; a folder is none."""
        try:
            self._head(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return int(self._head(name)["ContentLength"])

    def get_modified_time(self, name: str) -> datetime:
        found: datetime = self._head(name)["LastModified"]
        return found

    def delete(self, name: str) -> None:
        self.delete_many([name])

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """The names of the folders and of the objects in a folder."""
        pages = list(self._pages(path, Delimiter="/"))
        prefix = len(self._prefix(path))
        folders = [found["Prefix"][prefix:-1] for page in pages for found in page.get("CommonPrefixes", ())]
        return folders, [found["Key"][prefix:] for page in pages for found in page.get("Contents", ())]

    # More than Django's

    @property
    def is_away(self) -> bool:
        """True if the storage gave no answer some seconds ago."""
        return self.circuit.is_open

    def signed_url(self, name: str, *, filename: str, content_type: str, method: str = "GET") -> str:
        """An address that gives anybody this object for SIGNED_SECONDS, as an attachment of this name and type.

        Raises StorageError without a key.
        """
        told = {
            "ResponseContentDisposition": content_disposition_header(True, filename),
            "ResponseContentType": content_type,
            "ResponseCacheControl": "private, no-store",
        }
        params = self._key(name) | told
        with self._translated():  # the key may be one that a server gives, for an hour
            client = self._client(QUICK, self.public_url)
            # It is signed by this host's clock: one that is behind would give less time, or none.
            seconds = self.querystring_expire + round(site_time.seconds_behind())
            address = client.generate_presigned_url("get_object", params, ExpiresIn=seconds, HttpMethod=method)
        return str(address)

    def names_of_folders(self, folder: str) -> Iterator[str]:
        """The names of the folders in this one, page by page."""
        prefix = len(self._prefix(folder))
        for page in self._pages(folder, Delimiter="/"):
            yield from (found["Prefix"][prefix:-1] for found in page.get("CommonPrefixes", ()))

    def below(self, folder: str) -> dict[str, datetime]:
        """The objects in a folder and in those inside it, and when each was stored."""
        cut = len(self._prefix(""))
        contents = (found for page in self._pages(folder) for found in page.get("Contents", ()))
        return {found["Key"][cut:]: found["LastModified"] for found in contents}

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete these objects; one that is not there is no error. Raises StorageError, which names those that stay."""
        staying: list[tuple[str, StorageError]] = []
        for batch in batched(names, MANY):
            try:
                staying += self._delete_batch(batch)
            except StorageError as error:  # the server may take the next batch; if it hangs, the circuit is open
                staying += [(name, error) for name in batch]
        if staying:
            _, first = staying[0]
            raise type(first)(sentence_on(staying)) from first

    def end_uploads(self, folder: str, older_than: timedelta, *, dry_run: bool = False) -> int:
        """Delete the parts of uploads to this folder that were broken off so long ago; returns their number."""
        with self._asked():
            pages = self._client(QUICK).get_paginator("list_multipart_uploads")
            found = [
                upload
                for page in pages.paginate(Bucket=self.bucket_name, Prefix=self._prefix(folder))
                for upload in page.get("Uploads", ())
                if timezone.now() - upload["Initiated"] > older_than
            ]
        for upload in found if not dry_run else ():
            key = {"Bucket": self.bucket_name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            with suppress(FileNotFoundError), self._asked():  # it may have ended since
                self._client(QUICK).abort_multipart_upload(**key)
        return len(found)

    def look(self) -> None:
        """Raises StorageError if there is no bucket to be seen, within 1.3 s."""
        try:
            with self._answered():
                self._see_bucket()
        except FileNotFoundError as error:
            raise StorageRefused(NO_BUCKET) from error

    def keeps_versions(self) -> bool:
        """True if the bucket keeps what is deleted. Raises StorageError; many keys may not ask."""
        with self._asked():
            answer = self._client(QUICK).get_bucket_versioning(Bucket=self.bucket_name)
        return bool(answer.get("Status") == "Enabled")

    def warm_up(self) -> None:
        """In a worker, before its first fork: horses inherit clients without connections."""
        for patience in (QUICK, TRANSFER):
            self._client(patience)

    def forget(self) -> None:
        """In the process of an isolated task: no key is left in this object, and it works no more."""
        if self._clients is not None:
            self._clients.forget()
        self.__dict__.clear()

    # Details

    def _client(self, patience: Patience, endpoint: str = "") -> Any:
        if self._clients is None:
            self._clients = Clients(
                self._create_session(),
                Config(s3={"addressing_style": self.addressing_style}, signature_version=self.signature_version),
                region_name=self.region_name,
                verify=self.verify,
            )
        return self._clients.get(patience, endpoint or self.endpoint_url)

    def _delete_batch(self, names: Sequence[str]) -> list[tuple[str, StorageError]]:
        """Delete objects in one call; returns those that stay."""
        objects = [{"Key": self._key(name)["Key"]} for name in names]
        with self._asked():
            answer = self._client(QUICK).delete_objects(
                Bucket=self.bucket_name, Delete={"Objects": objects, "Quiet": True}
            )
        found = answer.get("Errors", ())
        return [(error["Key"], StorageRefused(f"{error.get('Code')} {error.get('Message')}")) for error in found]

    def _see_bucket(self) -> None:
        client = self._client(LOOK)
        try:
            client.head_bucket(Bucket=self.bucket_name)
        except ConnectionClosedError:  # an old connection, which the server has left
            client.head_bucket(Bucket=self.bucket_name)

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}

    def _prefix(self, folder: str) -> str:
        path = self._normalize_name(clean_name(folder)) if folder else self.location.strip("/")
        return f"{path}/" if path else ""

    def _head(self, name: str) -> Any:
        with self._asked():
            return self._client(QUICK).head_object(**self._key(name))

    def _pages(self, folder: str, **options: str) -> Iterator[Any]:
        with self._asked():
            pages = self._client(QUICK).get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self.bucket_name, Prefix=self._prefix(folder), **options)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Around each question: a storage that gave no answer just now is not asked again."""
        if self.circuit.is_open:
            raise StorageError
        with self._answered():
            yield

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Around each answer: the circuit is closed by it."""
        with self._translated():
            yield
        self.circuit.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The errors of boto3 become OSErrors. Silence opens the circuit."""
        try:
            yield
        except ClientError as error:
            self.circuit.close()
            raise refusal(error) from error
        except (BotoCoreError, Boto3Error) as error:
            if isinstance(error, SILENCE):
                self.circuit.open(error)
            raise StorageError(str(error)) from error
