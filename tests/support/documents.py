"""Documents for the tests, good and bad, written by hand where no library writes anything so broken."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

WORDS = ("The ferry leaves at seven", "Bring a lantern and a rope", "Nobody waits on the pier")


def drawn(words: Sequence[str] = WORDS, size: tuple[int, int] = (620, 300)) -> Image.Image:
    """A small clean page; it is read in half a second."""
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(words):
        draw.text((40, 40 + 70 * number), line, "black", ImageFont.load_default(34))
    return page


def saved(page: Image.Image, kind: str, **options: Any) -> bytes:
    with io.BytesIO() as buffer:
        page.save(buffer, kind, **options)
        return buffer.getvalue()


def tiff(*pages: Image.Image, **options: Any) -> bytes:
    return saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], **options)


def pdf(*objects: str | bytes, trailer: str = "", before: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue. `before` is in front of its header."""
    body, offsets = before + b"%PDF-1.7\n", []
    for number, value in enumerate(objects, 1):
        offsets.append(len(body))
        content = value if isinstance(value, bytes) else value.encode("latin-1")
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
        + b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, trailer.encode("latin-1"), len(body))
    )


CATALOGUE = "<< /Type /Catalog /Pages 2 0 R >>"


def pdf_of_sizes(*sizes: tuple[float, float], count: int | None = None, before: bytes = b"") -> bytes:
    """A PDF with one empty page of each size in points, which says that it has `count`."""
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + len(sizes)))
    tree = f"<< /Type /Pages /Kids [{kids}] /Count {len(sizes) if count is None else count} >>"
    pages = [f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] >>" for width, height in sizes]
    return pdf(CATALOGUE, tree, *pages, before=before)


def filled_form(value: str) -> bytes:
    """A PDF with a form whose only field was filled in, and whose look is left to the viewer."""
    form = "<< /Fields [4 0 R] /NeedAppearances true /DA (/Helv 18 Tf 0 g) /DR << /Font << /Helv 5 0 R >> >> >>"
    return pdf(
        f"<< /Type /Catalog /Pages 2 0 R /AcroForm {form} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 400] /Annots [4 0 R] >>",
        f"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V ({value}) /Rect [60 300 500 330] /F 4 /P 3 0 R"
        " /DA (/Helv 18 Tf 0 g) >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )


def encrypted_pdf(handler: str = "Standard") -> bytes:
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    tree = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    key = "41" * 32
    lock = f"<< /Filter /{handler} /V 1 /R 2 /O <{key}> /U <{key}> /P -4 >>"
    return pdf(CATALOGUE, tree, page, lock, trailer="/Encrypt 4 0 R /ID [<4142> <4142>]")


def png_of(width: int, height: int) -> bytes:
    """A PNG that says how large it is and has next to no pixels; every checksum is right."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    )


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than it has."""
    content = saved(Image.new("L", (8, 8)), "JPEG")
    start = content.index(b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def webp_of(width: int, height: int) -> bytes:
    """A lossless WebP whose header claims another size than it has."""
    content = saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True)
    bits = int.from_bytes(content[21:25], "little") & ~0xFFFFFFF | (width - 1) | (height - 1) << 14
    return content[:21] + bits.to_bytes(4, "little") + content[25:]
