"""CASME II: 200 frames/s, one folder per clip (Yan et al., PLOS ONE 2014).

    CASME2-coding-20140508.xlsx          also -20190701, -updated, CASME2_label_Ver_2.xls, .csv
    CASME2-ObjectiveClasses.xlsx         objective classes I to VII (Davison et al. 2018)
    CASME2_RAW_selected/CASME2_RAW_selected/sub01/EP02_01f/img46.jpg     onset to offset
    CASME2_RAW/CASME2-RAW/sub01/EP02_01f/img1.jpg                        whole recording
    Cropped/sub01/EP02_01f/reg_img46.jpg                                 cropped faces

The pictures of sub12 and sub22 must not be published (release agreement).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .images import Images
from .labels import (
    CLIP,
    OBJECTIVE,
    SUBJECT,
    Labels,
    label_files,
    movement,
    padded,
    read_labels,
    read_table,
    spellings,
)
from .layout import Layout, Published
from .record import Record
from .tables import Row, find_files

VERSIONS = ("20190701", "updated", "20140508", "ver_?2")
"""The best first: the later files have 'others' instead of 'tense' and mended rows."""

PUBLISHED = Published(
    samples=255,
    subjects=26,
    emotions={
        "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7,
        "fear": 2,
    },
    aus={1: 26, 2: 22, 4: 130, 7: 39, 12: 34, 14: 27, 15: 16, 17: 25},
    objective={1: 25, 2: 15, 3: 99, 4: 26, 5: 20, 6: 1, 7: 69},
    note="the updated file has 256 rows; disgust is 64 and sadness 4 in some; the paper of 2014 has 247",
)  # fmt: skip


def read(root: Path, images: Images) -> Labels:
    """Rows of the coding file, with the objective class where that file is there."""
    pattern = r"^CASME2.*(coding|label).*"
    files = label_files(root, pattern, VERSIONS, "CASME2-coding-20140508.xlsx")
    return read_labels(files, partial(_record, images=images, objective=_objective_classes(root)))


def _record(row: Row, rows: int, images: Images, objective: dict[tuple[str, str], str]) -> Record:
    subject, clip = padded(row.text("subject"), 2, "sub"), row.text("clip")
    record = movement(row, rows, subject, clip)
    record.leaves = images.find(spellings(subject), {clip.lower()})
    record.objective = record.objective or objective.get((subject, clip.lower()), "")
    return record


def _objective_classes(root: Path) -> dict[tuple[str, str], str]:
    files: Sequence[Path] = find_files(root, r"objective")
    if not files:
        return {}
    wanted = {"subject": SUBJECT, "clip": CLIP, "objective": OBJECTIVE}
    _, rows = read_table(files, wanted, {})
    return {
        (padded(row.text("subject"), 2, "sub"), row.text("clip").lower()): row.text("objective")
        for row in rows
    }


LAYOUT = Layout("casme2", "CASME II", 200.0, PUBLISHED, read)
