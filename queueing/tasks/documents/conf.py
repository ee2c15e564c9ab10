"""The settings of this task: `QUEUEING["DOCUMENT_<NAME>"]`, or QUEUEING_DOCUMENT_<NAME> in the environment."""

from dataclasses import dataclass

from queueing.conf import declare


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentConf:
    MAX_PAGES: int = 30  # pages of one PDF or TIFF
    MAX_PIXELS: int = 50_000_000  # pixels of one image or page picture
    PAGE_SECONDS: int = 30  # seconds of computing to draw one page


conf = declare(DocumentConf, prefix="DOCUMENT_")
