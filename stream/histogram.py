"""Median and tail of many durations in constant memory, however long the run."""

from __future__ import annotations

import math

STEP = math.log(1.05)
"""Bins grow by 5 %: a quantile is known to within that."""


class Histogram:
    """Counts of durations in milliseconds, in bins of equal ratio.

    >>> h = Histogram()
    >>> for ms in range(1, 101): h.add(ms)
    >>> h.quantile(0.5) / 50 - 1 < 0.05
    True
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.total = 0

    def add(self, ms: float) -> None:
        """Count one duration; less than a microsecond counts as that."""
        bin = math.ceil(math.log(max(ms, 1e-3)) / STEP)
        self._counts[bin] = self._counts.get(bin, 0) + 1
        self.total += 1

    def copy(self) -> Histogram:
        """The counts as they are now."""
        other = Histogram()
        other._counts, other.total = dict(self._counts), self.total
        return other

    def since(self, earlier: Histogram) -> Histogram:
        """What was added after a copy was taken."""
        other = Histogram()
        gained = {bin: count - earlier._counts.get(bin, 0) for bin, count in self._counts.items()}
        other._counts, other.total = gained, self.total - earlier.total
        return other

    def quantile(self, share: float) -> float:
        """Milliseconds under which this share of the durations lies; 0 where none was counted."""
        wanted, seen = share * self.total, 0
        for bin in sorted(self._counts):
            seen += self._counts[bin]
            if seen >= wanted:
                return math.exp(bin * STEP)
        return 0.0
