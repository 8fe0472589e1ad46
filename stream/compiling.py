"""Say once why the first run on a machine begins late: Numba compiles, and keeps what it compiled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

from numba.core import event

SENTENCE = "compiling for this processor; it is kept, so this happens once and takes up to half a minute"


class CompilationNotice(event.Listener):  # type: ignore[misc]
    """Inside the with-block the first compilation is announced; what the cache holds is not compiled.

    say   called with the sentence; may be replaced on the way
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._said = False
        self._installed = contextlib.ExitStack()

    def on_start(self, event: event.Event) -> None:
        if not self._said:
            self._said = True
            self.say(SENTENCE)

    def on_end(self, event: event.Event) -> None:
        return

    def __enter__(self) -> Self:
        self._installed.enter_context(event.install_listener("numba:compile", self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._installed.close()
