"""Answers of a storage of objects: content as it arrives, and refusals as errors of the system."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from queueing.exceptions import StorageError, StorageRefused

NO_BUCKET = "There is no such bucket."
SILENCE = (NoConnection, HTTPClientError)  # no answer, or half of one
PART = 8 * 1024**2  # bytes of a large upload that are in memory at a time


class Body(io.RawIOBase):
    """The content of an object as it arrives."""

    def __init__(self, stream: Any, answered: Callable[[], AbstractContextManager[None]]) -> None:
        self._stream, self._answered = stream, answered

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with self._answered():
            part = self._stream.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()


def refusal(error: ClientError) -> OSError:
    """The error of an answer that is none of success."""
    code, sentence = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code == "NoSuchBucket":
        return StorageRefused(NO_BUCKET, status)
    if status == HTTPStatus.NOT_FOUND:
        return FileNotFoundError(sentence)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StorageError(f"{code} {sentence}")
    return StorageRefused(f"{code} {sentence}", status)


def one_part_at_a_time() -> TransferConfig:
    """No threads: a horse forks, and threads would not come along."""
    return TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
