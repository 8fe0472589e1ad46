"""The record that every data set is read into: one movement, where its frames are, what was coded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...engine.records import Rgb
from .aus import AuCode
from .frames import Frames

Kind = Literal["micro", "macro"]

NOT_CODED = AuCode()
"""No unit was coded: present and absent ones are not known."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One movement. Frame numbers are those of the labels and of the image names."""

    dataset: str
    """Name in the registry, e.g. 'casme2'."""
    subject: str
    """As the folders name it, e.g. 'sub01', '006', 'spNO.1'. Unique together with `dataset`."""
    clip: str
    """File name of the clip or video in the labels."""
    kind: Kind
    rate: float
    """Nominal frames per second of the recording."""
    frames: Frames
    onset: int
    apex: int | None
    """None: not coded (SMIC), or unreadable; see the problems of the load."""
    offset: int | None
    aus: AuCode = NOT_CODED
    emotion: str = ""
    """One of `emotions.NAMES`; '' where none was coded."""
    emotion_text: str = ""
    """As written in the label file."""
    objective: int | None = None
    """Objective class 1..7 (Davison et al. 2018)."""
    source: str = ""
    """Label file and row, e.g. 'CASME2-coding-20140508.xlsx row 12'."""
    errata: tuple[str, ...] = ()
    """Names of the corrections that were applied."""

    @property
    def key(self) -> str:
        """Unique name within the set: a clip may hold several movements."""
        return f"{self.subject}/{self.clip}/{self.onset}"

    def pair(self) -> tuple[Rgb, Rgb]:
        """Pictures (H, W, 3) RGB of onset and apex. ValueError where there is no apex."""
        if self.apex is None:
            raise ValueError(f"{self.key} has no apex")
        pictures = self.frames.read({self.onset, self.apex})
        return pictures[self.onset], pictures[self.apex]

    @property
    def duration(self) -> float:
        """Onset to offset in seconds at the nominal rate; nan without an offset."""
        return (self.offset - self.onset) / self.rate if self.offset is not None else float("nan")


@dataclass(frozen=True, slots=True)
class Problem:
    """A row or folder that is not as it should be."""

    where: str
    """Label file and row, or the folder."""
    what: str
    """What was found, and what was done about it."""
    left_out: bool = False
    """True: there is no sample for this row."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}{' (left out)' if self.left_out else ''}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A data set as found in one folder."""

    dataset: str
    root: Path
    version: str
    """Which label file and which of its known versions."""
    images: str
    """Which of the image trees is used, and which others are there."""
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()
    rows: int = 0
    """Rows of the label file that describe a movement, failed ones too."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """In order of first appearance."""
        return tuple(dict.fromkeys(sample.subject for sample in self.samples))


def by_subject(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Samples of each subject, for leave-one-subject-out."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.subject, []).append(sample)
    return groups
