"""SMIC: high-speed (HS, 100 frames/s), visible and near-infrared (VIS, NIR, 25) (Li et al., FG 2013).

    SMIC_all_raw/HS/s01/micro/negative/s01_ne_01/image137021.bmp     labels are in the folders
    SMIC-E_raw image/HS_long/SMIC-HS-E/HS/s01/s01_ne_01/*.jpg        the extended set, with neutral frames
    SMIC-HS-E_annotation.xlsx    Subject, Filename, OnsetF, OffsetF, Onset2F, Offset2F, ..., Emotion

Nobody coded apexes or action units. With an annotation file onset and offset are its own (up to three
movements a row; text rows below the table are no movements), without one they are the first and
the last frame of a clip.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...engine.errors import MicroauError
from .images import Images, Leaf
from .labels import CLIP, EMOTION, SUBJECT, Labels, describe, label_files, padded, read_table, spellings
from .layout import Layout, Published
from .record import Record
from .tables import Row, find_files

CLIP_NAME = re.compile(r"s\d+_(?P<emotion>ne|po|su|sur)_\d+", re.IGNORECASE)
PUBLISHED = Published(samples=164, subjects=16, emotions={"negative": 70, "positive": 51, "surprise": 43},
                      note="the extended set (E) has 157 clips")  # fmt: skip
PUBLISHED_25 = Published(samples=71, subjects=8)

ENDS = ("onset", "offset")
MOVEMENTS = (("onsetf", "offsetf"), ("onset2f", "offset2f"), ("onset3f", "offset3f"))
TABLE = {"subject": SUBJECT, "clip": CLIP, "onset0": ("onsetf",), "offset0": ("offsetf",)}


def reader(camera: str) -> Callable[[Path, Images], Labels]:
    """Reads one camera: 'HS', 'VIS' or 'NIR'."""

    def read(root: Path, images: Images) -> Labels:
        if find_files(root, rf"SMIC-?{camera}.*annotation"):
            return _from_table(root, images, camera)
        return _from_folders(root, images, camera)

    return read


def _from_table(root: Path, images: Images, camera: str) -> Labels:
    files = label_files(root, rf"SMIC-?{camera}.*annotation", ("2019",), f"SMIC-{camera}-E_annotation.xlsx")
    sheet, rows = read_table(files, TABLE, {"emotion": EMOTION, **_later_columns()})
    rows = [row for row in rows if CLIP_NAME.fullmatch(row.text("clip"))]  # the text below is no row
    labels = Labels(describe(sheet.path, len(rows), files))
    for row in rows:
        for k in range(len(MOVEMENTS)):
            if k == 0 or row.text(f"onset{k}"):
                labels.add(row, partial(_row_record, k=k, rows=len(rows), images=images))
    return labels


def _later_columns() -> dict[str, tuple[str]]:
    """Columns of the second and third movement of a row."""
    pairs = enumerate(MOVEMENTS[1:], 1)
    return {f"{end}{k}": (name,) for k, pair in pairs for end, name in zip(ENDS, pair, strict=True)}


def _row_record(row: Row, k: int, rows: int, images: Images) -> Record:
    subject, clip = padded(row.text("subject"), 2, "s"), row.text("clip")
    leaves = images.find(spellings(subject), {clip.lower()}) or images.find({clip.lower()})
    span = row.number(f"onset{k}"), row.number(f"offset{k}")
    return _record(row, rows, (subject, clip), span, leaves, row.text("emotion") or _emotion(clip))


def _record(
    row: Row,
    rows: int,
    name: tuple[str, str],
    span: tuple[int | None, int | None],
    leaves: list[Leaf],
    emotion: str,
) -> Record:
    onset, offset = span
    return Record(row, rows, *name, onset, None, offset, leaves, emotion=emotion, apex_coded=False)


def _emotion(clip: str) -> str:
    match = CLIP_NAME.fullmatch(clip)
    return match["emotion"] if match else ""


def _from_folders(root: Path, images: Images, camera: str) -> Labels:
    leaves = [leaf for leaf in images.all() if CLIP_NAME.fullmatch(leaf.parts[-1]) and _is_of(leaf, camera)]
    if not leaves:
        raise MicroauError(f"{root}: no clip folder like {camera}/s01/micro/negative/s01_ne_01 in it")
    labels = Labels(f"folder names, {len(leaves)} clips (no annotation file)")
    for k, leaf in enumerate(leaves):
        numbers = images.frames(leaf.path).numbers
        row = Row(str(leaf.path.relative_to(root)), k, {})
        span = (numbers[0], numbers[-1]) if numbers else (None, None)
        clip = leaf.path.name
        name = padded(clip.split("_")[0], 2, "s"), clip
        labels.records.append(_record(row, len(leaves), name, span, [leaf], _emotion(clip)))
    return labels


def _is_of(leaf: Leaf, camera: str) -> bool:
    """In a folder of that camera, or in none of any: a bare copy of one camera's folder."""
    cameras = {name for part in leaf.parts for name in re.findall(r"hs|vis|nir", part)}
    return camera.lower() in cameras or not cameras


HS = Layout("smic-hs", "SMIC (HS)", 100.0, PUBLISHED, reader("HS"))
VIS = Layout("smic-vis", "SMIC (VIS)", 25.0, PUBLISHED_25, reader("VIS"))
NIR = Layout("smic-nir", "SMIC (NIR)", 25.0, PUBLISHED_25, reader("NIR"))
