"""The wheel: the package with all that it needs, and nothing of this site."""

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

MAPPED = ("templates/queueing/", "templates/admin/queueing/")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files in the wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "build", "--quiet", "--python", sys.executable, "--wheel", "--out-dir", folder, ROOT], check=True
    )
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def of_the_package() -> Iterator[str]:
    """The files of the package as git knows them, by their names in the wheel."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "queueing", "templates"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).is_file():
            continue  # deleted, and not committed yet
        if name.startswith("queueing/"):
            yield name
        elif name.startswith(MAPPED):
            yield f"queueing/{name}"


def test_the_wheel_has_every_file_of_the_package_and_no_other(names: list[str]) -> None:
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == set(of_the_package())
    endings = {Path(name).suffix for name in inside}
    assert {".py", ".lua", ".html", ".js", ".css", ".svg", ".typed"} <= endings


def test_the_wheel_overrides_no_template_of_a_site(names: list[str]) -> None:
    """Django takes a template from the first app that has it: these names are free for the site."""
    templates = [name.split("/templates/", 1)[1] for name in names if "/templates/" in name]
    foreign = [
        name for name in templates if not name.startswith(("queueing/", "admin/queueing/", "documents/", "tables/"))
    ]
    assert foreign == []


def test_templates_of_the_wheel_stand_on_their_own(names: list[str]) -> None:
    """Those that they extend and include are in the wheel, or Django's."""
    inside = {name.split("/templates/", 1)[1] for name in names if "/templates/" in name}
    for name in inside:
        (source,) = [path for path in places(name) if path.exists()]
        for wanted in re.findall(r"{% (?:extends|include) \"([^\"#]+)", source.read_text()):
            assert wanted in inside or wanted.startswith("admin/"), f"{wanted} in {name}"


def places(name: str) -> list[Path]:
    return [ROOT / "templates" / name, *ROOT.glob(f"queueing/tasks/*/templates/{name}")]


def test_the_wheel_asks_for_the_versions_that_the_site_and_its_tests_run_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_site = {
        line.split("#")[0].strip()
        for name in ("requirements.in", "requirements-dev.in")
        for line in (ROOT / name).read_text().splitlines()
    }
    asked = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    assert [name for name in asked if name not in of_site] == []
