"""Who is trained on, who chooses, who judges: by person, never by sample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """Names of persons; nobody stands in two lists."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    """Choose temperatures, thresholds and settings."""
    test: tuple[str, ...]
    """Are looked at once, for the model card."""


def split(names: Iterable[str], validation: float = 0.2, test: float = 0.2) -> Split:
    """The same split for the same names, in whatever order they come: by the hash of each name.

    Of every source (what stands before the slash) the same shares are taken.

    >>> split(["photo/a", "photo/b", "photo/c", "photo/d", "photo/e"])
    Split(train=('photo/a', 'photo/b', 'photo/e'), validation=('photo/d',), test=('photo/c',))
    """
    sources: dict[str, list[str]] = {}
    for name in names:
        sources.setdefault(name.rpartition("/")[0], []).append(name)
    lists: tuple[list[str], list[str], list[str]] = ([], [], [])
    for members in sources.values():
        order = sorted(members, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        first = round(validation * len(order))
        second = first + round(test * len(order))
        for part, chosen in zip(lists, (order[second:], order[:first], order[first:second]), strict=True):
            part.extend(chosen)
    train, chooses, judges = (tuple(sorted(part)) for part in lists)
    return Split(train, chooses, judges)
