"""A host of its own for one process: a network namespace of Linux, whose cable can be pulled. It needs root."""

import itertools
import os
import shutil
import subprocess

_numbers = itertools.count(os.getpid() % 200 + 1)


def _ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


def can_make_namespaces() -> bool:
    """True if this user may make network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"queue-try-{os.getpid()}"
    return _ip("netns", "add", name) and _ip("netns", "delete", name)


class Namespace:
    """A network namespace, with a cable from this machine to it."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.name, self.cable = f"queue-{os.getpid()}-{number}", f"q{os.getpid()}-{number}"[:15]
        self.here, self.there = f"10.213.{number % 250}.1", f"10.213.{number % 250}.2"
        for command in (
            ("netns", "add", self.name),
            ("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name),
            ("addr", "add", f"{self.here}/30", "dev", self.cable),
            ("link", "set", self.cable, "up"),
            ("-n", self.name, "addr", "add", f"{self.there}/30", "dev", "eth0"),
            ("-n", self.name, "link", "set", "lo", "up"),
            ("-n", self.name, "link", "set", "eth0", "up"),
        ):
            assert _ip(*command), command

    @property
    def prefix(self) -> list[str]:
        """The words before a command that runs there."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Pull the cable: nothing arrives any more, and nobody is told."""
        assert _ip("-n", self.name, "link", "set", "eth0", "down")

    def mend(self) -> None:
        assert _ip("-n", self.name, "link", "set", "eth0", "up")

    def stop(self) -> None:
        _ip("netns", "delete", self.name)
