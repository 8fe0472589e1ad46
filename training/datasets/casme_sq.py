"""CAS(ME)^2: long videos at 30 frames/s with macro- and micro-expressions (Qu et al., 2018).

    CAS(ME)^2code_final.xlsx    also (Updated), code_final.xlsx; no header anywhere:
        sheet 0  subject number, video and movement (anger1_1), onset, apex, offset, units, emotion class,
                 macro-/micro-expression, self-report
        'naming rule1'  folder number, folder (s15), subject number
        'naming rule2'  code (0401), video (anger1)
    rawpic/s15/15_0101disgustingteeth/img1.jpg     whole videos; selectedpic, cropped: the movements

An offset of 0 is not known; an apex of 0 neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...engine.errors import MicroauError
from .images import Images, Leaf
from .labels import Labels, describe, kind_of, label_files, movement, spellings
from .layout import Layout, Published
from .record import Record
from .tables import Row, Sheet, read_sheets, rows_without_header

FIELDS = ("subject", "clip", "onset", "apex", "offset", "aus", "emotion", "kind", "report")
PUBLISHED = Published(samples=357, subjects=22, kinds={"macro": 300, "micro": 57}, note="98 videos")


@dataclass(frozen=True, slots=True)
class Names:
    """How numbers and names in the labels become folders."""

    subjects: dict[str, str]
    """Subject number -> 's15'."""
    videos: dict[str, str]
    """Video name 'anger1' -> code '0401'."""


def read(root: Path, images: Images) -> Labels:
    """Rows of the first sheet, folders through the two sheets of names."""
    pattern, example = r"code_?final", "CAS(ME)^2code_final.xlsx"
    files = label_files(root, pattern, ("updated",), example)
    sheets = read_sheets(files[0])
    names = _names(sheets, files[0])
    rows = rows_without_header(sheets[0], FIELDS)
    labels = Labels(describe(files[0], len(rows), files))
    for row in rows:
        labels.add(row, partial(_record, rows=len(rows), images=images, names=names))
    return labels


def _names(sheets: Sequence[Sheet], path: Path) -> Names:
    if len(sheets) < 3:
        raise MicroauError(
            f"{path}: {len(sheets)} sheets, where three are needed: labels, subjects, videos"
        )
    people = rows_without_header(sheets[1], ("number", "folder", "subject"))
    videos = rows_without_header(sheets[2], ("code", "video"))
    return Names(
        {row.text("subject"): f"s{int(row.text('number') or 0):02d}" for row in people if _is_row(row)},
        {row.text("video").lower(): row.text("code").zfill(4) for row in videos},
    )


def _is_row(row: Row) -> bool:
    return row.text("number").isdigit()


def _record(row: Row, rows: int, images: Images, names: Names) -> Record:
    name = row.text("clip")
    video = name.rsplit("_", 1)[0].lower()
    if row.text("subject") not in names.subjects:
        raise ValueError(f"subject {row.text('subject')} is not in the sheet of subjects")
    if video not in names.videos:
        raise ValueError(f"video {video} is not in the sheet of videos")
    subject, code = names.subjects[row.text("subject")], names.videos[video]
    record = movement(row, rows, subject, f"{subject[1:]}_{code}")
    record.kind = kind_of(row)
    record.apex, record.offset = record.apex or None, record.offset or None  # 0: not known
    record.leaves = _leaves(images, subject, code, name)
    return record


def _leaves(images: Images, subject: str, code: str, name: str) -> list[Leaf]:
    """The whole video (`15_0401...`), and the movement's own folder (`anger1_1`)."""
    folders, number = spellings(subject), int(subject[1:])
    whole = [
        leaf
        for n in {f"{number}", f"{number:02d}"}
        for leaf in images.starting_with(f"{n}_{code}", folders)
    ]
    return whole + images.find(folders, {name.lower()})


LAYOUT = Layout("casme-sq", "CAS(ME)^2", 30.0, PUBLISHED, read)
