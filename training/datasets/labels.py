"""Find the label file of a set among its known versions, and read its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...engine.errors import MicroauError
from .record import Record
from .sample import Kind, Problem
from .tables import Columns, Row, Sheet, find_files, read_sheets, rows_under_header

SUBJECT = ("subject", "sub", "subid")
CLIP = ("filename", "foldname", "clip", "seq")
ONSET = ("onsetframe", "onsetf", "onset")
APEX = ("apexframe", "apexf1", "apexf", "apex")
OFFSET = ("offsetframe", "offsetf", "offset")
AUS = ("actionunits", "aus", "au")
EMOTION = ("estimatedemotion", "emotion")
OBJECTIVE = ("objectiveclass", "objectiveclasses")

MOVEMENT: Columns = {"subject": SUBJECT, "clip": CLIP, "onset": ONSET, "offset": OFFSET}
"""What every label file with a header names."""
CODING: Columns = {"apex": APEX, "aus": AUS, "emotion": EMOTION, "objective": OBJECTIVE}
"""What it may name besides."""


@dataclass(slots=True)
class Labels:
    """What the label files of a set say."""

    version: str
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """Rows that are no movement at all."""

    def add(self, row: Row, make: Callable[[Row], Record]) -> None:
        """Make the record of a row; a ValueError is what is wrong with the row."""
        try:
            self.records.append(make(row))
        except ValueError as error:
            self.problems.append(Problem(row.source, str(error), left_out=True))


def label_files(root: Path, pattern: str, prefer: Sequence[str], example: str) -> list[Path]:
    """Label files by name, the preferred version first.

    pattern  regular expression for the names
    prefer   expressions of the versions, the best first; others follow by name
    example  a name to show where none is found
    """
    found = find_files(root, pattern)
    if not found:
        raise MicroauError(f"{root}: no label file like {example} in it, nor up to three folders below")

    def rank(path: Path) -> int:
        ranks = (k for k, version in enumerate(prefer) if re.search(version, path.name, re.IGNORECASE))
        return next(ranks, len(prefer))

    return sorted(found, key=rank)


def read_table(
    files: Sequence[Path], wanted: Columns = MOVEMENT, optional: Columns = CODING
) -> tuple[Sheet, list[Row]]:
    """The first sheet of the first file that has the wanted columns."""
    for path in files:
        for sheet in read_sheets(path):
            rows = rows_under_header(sheet, wanted, optional)
            if rows is not None:
                return sheet, rows
    columns = ", ".join(names[0] for names in wanted.values())
    raise MicroauError(f"{files[0]}: no sheet with the columns {columns}")


def read_labels(
    files: Sequence[Path],
    make: Callable[[Row, int], Record],
    wanted: Columns = MOVEMENT,
    optional: Columns = CODING,
) -> Labels:
    """Every row of the best of some label files.

    make  row and number of rows -> record; its ValueError says what is wrong with the row
    """
    sheet, rows = read_table(files, wanted, optional)
    labels = Labels(describe(sheet.path, len(rows), files))
    for row in rows:
        labels.add(row, lambda one: make(one, len(rows)))
    return labels


def many(count: int, noun: str) -> str:
    """A number with its noun.

    >>> many(1, "row"), many(3, "frame")
    ('1 row', '3 frames')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def describe(used: Path, rows: int, files: Sequence[Path]) -> str:
    """Which version is used, and which others are there."""
    others = [path.name for path in files if path != used]
    also = f"; not used: {', '.join(others)}" if others else ""
    return f"{used.name}, {many(rows, 'row')}{also}"


def movement(row: Row, rows: int, subject: str, clip: str) -> Record:
    """A record with the usual columns. ValueError where onset or offset is no number.

    An apex that is no number counts as not given.
    """
    return Record(
        row=row,
        rows=rows,
        subject=subject,
        clip=clip,
        onset=row.number("onset"),
        apex=_number_or_none(row, "apex"),
        offset=row.number("offset"),
        aus=row["aus"],
        emotion=row.text("emotion"),
        objective=row.text("objective"),
    )


def _number_or_none(row: Row, name: str) -> int | None:
    try:
        return row.number(name)
    except ValueError:
        return None


def kind_of(row: Row) -> Kind:
    """Macro or micro, from 'macro-expression', 'Micro - 1/2' and the like. ValueError for another word."""
    written = row.text("kind").lower()
    if not written.startswith(("macro", "micro")):
        raise ValueError(f"type {written!r} is neither macro nor micro")
    return "macro" if written.startswith("macro") else "micro"


def padded(subject: str, digits: int, prefix: str = "") -> str:
    """A subject as the folders name it: 1, '1', '01' and 'sub01' are all 'sub01'.

    >>> padded("1", 2, "sub"), padded("sub12", 2, "sub"), padded("6", 3)
    ('sub01', 'sub12', '006')
    """
    number = re.fullmatch(rf"(?:{prefix}|s)?0*(\d+)", subject.strip(), re.IGNORECASE)
    if number is None:
        raise ValueError(f"subject {subject!r} is no number")
    return f"{prefix}{int(number[1]):0{digits}d}"


def spellings(subject: str) -> set[str]:
    """Folder names that one subject may have, lower-case: 'sub01' is also '01', '1', 's01' and 's1'.

    >>> sorted(spellings("sub01"))
    ['01', '1', 's01', 's1', 'sub01', 'sub1']
    """
    digits = re.sub(r"\D", "", subject)
    numbers = {digits, str(int(digits))} if digits else {subject.lower()}
    return {subject.lower(), *(f"{prefix}{n}" for prefix in ("", "s", "sub") for n in numbers)}
