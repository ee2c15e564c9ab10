"""Programs that the tests need besides Python packages: two browsers, and a font to draw text with.

`install_missing` installs them with apt where apt asks no question. A test that needs one of them calls `require`.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


@dataclass(frozen=True)
class Need:
    """A program or file that a package of Debian brings."""

    name: str
    package: str
    find: Callable[[], str | None]  # returns the path, or None


def _find_program(*names: str) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def _find_font() -> str | None:
    folders = [Path(folder).expanduser() for folder in FONT_FOLDERS]
    return next((str(path) for folder in folders for path in folder.rglob("*.[ot]tf")), None)


CHROMIUM = Need(
    "Chromium",
    "chromium",
    partial(_find_program, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)
FIREFOX = Need("Firefox", "firefox-esr", partial(_find_program, "firefox-esr", "firefox"))
FONT = Need("a font", "fonts-dejavu-core", _find_font)
NEEDS = (CHROMIUM, FIREFOX, FONT)


def require(*needs: Need) -> None:
    """Skip the running test if one of these needs is missing. In CI it fails, because nobody would notice a skip."""
    if missing := _missing(needs):
        sentence = f"{_names(missing)} missing; on Debian: {_command(missing)}"
        if is_ci():
            pytest.fail(sentence)
        pytest.skip(sentence)


def is_ci() -> bool:
    return _is_set("CI")


def install_missing() -> list[Need]:
    """Install the missing needs, if no password is asked for. Returns the needs that are missing afterwards."""
    missing = _missing(NEEDS)
    as_root = _prefix_of_root()
    if missing and as_root is not None:
        print(f"The tests want {_names(missing)}. Installing with apt; this happens once.", flush=True)
        apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        _run([*apt, "update"])
        for need in missing:  # one at a time: elsewhere than on Debian one of the packages may not exist
            _run([*apt, "install", "--yes", "--no-install-recommends", need.package])
    return _missing(NEEDS)


def skipped(missing: Iterable[Need]) -> str:
    """One line about the tests that did not run: the reason, and the command that helps."""
    if _is_set("NO_INSTALL"):
        reason = "NO_INSTALL is set"
    elif shutil.which("apt-get") is None:
        reason = "there is no apt-get"
    elif _prefix_of_root() is None:
        reason = "apt-get needs root"
    else:
        reason = "apt-get failed"
    return f"SKIPPED: all tests that need {_names(missing)} (not installed: {reason}). To run them: {_command(missing)}"


def _missing(needs: Iterable[Need]) -> list[Need]:
    return [need for need in needs if need.find() is None]


def _names(needs: Iterable[Need]) -> str:
    return ", ".join(need.name for need in needs)


def _command(needs: Iterable[Need]) -> str:
    return shlex.join(["apt-get", "install", *(need.package for need in needs)])


def _prefix_of_root() -> list[str] | None:
    """The words before a command that root has to run. None where apt cannot be used without a password."""
    if _is_set("NO_INSTALL") or shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0:
        return sudo
    return None


def _run(command: list[str]) -> None:
    """Say the command, then run it. Its errors are shown, its progress is not. A failure raises nothing."""
    print(f"+ {shlex.join(command)}", flush=True)
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() not in {"", "0", "false"}
