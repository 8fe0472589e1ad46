"""SAMM: 200 frames/s, gray 960x650 (Davison et al., IEEE Trans. Affective Computing 2018).

SAMM_Micro_FACS_Codes_v2.xlsx    also SAMM_20181215_...; notes above the header
SAMM/006/006_1_2/006_05562.jpg   subject / clip / subject_frame
SAMM_CROP/006/006_1_2/...        cropped faces
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .images import Images
from .labels import Labels, label_files, movement, padded, read_labels, spellings
from .layout import Layout, Published
from .record import Record
from .tables import Row

PUBLISHED = Published(
    samples=159,
    subjects=32,
    emotions={
        "anger": 57, "happiness": 26, "others": 26, "surprise": 15, "contempt": 12, "disgust": 9, "fear": 8,
        "sadness": 6,
    },
    aus={2: 18, 4: 23, 7: 46, 12: 28},
)  # fmt: skip


def read(root: Path, images: Images) -> Labels:
    """Rows of the FACS codes below the notes."""
    pattern = r"^SAMM.*Micro.*FACS.*"
    files = label_files(root, pattern, ("v2",), "SAMM_Micro_FACS_Codes_v2.xlsx")
    return read_labels(files, partial(_record, images=images))


def _record(row: Row, rows: int, images: Images) -> Record:
    subject, clip = padded(row.text("subject"), 3), row.text("clip")
    record = movement(row, rows, subject, clip)
    record.leaves = images.find(spellings(subject), {clip.lower()})
    return record


LAYOUT = Layout("samm", "SAMM", 200.0, PUBLISHED, read)
