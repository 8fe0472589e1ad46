"""Do one stage of the work in a thread of its own, a few items ahead of the reader.

in    items, and what to do with each
out   (item, result), in order

Order and answers are those of doing it in place; only the waiting is shared. What the thread raises is
raised where the results are read, and leaving early leaves no thread.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TICK_S = 0.1
"""Seconds between looks at whether to stop; also lets a signal through."""


class Ahead(Generic[Item, Result]):
    """An iterator of (item, work(item)) inside a with-block."""

    def __init__(self, items: Iterable[Item], work: Callable[[Item], Result], depth: int = 8) -> None:
        self._items, self._work = items, work
        self._results: queue.Queue[tuple[Item, Result] | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()

    def __iter__(self) -> Iterator[tuple[Item, Result]]:
        while (pair := self._next()) is not None:
            yield pair
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _next(self) -> tuple[Item, Result] | None:
        while True:
            try:
                return self._results.get(timeout=TICK_S)
            except queue.Empty:
                continue  # the thread always ends with None

    def _run(self) -> None:
        try:
            for item in self._items:
                if self._leaving.is_set():
                    break
                self._put((item, self._work(item)))
        except BaseException as error:  # handed to the reader, whatever it is
            self._error = error
        finally:
            self._put(None)

    def _put(self, pair: tuple[Item, Result] | None) -> None:
        while not self._leaving.is_set():
            try:
                self._results.put(pair, timeout=TICK_S)
            except queue.Full:
                continue
            return
