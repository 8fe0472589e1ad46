"""One engine for many faces, windows and streams: requests are put together into batches, none waits long.

Batcher       for one thread: collects requests and runs them when enough have come or the oldest has
              waited long enough. It has no clock: the caller says what time it is.
SharedEngine  for many threads: each calls it as it would call an engine. Whoever comes first waits a
              little for the others and runs the batch for all; no thread of its own is started.

On a GPU a batch of eight costs little more than a batch of one, so a few milliseconds of waiting buy
the room for eight streams. On a CPU nothing is won: use the engine as it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from .inference import Array

Arrays = Mapping[str, Array]
Run = Callable[[Arrays], dict[str, Array]]
"""An engine, or anything that is called like one."""
Key = TypeVar("Key", bound=Hashable)


def run_together(run: Run, requests: Sequence[Arrays]) -> list[dict[str, Array]]:
    """Run several requests as one batch; each gets the rows that are its own.

    requests  at least one; each input name -> (n, ...), n of its own
    """
    joined = {name: np.concatenate([request[name] for request in requests]) for name in requests[0]}
    counts = [len(next(iter(request.values()))) for request in requests]
    ends = np.cumsum(counts)
    outputs = run(joined)
    return [
        {name: array[end - count : end] for name, array in outputs.items()}
        for end, count in zip(ends, counts, strict=True)
    ]


class Batcher(Generic[Key]):
    """Collects requests under keys of the caller's own, such as (stream, face, window).

    size    rows from which a batch is run at once
    wait_s  seconds that the oldest request waits at most, as long as `poll` is called
    """

    def __init__(self, run: Run, size: int, wait_s: float):
        if size < 1 or wait_s < 0:
            raise ValueError(f"size {size} and wait {wait_s} s: at least 1, and not negative")
        self._run, self.size, self.wait_s = run, size, wait_s
        self._waiting: list[tuple[Key, Arrays]] = []
        self._rows = 0
        self.deadline: float | None = None
        """When `poll` is due at the latest, on the caller's clock; None: nothing waits."""

    def push(self, key: Key, inputs: Arrays, now: float) -> list[tuple[Key, dict[str, Array]]]:
        """Add a request; what is finished now, in the order in which it came."""
        self._waiting.append((key, inputs))
        self._rows += len(next(iter(inputs.values())))
        if self.deadline is None:
            self.deadline = now + self.wait_s
        return self.flush() if self._rows >= self.size else self.poll(now)

    def poll(self, now: float) -> list[tuple[Key, dict[str, Array]]]:
        """What is finished because it has waited long enough."""
        return self.flush() if self.deadline is not None and now >= self.deadline else []

    def flush(self) -> list[tuple[Key, dict[str, Array]]]:
        """Run what waits, however little it is."""
        waiting, self._waiting = self._waiting, []
        self._rows, self.deadline = 0, None
        if not waiting:
            return []
        outputs = run_together(self._run, [inputs for _, inputs in waiting])
        return [(key, output) for (key, _), output in zip(waiting, outputs, strict=True)]


@dataclass(eq=False)
class _Batch:
    """Requests of several threads that will be run together."""

    requests: list[Arrays] = field(default_factory=list)
    rows: int = 0
    closed: bool = False
    """No more requests: it runs now."""
    done: threading.Event = field(default_factory=threading.Event)
    outputs: list[dict[str, Array]] = field(default_factory=list)
    error: BaseException | None = None


class SharedEngine:
    """Called from many threads like the engine itself; each gets its own rows, or the error of its batch.

    size    rows from which nobody waits longer
    wait_s  seconds that the first of a batch waits for others
    """

    def __init__(self, run: Run, size: int, wait_s: float):
        if size < 1 or wait_s < 0:
            raise ValueError(f"size {size} and wait {wait_s} s: at least 1, and not negative")
        self._run, self.size, self.wait_s = run, size, wait_s
        self._changed = threading.Condition()
        self._open: _Batch | None = None
        self._engine = threading.Lock()  # engines are for one thread at a time

    def __call__(self, inputs: Arrays) -> dict[str, Array]:
        batch, place = self._join(inputs)
        if place == 0:
            self._lead(batch)
        batch.done.wait()
        if batch.error is not None:
            raise batch.error
        return batch.outputs[place]

    def _join(self, inputs: Arrays) -> tuple[_Batch, int]:
        """The batch that is being collected, and this request's place in it; place 0 leads."""
        with self._changed:
            if self._open is None or self._open.closed:
                self._open = _Batch()
            batch = self._open
            batch.requests.append(inputs)
            batch.rows += len(next(iter(inputs.values())))
            batch.closed = batch.rows >= self.size
            self._changed.notify_all()
            return batch, len(batch.requests) - 1

    def _lead(self, batch: _Batch) -> None:
        """Wait for others, then run for all. While another batch runs, this one goes on collecting."""
        try:
            self._collect(batch)
            with self._engine:
                self._close(batch)
                batch.outputs = run_together(self._run, batch.requests)
        except BaseException as error:  # also an interrupt: the others must not wait for ever
            batch.error = error
        finally:
            self._close(batch)
            batch.done.set()

    def _close(self, batch: _Batch) -> None:
        with self._changed:
            batch.closed = True

    def _collect(self, batch: _Batch) -> None:
        end = time.monotonic() + self.wait_s
        with self._changed:
            self._changed.wait_for(lambda: batch.closed, timeout=end - time.monotonic())
