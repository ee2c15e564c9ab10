"""Programs that the tests need: installed where apt asks no question, named in a sentence elsewhere."""

import os
import shutil
from pathlib import Path

import pytest

from tools import machine, run_tests

APT = """#!/bin/sh
echo "$@" >> {folder}/calls
{then}
"""


class Bare:
    """A machine without browsers and fonts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(script)
        path.chmod(0o755)

    def has_apt(self, then: str = "exit 0") -> None:
        """An apt-get that writes down how it is called."""
        self.add("apt-get", APT.format(folder=self.folder, then=then))

    def calls(self) -> list[str]:
        """The last words of each call of apt-get: the packages, or "update"."""
        path = self.folder / "calls"
        return [line.split()[-1] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bare:
    (tmp_path / "env").symlink_to(str(shutil.which("env")))
    (tmp_path / "true").symlink_to(str(shutil.which("true")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "FONT_FOLDERS", [str(tmp_path / "fonts")])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("CI", "NO_INSTALL"):
        monkeypatch.delenv(name, raising=False)
    return Bare(tmp_path)


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def names(missing: list[machine.Need]) -> list[str]:
    return [need.name for need in missing]


ALL = ["Chromium", "Firefox", "a font"]
PACKAGES = ["chromium", "firefox-esr", "fonts-dejavu-core"]


def test_root_is_told_every_command_and_finds_what_came_with_it(bare: Bare, capfd: pytest.CaptureFixture[str]) -> None:
    """Root: every command is said, then run; what came with it is found."""
    bare.has_apt(then=f"/bin/cp {bare.folder}/apt-get {bare.folder}/chromium")
    assert names(machine.install_missing()) == ["Firefox", "a font"]
    assert bare.calls() == ["update", *PACKAGES]
    said = [line for line in capfd.readouterr().out.splitlines() if line.startswith("+ ")]
    assert [line.split()[-1] for line in said] == bare.calls()
    assert machine.CHROMIUM.find() == str(bare.folder / "chromium")


def test_nothing_is_installed_twice(bare: Bare) -> None:
    bare.has_apt()
    bare.add("google-chrome", "")
    bare.add("firefox", "")
    (bare.folder / "fonts").mkdir()
    (bare.folder / "fonts" / "some.ttf").touch()
    assert machine.install_missing() == []
    assert bare.calls() == []


def test_a_user_whose_sudo_asks_nothing(bare: Bare, as_user: None) -> None:
    bare.has_apt()
    bare.add("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n')
    machine.install_missing()
    assert bare.calls() == ["update", *PACKAGES]


@pytest.mark.parametrize("sudo", ["", "#!/bin/sh\nexit 1\n"], ids=["none", "asks for a password"])
def test_a_user_without_the_right_to_install(bare: Bare, as_user: None, sudo: str) -> None:
    bare.has_apt()
    if sudo:
        bare.add("sudo", sudo)
    missing = machine.install_missing()
    assert bare.calls() == []
    line = machine.skipped(missing)
    assert "apt-get needs root" in line
    assert line.endswith("To run them: apt-get install chromium firefox-esr fonts-dejavu-core")


def test_nothing_is_installed_when_nothing_may_be(bare: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.has_apt()
    monkeypatch.setenv("NO_INSTALL", "1")
    missing = machine.install_missing()
    assert names(missing) == ALL
    assert bare.calls() == []
    assert "NO_INSTALL is set" in machine.skipped(missing)


def test_no_apt(bare: Bare) -> None:
    assert "there is no apt-get" in machine.skipped(machine.install_missing())


def test_an_apt_that_fails(bare: Bare) -> None:
    bare.has_apt(then="exit 100")
    line = machine.skipped(machine.install_missing())
    assert "apt-get failed" in line
    assert "\n" not in line


def test_a_test_without_its_browser_is_skipped_and_fails_in_ci(bare: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception, match="Chromium missing; on Debian: apt-get install chromium"):
        machine.require(machine.CHROMIUM)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Chromium, a font missing"):
        machine.require(machine.CHROMIUM, machine.FONT)


def test_a_run_ends_with_what_was_skipped(bare: Bare, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_tests.main("most", "--markers") == 0
    took, skipped = capfd.readouterr().out.splitlines()[-2:]
    assert took.startswith("That took 0 min")
    assert skipped.startswith("SKIPPED: all tests that need Chromium, Firefox, a font")


def test_a_run_in_ci_does_not_begin_without_browsers(
    bare: Bare, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    assert run_tests.main("most", "--markers") == 1
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("FAILED: all tests that need Chromium")
