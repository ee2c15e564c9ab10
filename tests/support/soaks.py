"""Soaks that tests run, and what they say of their faults."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable

from tests.soak.faults import FAULTS
from tests.support.clocks import can_set_clocks
from tests.support.paths import ROOT


class Soak:
    """A soak with these variables, which has to find nothing."""

    def __init__(self, **variables: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.soak"],
            cwd=ROOT,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = done.stdout
        print(self.output)  # noqa: T201  # pytest shows it when the test fails
        assert done.returncode == 0, done.stderr
        assert "violations: 0" in self.output

    @property
    def faults(self) -> Counter[str]:
        """The faults that were seen to happen."""
        (counts,) = re.findall(r"^faults: \d+: (\{.*\})$", self.output, re.MULTILINE)
        return Counter(ast.literal_eval(counts))

    @property
    def left_out(self) -> set[str]:
        """The faults that the soak cannot have, each of which it names with the reason."""
        return set(re.findall(r"^left out: (.+), because .+$", self.output, re.MULTILINE))


def impossible(names: Iterable[str]) -> set[str]:
    """Those of these faults that this machine cannot have. Which servers a soak has is its own choice."""
    there = {"disks": _can_mount(), "clocks": can_set_clocks()}
    return {name for name in names if any(not there.get(need, True) for need in FAULTS[name].needs.split(", "))}


def _can_mount() -> bool:
    """True if this user may mount a small disk, in a namespace of its own."""
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "soak", "/mnt"]
    try:
        return subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
