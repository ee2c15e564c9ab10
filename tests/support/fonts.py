"""Faces of type for drawn pages, as the machine has them."""

from pathlib import Path

import pytest
from PIL import ImageFont

from tools import machine


def face(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A face by the name of its file. Without it the test is skipped; in CI it fails."""
    folders = [Path(folder).expanduser() for folder in machine.FONT_FOLDERS]
    found = next((path for folder in folders for path in folder.rglob(f"{name}.ttf")), None)
    if found is None:
        machine.require(machine.FONT)
        pytest.skip(f"{name} is missing; on Debian: apt install {machine.FONT.package}")
    return ImageFont.truetype(found, size)
