"""Ctrl-C, `kill` and a closed terminal as a wish to finish: the files are completed, then we go.

While the models load, a signal ends the process at once; during the run it asks for the end; a second
one ends the process where it stands.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupt:
    """Inside the with-block signals come here."""

    def __init__(self) -> None:
        self.happened = False
        self.stop: Callable[[], None] | None = None
        """What asks the run to end; None: there is none yet, a signal raises KeyboardInterrupt."""
        self._before: dict[int, Any] = {}

    def _come(self, number: int, frame: FrameType | None) -> None:
        again, self.happened = self.happened, True
        if again or self.stop is None:
            raise KeyboardInterrupt
        self.stop()

    def __enter__(self) -> Self:
        for name in NAMES:
            number = getattr(signal, name, None)  # no SIGHUP on Windows
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
