"""Known mistakes of the published label files: documented, and each with a switch.

A correction of frame numbers is applied only where its row is broken (a number missing, out of order
or without an image) and is whole with it: a later release that has mended the mistake, and a row of
another version of the file, are left alone. What was applied stands in `Sample.errata`.

Rows count from 0 under the header, as in the sources:
[meb]   tvaranka/meb, meb/datasets/datasets.py at commit 56a6f58 (Varanka et al., arXiv 2211.11425)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ...engine.errors import MicroauError
from .frames import Frames
from .record import Record


@dataclass(frozen=True, slots=True)
class Erratum:
    """The correction of one row."""

    name: str
    dataset: str
    row: int
    frames: Mapping[str, int]
    """'onset', 'apex', 'offset' -> the corrected number."""
    reason: str
    aus: str = ""
    """Corrected units; '' as they are."""
    rows: int = 0
    """Length of the file that the row number belongs to; 0: any."""
    on: bool = True
    """Applied by default."""

    def fits(self, record: Record) -> bool:
        """Is this the row that is meant?"""
        return record.row.index == self.row and self.rows in (0, record.rows)


def _frames(
    dataset: str, reason: str, field: str, numbers: Mapping[int, int], rows: int = 0
) -> list[Erratum]:
    version = f"-of-{rows}" if rows else ""
    return [
        Erratum(f"{dataset}-{field}-{row}{version}", dataset, row, {field: number}, reason, rows=rows)
        for row, number in numbers.items()
    ]


_APEX = "apex not coded ('/'); estimated from optical flow [meb]"

CASME2 = [
    Erratum("casme2-offset-60", "casme2", 60, {"apex": 78, "offset": 91},
            "sub04/EP12_01f: offset 0, apex not coded [meb]"),
    *_frames("casme2", _APEX, "apex", {
        29: 279, 35: 68, 43: 77, 45: 81, 51: 166, 53: 100, 117: 187, 118: 89, 126: 80, 136: 88,
        147: 134, 155: 231, 168: 53, 170: 329, 177: 111, 202: 91, 203: 103}),
    # Row 222 is in the updated file alone, so the rows behind it have other numbers elsewhere.
    *_frames("casme2", _APEX, "apex", {234: 98, 237: 153, 238: 98}, rows=256),
    *_frames("casme2", _APEX, "apex", {233: 98, 236: 153, 237: 98}, rows=255),
]  # fmt: skip

SAMM = [
    *_frames("samm", "wrong offset [meb]", "offset", {56: 5739}),
    *_frames("samm", "apex not coded; estimated from optical flow [meb]", "apex",
             {125: 1105, 132: 4945, 133: 5130}),
    *(Erratum(f"samm-aus-{row}", "samm", row, {}, "'A or B' decided from optical flow [meb]", aus, on=False)
      for row, aus in {15: "R12+R15", 18: "R12+R15", 41: "L14", 64: "R14", 154: "R14A"}.items()),
]  # fmt: skip

CASME = [
    Erratum(f"casme-frames-{row}", "casme", row, {"onset": onset, "apex": apex, "offset": offset},
            "numbers outside the image folder; apex set to the middle [meb]")
    for row, onset, apex, offset in ((40, 100, 120, 149), (42, 101, 110, 119), (43, 57, 65, 74))
] + _frames("casme", "offset outside the image folder [meb]", "offset", {54: 40, 140: 142})  # fmt: skip

MMEW = [
    Erratum(f"mmew-frames-{row}", "mmew", row, {"apex": apex, "offset": offset},
            "apex and offset outside the image folder [meb]")
    for row, apex, offset in (
        (33, 40, 75), (35, 15, 54), (36, 46, 59), (37, 20, 98), (38, 25, 80), (39, 20, 93), (40, 23, 58),
        (41, 28, 61), (42, 32, 68), (142, 56, 88), (143, 32, 80), (145, 27, 85), (146, 22, 61),
        (148, 29, 108), (154, 31, 72), (156, 38, 106))
]  # fmt: skip

CASME3 = [
    *_frames("casme3", "wrong apex [meb]", "apex", {128: 160}, rows=860),
    *_frames("casme3", "wrong onset [meb]", "onset", {749: 2647}, rows=860),
    *_frames("casme3", "wrong offset [meb]", "offset", {708: 34, 796: 1845, 798: 2403}, rows=860),
    Erratum(
        "casme3-onset-750", "casme3", 750, {"onset": 1, "apex": 1}, "wrong onset and apex [meb]", rows=860
    ),
]

ERRATA: tuple[Erratum, ...] = (*CASME2, *SAMM, *CASME, *MMEW, *CASME3)

SWAPS = {"fourdme-swap-144-145": ("fourdme", 144, 145, 267)}
"""Name -> data set, two rows whose units and emotions belong to one another, rows of the file [meb]."""

Switch = Collection[str] | None
"""Which corrections: None the default ones, otherwise names of `ERRATA`; () none at all."""


def names() -> list[str]:
    """Every correction that can be switched."""
    return [*(erratum.name for erratum in ERRATA), *SWAPS]


def is_on(name: str, switch: Switch, default: bool = True) -> bool:
    """Is a correction to be applied?"""
    return default if switch is None else name in switch


def check_switch(switch: Switch) -> None:
    """Refuse a name that is not in the table."""
    unknown = sorted(set(switch or ()) - set(names()))
    if unknown:
        raise MicroauError(f"{unknown[0]}: no such erratum; `microau-data errata` lists them")


def correct(dataset: str, record: Record, frames: Frames, switch: Switch = None) -> None:
    """Apply to a record, in place, the corrections that fit it; their names go into its `errata`."""
    of_set = (erratum for erratum in ERRATA if erratum.dataset == dataset)
    fitting = [e for e in of_set if e.fits(record) and is_on(e.name, switch, e.on)]
    record.errata += tuple(erratum.name for erratum in fitting if _apply(erratum, record, frames))


def swap(dataset: str, records: Iterable[Record], switch: Switch = None) -> None:
    """Exchange, in place, what was coded in rows that were mixed up."""
    rows = {record.row.index: record for record in records}
    for name, (of, first, second, length) in SWAPS.items():
        there = of == dataset and first in rows and second in rows and rows[first].rows == length
        if there and is_on(name, switch):
            a, b = rows[first], rows[second]
            a.aus, b.aus, a.emotion, b.emotion = b.aus, a.aus, b.emotion, a.emotion
            a.errata, b.errata = (*a.errata, name), (*b.errata, name)


def _apply(erratum: Erratum, record: Record, frames: Frames) -> bool:
    if erratum.aus:
        record.aus = erratum.aus
        return True
    change = erratum.frames
    corrected = replace(
        record,
        onset=change.get("onset", record.onset),
        apex=change.get("apex", record.apex),
        offset=change.get("offset", record.offset),
    )
    if record.whole(frames) or not corrected.whole(frames):
        return False
    record.onset, record.apex, record.offset = corrected.onset, corrected.apex, corrected.offset
    return True
