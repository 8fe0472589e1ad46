"""Do slow work beside a live stream: one thread, results in order, nobody waits for them.

in    items, added as they come
out   results, in the order of the items, each as soon as it is there

The flow and the model of one event take as long as several frames of a 200 fps camera: done in place,
they would hold up the frames behind. Order and answers are those of doing it in place.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING = 64
"""Items that may wait; more are waited for, so that memory stays bounded."""
NICENESS = 5
"""A modest thread's, on Linux: where cores are scarce, frames come first."""


class Later(Generic[Item, Result]):
    """Work in a thread inside a with-block; what it raises is raised where the results are taken.

    modest  True: the thread yields to all others; for work that nobody waits for
    """

    def __init__(self, work: Callable[[Item], Result], *, modest: bool = False) -> None:
        self._work = work
        self._pending: deque[Future[Result]] = deque()
        begin = _step_back if modest else None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="later", initializer=begin)

    def add(self, items: Iterable[Item]) -> None:
        """Have these done after those added before."""
        self._pending.extend(self._pool.submit(self._work, item) for item in items)

    def ready(self) -> list[Result]:
        """Results that are there by now; waits only where more than `WAITING` are outstanding."""
        found = []
        while self._pending and (self._pending[0].done() or len(self._pending) > WAITING):
            found.append(self._pending.popleft().result())
        return found

    def rest(self) -> list[Result]:
        """All results that have not been taken yet."""
        return [self._pending.popleft().result() for _ in range(len(self._pending))]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Lower the thread's own priority; Linux counts niceness by thread."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
