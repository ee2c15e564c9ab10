"""Landlock (linux/landlock.h): the kernel takes the rights to files and TCP from this process, but for what is named.

A ruleset is made ready first, which takes nothing: then paths are named, and then it is enforced. No package for it is
kept up, so the kernel is called directly.
"""

import ctypes
import os
import struct
from pathlib import Path
from typing import Self

# System calls, and rights by the version of the interface that brought them.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
READING = EXECUTE | READ_FILE | READ_DIR
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
WRITING_SINCE = {1: WRITE_FILE | sum(1 << bit for bit in range(4, 13)), 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
RIGHTS_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the others are about folders
BIND_AND_CONNECT, TCP_SINCE = 0b11, 4
SCOPE_SOCKETS, SCOPE_SIGNALS, SCOPES_SINCE = 0b01, 0b10, 6


def version(libc: ctypes.CDLL) -> int:
    """The version of the kernel's interface; 0 or less: it has none."""
    return _call(libc, CREATE_RULESET, None, 0, VERSION_FLAG)


class Ruleset:
    """The files, and the TCP, that a process will have once this is enforced."""

    def __init__(self, libc: ctypes.CDLL, descriptor: int, *, reading: int, writing: int, tcp: int) -> None:
        self._libc, self._descriptor = libc, descriptor
        self._reading, self._writing, self.takes_tcp = reading, writing, bool(tcp)
        self.is_whole = True  # False: a path that is there could not be named

    @classmethod
    def make(cls, libc: ctypes.CDLL, *, reading: bool, writing: bool, network: bool, processes: bool) -> Self | None:
        """A ruleset that takes all `reading` and `writing`, if they are named, and with `network=False` TCP.

        None: this kernel knows nothing of what is to be taken. Raises OSError: it makes no ruleset now.
        """
        if (known := version(libc)) < 1:
            return None
        read = READING if reading else 0
        write = sum(rights for since, rights in WRITING_SINCE.items() if known >= since) if writing else 0
        tcp = 0 if network or known < TCP_SINCE else BIND_AND_CONNECT
        # Without a network, the processes that it may start get signals from it, and no others.
        scopes = (0 if network else SCOPE_SOCKETS) | (0 if processes and network else SCOPE_SIGNALS)
        handled = struct.pack("=QQQ", read | write, tcp, scopes if known >= SCOPES_SINCE else 0)
        if not any(handled):
            return None
        size = 8 if known < TCP_SINCE else 16 if known < SCOPES_SINCE else 24  # what this kernel knows of it
        if (descriptor := _call(libc, CREATE_RULESET, handled, size, 0)) < 0:
            raise OSError(ctypes.get_errno(), "Landlock makes no ruleset")
        return cls(libc, descriptor, reading=read, writing=write, tcp=tcp)

    @property
    def takes_files(self) -> bool:
        """True if it takes the rights to files."""
        return bool(self._reading | self._writing)

    def leave_reading(self, path: Path) -> None:
        """Leave the reading of this path, and of everything below it. A path that is missing counts for nothing."""
        self._leave(path, self._reading)

    def leave_writing(self, path: Path) -> None:
        """Likewise, writing."""
        self._leave(path, self._writing)

    def enforce(self) -> bool:
        """Take the rights, for good. False: the kernel did not. Needs PR_SET_NO_NEW_PRIVS."""
        return _call(self._libc, RESTRICT_SELF, self._descriptor, 0) == 0

    def close(self) -> None:
        """Nothing more is named, or enforced."""
        os.close(self._descriptor)

    def _leave(self, path: Path, rights: int) -> None:
        if not rights:
            return
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            self.is_whole = False
            return
        try:
            rights &= ~0 if path.is_dir() else RIGHTS_OF_FILES
            _call(self._libc, ADD_RULE, self._descriptor, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
        finally:
            os.close(descriptor)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    """The result of a system call; -1 on error."""
    typed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return int(libc.syscall(ctypes.c_long(number), *typed))
