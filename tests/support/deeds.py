"""A form that does what its file says: deeds of a library that a hostile file has taken over."""

import ctypes
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import connection

from queueing.forms import EntryForm


def _spin() -> None:
    while True:
        pass


def _match() -> None:
    """Hours in native code, which holds Python's lock."""
    re.fullmatch(r"(a|a)*b", "a" * 60)


def _eat() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(16 * 1024**2))


def _eat_natively() -> None:
    """A library that dies of what it cannot get."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while True:
        ctypes.memset(libc.malloc(ctypes.c_size_t(16 * 1024**2)), 1, 16 * 1024**2)


def _run() -> str:
    return str(subprocess.run(["/bin/true"], check=False).args)


def _in_thread() -> str:
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append("a thread"))
    thread.start()
    thread.join()
    return said[0]


def _connect(kind: int, address: Any) -> None:
    with socket.socket(kind) as opened:
        opened.connect(address)


def _write(path: str) -> None:
    Path(path).write_text("by a checker")


def _remove(path: str) -> None:
    Path(path).unlink()


def _read(path: str) -> str:
    return Path(path).read_text()[:100]


def _raise() -> None:
    raise RuntimeError("secret detail")


def _query() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _peers() -> str:
    """What this process knows of the site."""
    return f"{dict(os.environ)} {vars(getattr(settings, '_wrapped'))}"  # noqa: B009


def _change(upload: "UploadedFile[Any]") -> int:
    return os.pwrite(upload.fileno(), b"changed", 0)


def _descriptors() -> str:
    """The sockets and other open files of this process, beside the standard three and /dev/null."""
    found = []
    for descriptor in range(3, 256):
        with suppress(OSError):
            found.append(os.fstat(descriptor).st_mode)
    sockets = sum(map(stat.S_ISSOCK, found))
    return f"{sockets} sockets, {len(found) - sockets - sum(map(stat.S_ISCHR, found))} others"


def _ask_redis() -> object:
    from queueing.line import clients  # not for a checker

    return clients.connection().ping()


def _look_into_parent() -> bytes:
    with Path(f"/proc/{os.getppid()}/mem").open("rb") as memory:
        return memory.read(1)


DEEDS: dict[str, Callable[..., object]] = {
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "spin": _spin,
    "match": _match,
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(0),
    "eat": _eat,
    "eat natively": _eat_natively,
    "fork": os.fork,
    "run": _run,
    "thread": _in_thread,
    "write": _write,
    "remove": _remove,
    "read": _read,
    "tcp": lambda port: _connect(socket.AF_INET, ("127.0.0.1", int(port))),
    "unix": lambda path: _connect(socket.AF_UNIX, path),
    "kill": lambda pid: os.kill(int(pid), signal.SIGCONT),
    "kill parent": lambda: os.kill(os.getppid(), signal.SIGCONT),
    "limit parent": lambda: __import__("resource").prlimit(os.getppid(), 7, (10, 10)),
    "raise": _raise,
    "query": _query,
    "key": lambda: settings.SECRET_KEY,
    "modules": lambda: " ".join(sorted(sys.modules)),
    "peers": _peers,
    "pid": os.getpid,
    "descriptors": _descriptors,
    "look into parent": _look_into_parent,
    "ask redis": _ask_redis,
    "storage": lambda: vars(getattr(default_storage, "_wrapped")),  # noqa: B009
}


class DeedForm(EntryForm):
    def check_file(self, upload: "UploadedFile[Any]") -> None:
        """Do the deed that the file names, as in "write: /tmp/x", and tell what came of it."""
        line = upload.read(1000).decode(errors="replace").strip()
        deed, _, argument = line.partition(": ")
        if deed == "fine":
            return
        try:
            told = _change(upload) if deed == "change" else DEEDS[deed](*filter(None, [argument]))
        except OSError as error:
            told = type(error).__name__
        raise ValidationError(f"{deed}: {told}")

    def preview(self, upload: "UploadedFile[Any]", options: dict[str, Any]) -> Any:
        """Do the deed, or show a text of so many letters, as in "show: 1000"."""
        line = upload.read(1000).decode(errors="replace").strip()
        upload.seek(0)
        if line.startswith("show: "):
            return {"shown": "x" * int(line.removeprefix("show: ")), "options": options}
        self.check_file(upload)
        return None


def deed(line: str) -> "UploadedFile[Any]":
    return SimpleUploadedFile("deed.txt", line.encode())


def done(line: str, upload: "UploadedFile[Any] | None" = None) -> list[str]:
    """The form's sentences about a file that names this deed."""
    form = DeedForm({}, {"file": upload or deed(line)})  # type: ignore[arg-type]
    return [str(sentence) for sentence in form.errors.get("file", [])]
