"""One's own recordings: a folder of videos or image folders, and one table of labels.

    labels.csv (or .xlsx)    columns Subject, Filename, Onset, Apex, Offset; and, where there are any,
                             Action Units, Emotion, Type (macro, micro), Rate (frames per second)
    clip01.mp4               or clip01/1.jpg, 2.jpg, ..., at any depth

Filename is the name of the video, its ending is optional, or of the folder of images. Frames of a
video count from 0. Column names may be CASME II's own (OnsetFrame, Estimated Emotion, ...), so what
`microau-generate` writes is read by this too.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .frames import VIDEOS
from .images import Images, Leaf
from .labels import CODING, MOVEMENT, Labels, kind_of, label_files, movement, read_labels, spellings
from .layout import Layout, Published
from .record import Record
from .tables import Row

COLUMNS = {**CODING, "kind": ("type", "kind"), "rate": ("rate", "fps", "framerate")}


def read(root: Path, images: Images) -> Labels:
    """Rows of the nearest table whose name holds 'label'."""
    files = label_files(root, r"label", (r"^labels\.",), "labels.csv")
    return read_labels(files, partial(_record, images=images), MOVEMENT, COLUMNS)


def _record(row: Row, rows: int, images: Images) -> Record:
    subject, clip = row.text("subject"), row.text("clip")
    if not subject or not clip:
        raise ValueError("no subject or no file name")
    record = movement(row, rows, subject, clip)
    record.kind = kind_of(row) if row.text("kind") else "micro"
    record.rate = _rate(row)
    record.leaves = _leaves(images, subject, clip)
    return record


def _rate(row: Row) -> float:
    try:
        return float(row.text("rate") or "nan")
    except ValueError:
        raise ValueError(f"rate {row.text('rate')!r} is no number of frames per second") from None


def _leaves(images: Images, subject: str, clip: str) -> list[Leaf]:
    """In the subject's own folder where there is one, else anywhere under its full name."""
    parts = [part.lower() for part in Path(clip.replace("\\", "/")).parts]
    if Path(parts[-1]).suffix in VIDEOS:
        parts[-1] = Path(parts[-1]).stem
    path = [{part} for part in parts]
    return images.find(spellings(subject), *path) or images.find(*path)


LAYOUT = Layout("plain", "your own folder", float("nan"), Published(0, 0), read)
