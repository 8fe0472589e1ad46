"""CASME: 60 frames/s (Yan et al., FG 2013).

casme.xlsx    Emotion, Subject, Filename, OnsetF, ApexF1, ApexF2, OffsetF, AUs
CASME_raw_selected/sub01/EP02_1/*.jpg    also Cropped
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .images import Images
from .labels import Labels, label_files, movement, padded, read_labels, spellings
from .layout import Layout, Published
from .record import Record
from .tables import Row

PUBLISHED = Published(samples=195, subjects=19, note="189 in the copies that circulate")


def read(root: Path, images: Images) -> Labels:
    """Rows of the coding file; the first of two apexes counts."""
    files = label_files(root, r"^casme(?!\s*(2|ii|3)).*", ("casme.xlsx",), "casme.xlsx")
    return read_labels(files, partial(_record, images=images))


def _record(row: Row, rows: int, images: Images) -> Record:
    subject, clip = padded(row.text("subject"), 2, "sub"), row.text("clip")
    record = movement(row, rows, subject, clip)
    record.leaves = images.find(spellings(subject), {clip.lower()})
    return record


LAYOUT = Layout("casme", "CASME", 60.0, PUBLISHED, read)
