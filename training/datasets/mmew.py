"""MMEW: micro- and macro-expressions of the same people, 90 frames/s (Ben et al., IEEE Trans. PAMI 2021).

MMEW_Micro_Exp.xlsx    Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units,
                       Estimated Emotion, remarks
Micro_Expression/happiness/S01-01-001/1.jpg    emotion / clip / frame
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .images import Images
from .labels import Labels, label_files, movement, read_labels
from .layout import Layout, Published
from .record import Record
from .tables import Row

PUBLISHED = Published(
    samples=300,
    subjects=30,
    emotions={
        "surprise": 89, "disgust": 72, "others": 66, "happiness": 36, "fear": 16, "sadness": 13, "anger": 8,
    },
)  # fmt: skip


def read(root: Path, images: Images) -> Labels:
    """Rows of the micro-expressions."""
    files = label_files(root, r"^MMEW_?Micro.*", ("v2",), "MMEW_Micro_Exp.xlsx")
    return read_labels(files, partial(_record, images=images))


def _record(row: Row, rows: int, images: Images) -> Record:
    subject, clip = row.text("subject"), row.text("clip")
    if not subject:
        raise ValueError("no subject")
    record = movement(row, rows, subject, clip)
    record.leaves = images.find({record.emotion.lower()}, {clip.lower()}) or images.find({clip.lower()})
    return record


LAYOUT = Layout("mmew", "MMEW", 90.0, PUBLISHED, read)
