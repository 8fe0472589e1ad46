"""4DME, gray-scale part: 60 frames/s (Li et al., IEEE Trans. Affective Computing 2022).

4DME_Labelling_Micro_release v1.xlsx    sub_ID, fold_name, Onset, Apex, Offset, AUs (AU4+AU7(k):
    (k) is uncertain), one column per unit, and columns Positive, Negative, Surprise, Repression,
    Others that are 1 where the emotion was seen (several may be)
gray_micro/subject/clip/*.jpg           also gray_micro_crop
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .images import Images
from .labels import APEX, AUS, MOVEMENT, Labels, label_files, movement, read_labels, spellings
from .layout import Layout, Published
from .record import Record
from .tables import Row

PUBLISHED = Published(samples=267, subjects=41)
SHOWN = ("positive", "negative", "surprise", "repression", "others")
COLUMNS = {"apex": APEX, "aus": AUS, **{name: (name,) for name in SHOWN}}


def read(root: Path, images: Images) -> Labels:
    """Rows of the micro-expressions."""
    files = label_files(root, r"^4DME.*Labell?ing.*", ("v1",), "4DME_Labelling_Micro_release v1.xlsx")
    return read_labels(files, partial(_record, images=images), MOVEMENT, COLUMNS)


def _record(row: Row, rows: int, images: Images) -> Record:
    subject, clip = row.text("subject"), row.text("clip")
    if not subject:
        raise ValueError("no subject")
    record = movement(row, rows, subject, clip)
    record.emotion = "+".join(name for name in SHOWN if row.text(name) == "1")
    record.leaves = images.find(spellings(subject), {clip.lower()})
    return record


LAYOUT = Layout("fourdme", "4DME (gray)", 60.0, PUBLISHED, read)
