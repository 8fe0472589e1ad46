"""The data doctor: what is in a folder, against what the papers say should be.

in    Loaded, Layout   a set as read
out   text             versions, counts, gaps, and every row that failed with its reason
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...engine.errors import MicroauError
from .aus import sides
from .guard import Fingerprint, copies, fingerprint
from .labels import many
from .layout import Layout
from .sample import Loaded, Problem, Sample


@dataclass(frozen=True, slots=True)
class Count:
    """One line of a table."""

    name: str
    found: int
    published: int | None
    """None where no figure is published."""

    def __str__(self) -> str:
        if self.published is None:
            return f"{self.name:<14}{self.found:>6}"
        gap = self.found - self.published
        return f"{self.name:<14}{self.found:>6}   published {self.published}{f' ({gap:+d})' if gap else ''}"


def examine(loaded: Loaded, layout: Layout) -> str:
    """The whole page."""
    samples = loaded.samples
    parts = [
        _head(loaded, layout),
        _table("Emotions", _emotions(samples, layout)),
        _table("Action units", _units(samples, layout)) + _sided(samples),
        _table("Objective classes", _objective(samples, layout)),
        _table("Samples per subject", _subjects(samples)),
        _frames(samples),
        _problems(loaded.problems),
    ]
    return "\n\n".join(part for part in parts if part)


def examine_pictures(samples: Iterable[Sample]) -> str:
    """Open the pictures of onset, apex and offset: which cannot be read, and which two people share."""
    prints: list[Fingerprint] = []
    problems: list[Problem] = []
    for sample in samples:
        try:
            prints.append(fingerprint(sample))
        except MicroauError as error:
            problems.append(Problem(sample.key, str(error)))
    problems += [Problem(one, f"shares a picture with {other}") for one, other in copies(prints)]
    opened = f"Pictures: those of {many(len(prints), 'sample')} can be read"
    return (
        _listed(f"{opened}, {len(problems)} to look at", problems) or f"{opened}; no two people share one."
    )


def _head(loaded: Loaded, layout: Layout) -> str:
    expected = layout.published
    counts = [Count("samples", len(loaded.samples), expected.samples or None)]
    counts.append(Count("subjects", len(loaded.subjects), expected.subjects or None))
    kinds = Counter(sample.kind for sample in loaded.samples)
    if expected.kinds or kinds["macro"]:
        counts += [Count(kind, kinds[kind], expected.kinds.get(kind)) for kind in ("macro", "micro")]
    applied = Counter(name for sample in loaded.samples for name in sample.errata)
    lines = [
        f"{layout.title} in {loaded.root}",
        f"  labels      {loaded.version}",
        f"  pictures    {loaded.images}",
        f"  rows        {loaded.rows}, of which {len(loaded.samples)} can be used",
        *(f"  {count}" for count in counts),
        f"  corrected   {', '.join(applied) or 'nothing'}",
    ]
    return "\n".join([*lines, *([f"  note        {expected.note}"] if expected.note else [])])


def _table(title: str, counts: Sequence[Count]) -> str:
    return "\n".join([title, *(f"  {count}" for count in counts)]) if counts else ""


def _against(found: Mapping[str, int], published: Mapping[str, int]) -> list[Count]:
    """The published names first, then those that only the folder has."""
    names = [*published, *sorted(found.keys() - published.keys())]
    return [Count(name, found.get(name, 0), published.get(name)) for name in names]


def _emotions(samples: Iterable[Sample], layout: Layout) -> list[Count]:
    found = Counter(sample.emotion or "not coded" for sample in samples)
    return _against(found, layout.published.emotions)


def _units(samples: Iterable[Sample], layout: Layout) -> list[Count]:
    found = Counter(number for sample in samples for number in sample.aus.numbers)
    published = layout.published.aus
    return [Count(f"AU{n}", found[n], published.get(n)) for n in sorted(found.keys() | published.keys())]


def _sided(samples: Sequence[Sample]) -> str:
    labels = [unit for sample in samples for unit in sample.aus.units]
    one_sided = sum(sides(sample.aus, n) != "" for sample in samples for n in sample.aus.numbers)
    doubtful = sum(unit.uncertain for unit in labels)
    either = sum(unit.choice > 0 for unit in labels)
    graded = sum(unit.intensity != "" for unit in labels)
    uncoded = sum(not sample.aus.coded for sample in samples)
    if not labels:
        return "Action units: none coded"
    kinds = f"{one_sided} one-sided, {graded} with intensity, {doubtful} uncertain, {either} alternatives"
    return f"\n  of {len(labels)} units: {kinds}; {many(uncoded, 'sample')} not coded"


def _objective(samples: Iterable[Sample], layout: Layout) -> list[Count]:
    found = Counter(sample.objective for sample in samples if sample.objective)
    if not found:
        return []  # in a file of their own, which many copies lack
    published = layout.published.objective
    return [Count(str(n), found[n], published.get(n)) for n in sorted(found.keys() | published.keys())]


def _subjects(samples: Iterable[Sample]) -> list[Count]:
    found = Counter(sample.subject for sample in samples)
    return [Count(subject, found[subject], None) for subject in sorted(found)]


def _frames(samples: Sequence[Sample]) -> str:
    lengths = sorted(s.offset - s.onset for s in samples if s.offset is not None)
    gaps = sum(
        bool(s.frames.missing(s.onset, s.offset if s.offset is not None else s.onset)) for s in samples
    )
    without = sum(sample.apex is None for sample in samples)
    lines = ["Frames", f"  {many(gaps, 'sample')} with missing frames, {without} without a usable apex"]
    if lengths:
        middle = lengths[len(lengths) // 2]
        lines.append(f"  onset to offset: {lengths[0]} to {lengths[-1]} frames, median {middle}")
    long = sum(s.kind == "micro" and s.duration > 0.5 for s in samples)
    lines.append(f"  {many(long, 'micro-expression')} longer than 0.5 s at the nominal rate")
    return "\n".join(lines)


def _problems(problems: Sequence[Problem]) -> str:
    lost = [p for p in problems if p.left_out]
    kept = [p for p in problems if not p.left_out]
    parts = [
        _listed(f"Left out: {many(len(lost), 'row')}", lost),
        _listed(f"To look at: {len(kept)}", kept),
    ]
    return "\n\n".join(part for part in parts if part) or "No row failed."


def _listed(title: str, problems: Sequence[Problem]) -> str:
    return "\n".join([title, *(f"  {p.where}: {p.what}" for p in problems)]) if problems else ""
