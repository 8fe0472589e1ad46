"""SAMM Long Videos: 147 videos at 200 frames/s with macro- and micro-expressions (Yap et al., FG 2020).

    SAMM_LongVideos_V3_Release.xlsx    also V1, V2; sheet FACS_Movement_Only, notes above the header
    SAMM_longvideos/006_1/006_1_00001.jpg

Emotions are in SAMM's own file alone: where `SAMM_Micro_FACS_Codes_v2.xlsx` lies in the folder too,
micro-expressions get theirs by file name.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .images import Images
from .labels import (
    CLIP,
    EMOTION,
    MOVEMENT,
    OBJECTIVE,
    Labels,
    kind_of,
    label_files,
    movement,
    padded,
    read_labels,
    read_table,
)
from .layout import Layout, Published
from .record import Record
from .tables import Row, find_files

PUBLISHED = Published(samples=502, subjects=32, kinds={"macro": 343, "micro": 159}, note="147 videos")
CODING = {"apex": ("apexframe", "apex"), "aus": ("actionunits",), "kind": ("type", "micro")}


def read(root: Path, images: Images) -> Labels:
    """Rows of the movements, joined with SAMM's emotions where they are there."""
    pattern, example = r"^SAMM_?LongVideos.*", "SAMM_LongVideos_V3_Release.xlsx"
    files = label_files(root, pattern, ("v3", "v2", "v1"), example)
    make = partial(_record, images=images, emotions=_emotions(root))
    return read_labels(files, make, MOVEMENT, CODING)


def _record(row: Row, rows: int, images: Images, emotions: dict[str, tuple[str, str]]) -> Record:
    name = row.text("clip")  # 006_1_2: subject, video, movement
    subject = padded(row.text("subject"), 3)
    video = "_".join(name.split("_")[:2])
    record = movement(row, rows, subject, video)
    record.kind = kind_of(row)
    if record.kind == "micro":
        record.emotion, record.objective = emotions.get(name, ("", ""))
    record.leaves = images.find({video.lower()})
    return record


def _emotions(root: Path) -> dict[str, tuple[str, str]]:
    files = find_files(root, r"^SAMM.*Micro.*FACS.*")
    if not files:
        return {}
    _, rows = read_table(files, {"clip": CLIP, "emotion": EMOTION}, {"objective": OBJECTIVE})
    return {row.text("clip"): (row.text("emotion"), row.text("objective")) for row in rows}


LAYOUT = Layout("samm-lv", "SAMM Long Videos", 200.0, PUBLISHED, read)
