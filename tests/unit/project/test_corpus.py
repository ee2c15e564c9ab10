"""The frame of `make corpus`: unpacking within limits, and writing tables. It fetches nothing here."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.corpus import __main__ as command
from tests.corpus import packages, report


def test_a_table_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    page = tmp_path / "accuracy.md"
    page.write_text("a\n<!-- corpus: one -->\nold\n<!-- end: one -->\nb\n")
    report.write("one", report.table(["x", "y"], [["1", "2"]]), page)
    assert page.read_text() == "a\n<!-- corpus: one -->\n| x | y |\n| --- | --- |\n| 1 | 2 |\n<!-- end: one -->\nb\n"
    with pytest.raises(LookupError, match="no place for two"):
        report.write("two", "", page)


def test_each_part_has_its_place_and_an_unknown_one_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(f"<!-- corpus: {part} -->\n" in report.ACCURACY.read_text() for part in command.PARTS)
    assert command.main(["music"]) == 1
    assert "No such part: music." in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["whl", "tar.gz"])
def test_a_package_is_unpacked_within_limits(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scan.png").write_bytes(bytes(1000))
    archive = tmp_path / f"some-1.{kind}"
    if kind == "whl":
        with zipfile.ZipFile(archive, "w") as package:
            package.write(tmp_path / "scan.png", "tests/scan.png")
    else:
        with tarfile.open(archive, "w:gz") as sdist:
            sdist.add(tmp_path / "scan.png", "tests/scan.png")
    packages._unpack(archive, tmp_path / "some")
    assert packages.found("scan.png", tmp_path / "some").stat().st_size == 1000
    with pytest.raises(FileNotFoundError, match=r"no other\.png"):
        packages.found("other.png", tmp_path / "some")
    monkeypatch.setattr(packages, "MOST_BYTES", 999)
    with pytest.raises(ValueError, match="more than"):
        packages._unpack(archive, tmp_path / "again")
