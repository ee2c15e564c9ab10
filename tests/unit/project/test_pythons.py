"""The Python versions that the project promises: whatever names them names the same ones."""

import re
import subprocess
import tomllib

from packaging.specifiers import SpecifierSet

from tests.support.paths import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = re.findall(r"^PYTHONS = (.+)$", MAKEFILE, re.MULTILINE)[0].split()
IN_ORDER = sorted(PYTHONS, key=lambda version: int(version.removeprefix("3.")))
OLDEST = IN_ORDER[0]


def test_the_project_takes_these_and_no_others() -> None:
    required = SpecifierSet(PROJECT["project"]["requires-python"])
    assert [f"3.{minor}" for minor in range(50) if f"3.{minor}" in required] == IN_ORDER


def test_another_one_is_refused_with_the_names_of_these() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "run", "PYTHON=3.11"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"PYTHON is one of {' '.join(PYTHONS)}, not 3.11" in done.stderr


def test_lint_types_and_lock_are_made_for_the_oldest() -> None:
    """A feature of a newer version only is an error of `make check`; packages for the oldest are in the lock."""
    assert PROJECT["tool"]["mypy"]["python_version"] == OLDEST
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{OLDEST.replace('.', '')}"
    assert "--python-version $(OLDEST)" in MAKEFILE


def test_the_first_is_the_one_of_the_image_and_of_pyenv() -> None:
    assert re.findall(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == PYTHONS[:1]
    assert (ROOT / ".python-version").read_text().split() == PYTHONS[:1]


def test_the_readme_names_them() -> None:
    *others, last = IN_ORDER
    assert f"Python {', '.join(others)} or {last}" in (ROOT / "README.md").read_text()
