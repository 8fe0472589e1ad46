"""Which batch sizes a recorded graph exists for: a batch is filled up to the next one, a larger one cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def sizes(smallest: int, largest: int) -> tuple[int, ...]:
    """The smallest, then doubling, the largest last: at most half of a run is filling.

    >>> sizes(1, 24)
    (1, 2, 4, 8, 16, 24)
    """
    found = [smallest]
    while found[-1] * 2 < largest:
        found.append(found[-1] * 2)
    return tuple(found if found[-1] == largest else [*found, largest])


def parts(rows: int, known: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """First row, row after the last, and the known size to run them in, of each part of a batch.

    >>> list(parts(70, (1, 2, 4, 8, 64)))
    [(0, 64, 64), (64, 70, 8)]
    """
    for start in range(0, rows, known[-1]):
        stop = min(start + known[-1], rows)
        yield start, stop, next(size for size in known if size >= stop - start)
