"""CAS(ME)^3: 30 frames/s, colour and depth (Li et al., IEEE Trans. PAMI 2022).

    cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx    also v1 (.xls); sheet `label`
    part_A/spNO.1/a/color/1.jpg                  whole videos
    Part_A_ME_clip/frame/spNo.1_a_355/355.jpg    micro-expressions: subject_file_onset, other capitals
    CAS(ME)3_part_C_ME.xlsx                      sub, count, au, onset, offset (no apex, no emotion)

A micro-expression of Part A has onset to apex <= 250 ms, and may end seconds later; one of Part C
has 500 ms in all. Some onsets stand on the apex, because the first frames of a video are lost.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .images import Images, Leaf
from .labels import Labels, label_files, movement, padded, read_labels
from .layout import Layout, Published
from .record import Record
from .tables import Row

PUBLISHED = Published(
    samples=860,
    subjects=100,
    emotions={
        "disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sadness": 57,
        "happiness": 55,
    },
    note="version 2; version 1 has 943: disgust 281, surprise 201, others 170, fear 93, anger 70, "
    "sadness 64, happiness 64",
)  # fmt: skip
PUBLISHED_C = Published(samples=165, subjects=31, note="part_C_ME; part_C has 160")
COLUMNS_C = {
    "subject": ("sub", "subject"), "clip": ("count", "filename"), "onset": ("onset",),
    "offset": ("offset",),
}  # fmt: skip


def read_a(root: Path, images: Images) -> Labels:
    """Micro-expressions of Part A."""
    pattern = r"part_?A_ME_label.*|^cas\(me\)3_part_A_v\d.*"
    files = label_files(root, pattern, ("v2", "v1"), "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx")
    return read_labels(files, partial(_record_a, images=images))


def _record_a(row: Row, rows: int, images: Images) -> Record:
    subject, clip = row.text("subject"), row.text("clip")
    record = movement(row, rows, subject, clip)
    own = f"{subject}_{clip}_{record.onset}".lower()
    record.leaves = [*images.find({own}), *_video(images, subject, clip)]
    return record


def _video(images: Images, subject: str, clip: str) -> list[Leaf]:
    person, video = {subject.lower()}, {clip.lower()}
    return images.find(person, video, {"color", "colour"}) or images.find(person, video)


def read_c(root: Path, images: Images) -> Labels:
    """Micro-expressions of Part C."""
    files = label_files(root, r"part_?C.*", ("part_?C_ME",), "CAS(ME)3_part_C_ME.xlsx")
    return read_labels(files, partial(_record_c, images=images), COLUMNS_C, {"aus": ("au", "aus")})


def _record_c(row: Row, rows: int, images: Images) -> Record:
    subject, clip = padded(row.text("subject"), 2), row.text("clip")
    record = movement(row, rows, subject, clip)
    record.apex_coded = False
    record.leaves = _video(images, subject, clip)
    return record


LAYOUT = Layout("casme3", "CAS(ME)^3 Part A", 30.0, PUBLISHED, read_a)
PART_C = Layout("casme3-c", "CAS(ME)^3 Part C", 30.0, PUBLISHED_C, read_c)
