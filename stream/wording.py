"""Small pieces of wording that several messages share: numbers of things, times, near misses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence that names the known word nearest to a mistyped one, or all of them.

    >>> nearest("max_face", ["fps", "max_faces"])
    'Did you mean max_faces?'
    >>> nearest("zzz", ["fps", "max_faces"])
    'Known: fps, max_faces.'
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "event"), count(2, "event")
    ('1 event', '2 events')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clock(seconds: float, decimals: int = 0) -> str:
    """Seconds as m:ss or h:mm:ss.

    >>> clock(3.5, 3), clock(59.9996, 3), clock(3723)
    ('0:03.500', '1:00.000', '1:02:03')
    """
    units = round(abs(seconds) * 10**decimals)
    whole, part = divmod(units, 10**decimals)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    head = f"{hours}:{minute:02d}" if hours else f"{minute}"
    tail = f".{part:0{decimals}d}" if decimals else ""
    return f"{'-' if seconds < 0 else ''}{head}:{second:02d}{tail}"


def seconds(text: str) -> float:
    """A time as a person writes it, in seconds: `90`, `1:30`, `0:01:30.5`.

    Raises ValueError.

    >>> seconds("90"), seconds("1:30"), seconds("1:02:03.5")
    (90.0, 90.0, 3723.5)
    """
    parts = text.split(":")
    if len(parts) > 3 or not all(part.replace(".", "", 1).isdecimal() for part in parts):
        raise ValueError(f"{text!r} is no time: write seconds (90.5) or h:mm:ss (0:01:30.5)")
    if any("." in part for part in parts[:-1]) or any(float(part) >= 60 for part in parts[1:]):
        raise ValueError(f"{text!r} is no time: minutes and seconds run from 0 to 59")
    return sum(float(part) * 60.0**power for power, part in enumerate(reversed(parts)))
