"""The interface of a data set, and the one road from its folder to samples.

A layout knows its label files and where the frames of a row may be. Everything after that is the
same for all: one tree of images is chosen for the whole set, known mistakes are corrected, every
number is checked against the images that are there, and whatever fails is reported by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...engine.errors import MicroauError
from . import errata
from .aus import AuCode, AuError, parse_aus
from .emotions import emotion_name
from .frames import Frames
from .images import TREES, Images, Leaf
from .labels import Labels, many
from .record import Record
from .sample import Loaded, Problem, Sample


@dataclass(frozen=True, slots=True)
class Published:
    """What the papers say a complete copy holds."""

    samples: int
    subjects: int
    emotions: Mapping[str, int] = field(default_factory=dict)
    aus: Mapping[int, int] = field(default_factory=dict)
    objective: Mapping[int, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    """Where counts differ between versions or papers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One data set on disk."""

    name: str
    title: str
    rate: float
    """Nominal frames per second."""
    published: Published
    read: Callable[[Path, Images], Labels]
    """Label files and the folders that each row may mean."""


def load(layout: Layout, root: Path, tree: str = "", switch: errata.Switch = None) -> Loaded:
    """Read a set. MicroauError where the folder is not there or is not that set.

    tree    one of `images.TREES`; '' the best one that is there
    switch  which corrections are applied, see `errata`
    """
    if not root.is_dir():
        raise MicroauError(f"{root}: no such folder; give the one that {layout.title} was unpacked into")
    errata.check_switch(switch)
    images = Images(root)
    labels = layout.read(root, images)
    errata.swap(layout.name, labels.records, switch)
    tree = _choose_tree(layout, root, labels.records, tree)
    problems, samples = list(labels.problems), []
    for record in labels.records:
        sample, found = _sample(layout, record, images, tree, switch)
        samples += [sample] if sample else []
        problems += found
    problems += _folders(samples, root, images.trees[tree])
    version, rows = labels.version, len(labels.records) + len(labels.problems)
    return Loaded(layout.name, root, version, _trees(tree, images), tuple(samples), tuple(problems), rows)


def _choose_tree(layout: Layout, root: Path, records: list[Record], wanted: str) -> str:
    there = Counter(leaf.tree for record in records for leaf in record.leaves)
    if wanted and wanted not in TREES:
        raise MicroauError(f"{wanted}: no such image tree; there are {', '.join(TREES)}")
    if not there or (wanted and wanted not in there):
        what = f" of the tree '{wanted}'" if wanted else ""
        raise MicroauError(
            f"{root}: none of the {len(records)} rows of {layout.title} has an image folder{what}"
        )
    return wanted or min(there, key=TREES.index)


def _trees(used: str, images: Images) -> str:
    told = {name: f"{name} ({many(count, 'folder')})" for name, count in sorted(images.trees.items())}
    others = ", ".join(text for name, text in told.items() if name != used)
    return told[used] + (f"; not used: {others}" if others else "")


def _sample(
    layout: Layout, record: Record, images: Images, tree: str, switch: errata.Switch
) -> tuple[Sample | None, list[Problem]]:
    """The sample of a row, or none, and what is wrong with it."""
    name = f"{record.row.source} ({record.subject}/{record.clip})"
    leaves = [leaf for leaf in record.leaves if leaf.tree == tree]
    if not leaves:
        return None, [Problem(name, _no_folder(record.leaves, tree), left_out=True)]
    frames = images.frames(leaves[0].path)
    shifted = _renumber(record, frames)
    errata.correct(layout.name, record, frames, switch)
    fatal = _fatal(record, frames)
    if fatal:
        return None, [Problem(name, fatal, left_out=True)]
    code, notes = _units(record)
    emotion, more = _emotion(record)
    notes += shifted + more + _oddities(record, frames, leaves)
    problems = [Problem(name, note) for note in notes]
    return _build(layout, record, frames, code, emotion), problems


def _no_folder(leaves: object, tree: str) -> str:
    elsewhere = sorted({leaf.tree for leaf in leaves}) if isinstance(leaves, list) else []
    return f"no image folder in the tree '{tree}'" + (
        f", but in {', '.join(elsewhere)}" if elsewhere else ""
    )


def _renumber(record: Record, frames: Frames) -> list[str]:
    """Some copies count the frames of a cut-out clip anew, from 0 or 1: follow them where it is certain.

    It is where the folder holds exactly as many consecutive frames as the label spans, and the
    label's onset is not among them.
    """
    if record.onset is None or record.offset is None or not frames.numbers or record.onset in frames:
        return []
    first, last = frames.numbers[0], frames.numbers[-1]
    if first > 1 or not last - first == record.offset - record.onset == len(frames.numbers) - 1:
        return []
    shift = first - record.onset
    record.onset, record.offset = record.onset + shift, record.offset + shift
    record.apex = record.apex + shift if record.apex is not None else None
    return [f"its folder counts from {first}: all frames moved by {shift}"]


def _fatal(record: Record, frames: Frames) -> str:
    if record.onset is None:
        return "no onset"
    if record.offset is not None and record.offset <= record.onset:
        return f"offset {record.offset} is not after onset {record.onset}"
    if record.onset not in frames:
        return f"no image of the onset {record.onset} in {frames.path.name} ({_span(frames)})"
    return ""


def _span(frames: Frames) -> str:
    return f"{frames.numbers[0]} to {frames.numbers[-1]}" if frames.numbers else "no numbered image"


def _units(record: Record) -> tuple[AuCode, list[str]]:
    try:
        code = parse_aus(record.aus)
    except AuError as error:
        return AuCode(), [f"{error}; kept without units"]
    return code, list(code.notes)


def _emotion(record: Record) -> tuple[str, list[str]]:
    try:
        return emotion_name(record.emotion), []
    except ValueError as error:
        return "", [f"{error}; kept without emotion"]


def _oddities(record: Record, frames: Frames, leaves: list[Leaf]) -> list[str]:
    """What is wrong without making the row useless. An apex that cannot be used is taken away."""
    found = []
    if len(leaves) > 1:
        found.append(f"{len(leaves)} image folders fit; {leaves[0].path} is used, not {leaves[1].path}")
    why = _bad_apex(record, frames)
    if why:
        found.append(f"{why}; kept without apex")
        record.apex = None
    last = record.offset if record.offset is not None else record.onset
    gaps = frames.missing(record.onset or 0, last or 0)
    if gaps:
        found.append(f"{many(len(gaps), 'frame')} missing between onset and offset, the first is {gaps[0]}")
    return found


def _folders(samples: list[Sample], root: Path, there: int) -> list[Problem]:
    """What is odd about the folders themselves."""
    used = {sample.frames.path: sample.frames for sample in samples}
    found = [
        Problem(
            str(path.relative_to(root)),
            f"{many(len(frames.odd), 'image')} passed over, e.g. {frames.odd[0]}",
        )
        for path, frames in used.items()
        if frames.odd
    ]
    if there > len(used):
        found.append(
            Problem(str(root), f"{there - len(used)} of {many(there, 'image folder')} without a sample")
        )
    return found


def _bad_apex(record: Record, frames: Frames) -> str:
    if record.apex is None:
        return "no apex" if record.apex_coded else ""
    if not record.in_order:
        return f"apex {record.apex} is not between onset {record.onset} and offset {record.offset}"
    if record.apex not in frames:
        return f"no image of the apex {record.apex} in {frames.path.name} ({_span(frames)})"
    return "apex is the onset frame: nothing has moved" if record.apex == record.onset else ""


def _build(layout: Layout, record: Record, frames: Frames, code: AuCode, emotion: str) -> Sample:
    return Sample(
        dataset=layout.name,
        subject=record.subject,
        clip=record.clip,
        kind=record.kind,
        rate=record.rate or layout.rate,
        frames=frames,
        onset=record.onset or 0,
        apex=record.apex,
        offset=record.offset,
        aus=code,
        emotion=emotion,
        emotion_text=record.emotion,
        objective=_objective(record.objective),
        source=record.row.source,
        errata=record.errata,
    )


def _objective(text: str) -> int | None:
    return int(text) if text in tuple("1234567") else None
