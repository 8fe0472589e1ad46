"""Say once why the first run on a machine begins late: Numba compiles, and keeps what it compiled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from numba.core import event

SENTENCE = "compiling for this processor; it is kept, so this happens once and takes about half a minute"


class _First(event.Listener):  # type: ignore[misc]
    """Says the sentence when the first function begins to be compiled."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._said = say, False

    def on_start(self, event: event.Event) -> None:
        if not self._said:
            self._said = True
            self._say(SENTENCE)

    def on_end(self, event: event.Event) -> None:
        return


@contextlib.contextmanager
def announced(say: Callable[[str], None]) -> Iterator[None]:
    """Inside, the first compilation is announced; what is loaded from the cache is not."""
    with event.install_listener("numba:compile", _First(say)):
        yield
