"""Keep Python's own pauses out of a live stream.

Two of them are longer than a frame at 200 per second: the garbage collector walks all objects that the
libraries made (20 to 60 ms), and a thread that wants the interpreter waits 5 ms for one that is busy in it.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

SWITCH_S = 0.001
"""Seconds after which a busy thread lets another one in."""
_lock = threading.Lock()
_inside: list[float] = []
"""Of every stream inside: the switch interval that it found."""


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Inside the with-block what lives now is no longer looked at by the collector; the last stream that
    leaves undoes it.
    """
    with _lock:
        _inside.append(_inside[0] if _inside else sys.getswitchinterval())
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(min(SWITCH_S, _inside[0]))
    try:
        yield
    finally:
        with _lock:
            before = _inside.pop()
            if not _inside:
                sys.setswitchinterval(before)
                gc.unfreeze()
