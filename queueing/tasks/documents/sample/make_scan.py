"""Draws scan.pdf, the sample of the task "documents": three pages that look as if they came from a scanner.

Run it as `python make_scan.py [scan.pdf]`. It needs Pillow only, uses the font that comes with Pillow,
and draws the same pictures every time. People, places and sums are invented.
"""

import math
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import gmtime

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

DPI = 150
PAGE = (1240, 1754)  # A4 at 150 dpi
MARGIN = 130  # pixels
GUTTER = 70  # pixels between two columns
PAPER = (250, 245, 232)
INK = (44, 42, 48)
SEED = 1907  # for the grain

OPENING = """The spring meeting of the Lantern Harbour Society was opened at half past seven in the old net loft. \
Nineteen members and four guests were present. The chair, Odile Marchetti, thanked the rowing club for the benches \
and read the minutes of the autumn meeting, which were approved without changes."""

TREASURER = """The treasurer reported that the lamp on the north pier has been burning again since the second of \
March. The new lens was ground by the workshop in Vellingen and carried up the stairs by six volunteers in forty \
minutes. Nobody was hurt, and only one step was damaged."""

DECISIONS = (
    "1.  The winter lights will be kept until the last Sunday of April.",
    "2.  The boat shed gets a second door towards the slipway.",
    "3.  Guests may borrow the small dinghy on weekdays.",
    "4.  The next meeting will be held on 14 September at 19:30.",
)

LEFT = """For eleven years the lamp stood in a crate behind the sail store, wrapped in sacking and forgotten by nearly \
everyone. Then a school class on a rainy outing asked what was in it. The caretaker did not know and fetched a crowbar.

Under the sacking lay a drum of brass ribs and thick green glass. Two panes were missing, and the clockwork that had \
once turned the lamp was stiff with old grease. A plate gave the name of the maker and a number: 0417."""

RIGHT = """The repair began in autumn. Every rib was taken off, cleaned in warm vinegar and numbered with chalk. The \
missing panes were cast by a glass maker who needed five attempts to match the colour of the sea.

When the clockwork ran for the first time, at ten minutes to midnight, the whole crew stood in the yard and counted. \
One turn took thirty seconds exactly, as the drawings had promised."""

ACCOUNT = (
    ("Item", "Quantity", "Each", "Total"),
    ("Brass screws", "240", "0.35", "84.00"),
    ("Green glass panes", "2", "310.00", "620.00"),
    ("Lamp oil, litres", "18", "4.50", "81.00"),
    ("Oak planks", "12", "27.25", "327.00"),
    ("Rope, metres", "60", "1.80", "108.00"),
    ("Paint, grey", "5", "22.40", "112.00"),
    ("Sum", "", "", "1332.00"),
)

CLOSING = """The cash box was counted twice by two members and found correct. The books are open to every member on \
the first Tuesday of the month. Receipts are kept for ten years in the blue cabinet."""


@dataclass
class Sheet:
    """One clean page, written from the top down."""

    number: int

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", PAGE, PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.y = MARGIN
        self.line(f"Page {self.number} of 3", size=20, x=PAGE[0] - MARGIN - 110, y=PAGE[1] - 90)

    def line(self, text: str, *, size: int = 26, x: int = MARGIN, y: int | None = None, bold: bool = False) -> None:
        """Write one line, at `y` or below the last one."""
        # Pillow's font has one weight; a thin outline makes it look bold.
        self.draw.text((x, self.y if y is None else y), text, INK, _font(size), stroke_width=0.4 if bold else 0)
        if y is None:
            self.y += round(size * 1.5)

    def heading(self, text: str, size: int = 34) -> None:
        self.y += 24
        self.line(text, size=size, bold=True)

    def paragraphs(self, text: str, *, x: int = MARGIN, width: int = PAGE[0] - 2 * MARGIN) -> None:
        for paragraph in text.split("\n\n"):
            for line in _wrap(paragraph.split(), width):
                self.line(line, x=x)
            self.y += 18

    def columns(self, *texts: str) -> None:
        """Write texts side by side, in columns of equal width."""
        width = (PAGE[0] - 2 * MARGIN - GUTTER * (len(texts) - 1)) // len(texts)
        top, bottom = self.y, self.y
        for index, text in enumerate(texts):
            self.y = top
            self.paragraphs(text, x=MARGIN + index * (width + GUTTER), width=width)
            bottom = max(bottom, self.y)
        self.y = bottom

    def table(self, rows: Iterable[Sequence[str]], stops: Sequence[int]) -> None:
        for index, row in enumerate(rows):
            for text, stop in zip(row, stops, strict=True):
                self.line(text, x=MARGIN + stop, y=self.y, bold=index == 0)
            self.y += 46
            self.rule()
        self.y += 24

    def rule(self) -> None:
        self.draw.line((MARGIN, self.y - 8, PAGE[0] - MARGIN, self.y - 8), fill=(150, 146, 140))

    def signature(self) -> None:
        """Draw a signature: loops that become flatter, in blue ink."""
        steps = [step / 200 for step in range(201)]
        points = [
            (MARGIN + 300 * t + 22 * math.cos(38 * t), self.y + 45 - 42 * math.sin(38 * t) * (1 - t) ** 1.5 - 20 * t)
            for t in steps
        ]
        self.draw.line(points, fill=(38, 52, 110), width=4, joint="curve")
        self.y += 105


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow without FreeType has no scalable font
    return font


def _wrap(words: Iterable[str], width: int) -> Iterable[str]:
    line = ""
    for word in words:
        if line and _font(26).getlength(f"{line} {word}") > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".lstrip()
    yield line


def minutes() -> Sheet:
    sheet = Sheet(1)
    sheet.line("Lantern Harbour Society", size=50, bold=True)
    sheet.line("Minutes of the spring meeting, 21 March 1987", size=28)
    sheet.y += 16
    sheet.rule()
    sheet.heading("Opening")
    sheet.paragraphs(OPENING)
    sheet.heading("Report of the treasurer")
    sheet.paragraphs(TREASURER)
    sheet.heading("Decisions")
    for decision in DECISIONS:
        sheet.line(decision)
    return sheet


def article() -> Sheet:
    sheet = Sheet(2)
    sheet.line("The lamp in the crate", size=46, bold=True)
    sheet.line("How a forgotten light came back to the north pier", size=28)
    sheet.y += 30
    sheet.columns(LEFT, RIGHT)
    sheet.heading("Visiting the lamp")
    sheet.paragraphs("The stairs are open from May to October, daily from ten to four. Children climb free of charge.")
    return sheet


def account() -> Sheet:
    sheet = Sheet(3)
    sheet.line("Account of the repair", size=46, bold=True)
    sheet.y += 40
    sheet.table(ACCOUNT, stops=(0, 430, 640, 830))
    sheet.paragraphs(CLOSING)
    sheet.y += 50
    sheet.signature()
    sheet.line("Casimir Thorne, treasurer", size=24)
    return sheet


def scanned(clean: Image.Image, *, angle: float, grain: random.Random) -> Image.Image:
    """The page as a scanner would see it: a little askew, soft, grainy, and darker towards one edge."""
    page = clean.rotate(angle, Image.Resampling.BICUBIC, fillcolor=PAPER).filter(ImageFilter.GaussianBlur(0.6))
    shade = Image.linear_gradient("L").rotate(90).resize(page.size).point(lambda value: 255 - value // 13)
    noise = Image.frombytes("L", page.size, grain.randbytes(page.width * page.height))
    noise = noise.filter(ImageFilter.GaussianBlur(0.7)).point(lambda value: 231 + value // 9)
    return ImageChops.multiply(page, ImageChops.multiply(shade, noise).convert("RGB"))


def main(path: Path) -> None:
    grain = random.Random(SEED)
    sheets = zip((minutes(), article(), account()), (0.7, -0.9, 0.4), strict=True)
    first, *others = [scanned(sheet.image, angle=angle, grain=grain) for sheet, angle in sheets]
    first.save(
        path,
        save_all=True,
        append_images=others,
        resolution=DPI,
        quality=62,
        title="Lantern Harbour Society",
        creationDate=gmtime(0),
        modDate=gmtime(0),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("scan.pdf"))
