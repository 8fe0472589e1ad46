"""What a picture leaves to be seen, from the noise floor that the spotter measures in it."""

from __future__ import annotations

from .histogram import Histogram

HALF_FOUND = 9.0
"""Times the noise floor that a movement must reach for half of such movements to be found; two and a half
times that for nine of ten (`benchmarks/sensitivity.py`, docs/spotting.md)."""
SEEN_WELL = 1.5
"""Percent of OED; where fewer than half of such movements are found, it is said."""


def half_found(noise: Histogram) -> float:
    """Size in percent of OED from which half of the movements are found; 0 where no noise is known yet.

    noise  floors in percent of OED, one a frame
    """
    return HALF_FOUND * noise.quantile(0.5)


def hidden(noise: Histogram) -> str | None:
    """The sentence for a user whose picture hides small movements; None where it does not."""
    size = half_found(noise)
    if size < SEEN_WELL:
        return None
    return (
        f"noise, compression or a small face hide small movements here: half are found from {size:.1f} %"
        " of the distance between the outer eye corners on (micro-expressions reach 0.8 to 4 %); record"
        " with less compression, more light or a larger face"
    )
