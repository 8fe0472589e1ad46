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

    >>> split(["a", "b", "c", "d", "e"])
    Split(train=('a', 'b', 'e'), validation=('d',), test=('c',))
    """
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    n_validation, n_test = round(validation * len(order)), round(test * len(order))
    rest = order[n_validation + n_test :]
    return Split(
        train=tuple(sorted(rest)),
        validation=tuple(sorted(order[:n_validation])),
        test=tuple(sorted(order[n_validation : n_validation + n_test])),
    )
