"""Who is trained on, who chooses, who judges: by person, never by sample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ..engine.errors import MicroauError


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

    Of every source (what stands before the slash) the same shares are taken. Faces made of others
    ('sparse/a' and 'smile/a' of 'photo/a', 'mixed/a+b' of 'photo/a' and 'face3d/b') go where these are.

    >>> split(["photo/a", "photo/b", "photo/c", "photo/d", "photo/e", "sparse/d"])
    Split(train=('photo/a', 'photo/b', 'photo/e'), validation=('photo/d', 'sparse/d'), test=('photo/c',))

    Raises MicroauError where the faces behind one name stand on two sides.
    """
    names = list(names)
    sources: dict[str, set[str]] = {}
    for name in names:
        for origin in origins(name):
            sources.setdefault(origin.rpartition("/")[0], set()).add(origin)
    side = {name: part for group in sources.values() for name, part in _sides(group, validation, test)}
    lists: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name in names:
        lists[_side(name, side)].append(name)
    train, chooses, judges = (tuple(sorted(part)) for part in lists)
    return Split(train, chooses, judges)


def origins(name: str) -> tuple[str, ...]:
    """The persons whose faces and shapes are in it.

    >>> origins("photo/a"), origins("sparse/a"), origins("mixed/a+b")
    (('photo/a',), ('photo/a',), ('photo/a', 'face3d/b'))
    """
    way, _, who = name.rpartition("/")
    if way in ("sparse", "smile"):
        return (f"photo/{who}",)
    if way == "mixed":
        photo, _, model = who.partition("+")
        return f"photo/{photo}", f"face3d/{model}"
    return (name,)


def _sides(group: set[str], validation: float, test: float) -> Iterable[tuple[str, int]]:
    """Each name of one source with its side: 0 train, 1 validation, 2 test."""
    order = sorted(group, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    first = round(validation * len(order))
    second = first + round(test * len(order))
    for place, name in enumerate(order):
        yield name, 1 if place < first else 2 if place < second else 0


def _side(name: str, side: dict[str, int]) -> int:
    found = {side[origin] for origin in origins(name)}
    if len(found) != 1:
        raise MicroauError(f"{name}: made of persons on different sides of the split. Leave it out.")
    return found.pop()
