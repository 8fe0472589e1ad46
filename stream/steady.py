"""Keep Python's own pauses out of a live stream.

Two of them are longer than a frame at 200 per second: the garbage collector walks all objects that the
libraries made (20 to 60 ms), and a thread that wants the interpreter waits 5 ms for one that is busy in it.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

SWITCH_S = 0.001
"""Seconds after which a busy thread lets another one in."""


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Inside the with-block what lives now is no longer looked at by the collector; undone on leaving."""
    before = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(min(SWITCH_S, before))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()
