"""The leak guard: no person and no picture may stand on both sides of a split.

Scores rise a long way when they do (Varanka et al., arXiv 2211.11425, found models near chance once
the leaks were closed). Pictures are compared by the hash of their pixels, so a copy under another
name, number or subject is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...engine.errors import MicroauError
from ...engine.records import Rgb
from .registry import person
from .sample import Sample


class LeakError(MicroauError):
    """A split that would let a model see its test data."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What must not be shared."""

    key: str
    """The sample, for the message."""
    person: str
    pictures: frozenset[str]
    """SHA-256 of the pixels of its frames."""


def fingerprint(sample: Sample) -> Fingerprint:
    """Person, and hashes of onset, apex and offset."""
    moments = (sample.onset, sample.apex, sample.offset)
    numbers = {n for n in moments if n is not None and n in sample.frames}
    pictures = sample.frames.read(numbers).values()
    hashes = frozenset(map(picture_hash, pictures))
    return Fingerprint(sample.key, person(sample.dataset, sample.subject), hashes)


def picture_hash(picture: Rgb) -> str:
    """SHA-256 of a picture's pixels and shape."""
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()


def check_split(train: Iterable[Fingerprint], test: Iterable[Fingerprint]) -> None:
    """Raise LeakError where a person or a picture stands on both sides; names the first such pair."""
    people: dict[str, str] = {}
    pictures: dict[str, str] = {}
    for one in train:
        people.setdefault(one.person, one.key)
        pictures.update(dict.fromkeys(one.pictures, one.key))
    for one in test:
        if one.person in people:
            raise LeakError(
                f"leak: {one.person} is in training ({people[one.person]}) and test ({one.key})"
            )
        _check_pictures(one, pictures)


def _check_pictures(one: Fingerprint, pictures: Mapping[str, str]) -> None:
    shared = sorted(one.pictures & pictures.keys())
    if shared:
        raise LeakError(
            f"leak: a frame of {one.key} (test) is also one of {pictures[shared[0]]} (training)"
        )


def copies(prints: Iterable[Fingerprint]) -> list[tuple[str, str]]:
    """Pairs of samples of different people that share a picture: a mistake in the data itself."""
    seen: dict[str, Fingerprint] = {}
    found = []
    for one in prints:
        for picture in sorted(one.pictures):
            other = seen.setdefault(picture, one)
            if other.person != one.person:
                found.append((other.key, one.key))
                break
    return found
