"""Batching gives every caller its own rows, in bounded time, whatever the others do."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microau.engine.batch_sizes import parts, sizes
from microau.engine.batching import Batcher, SharedEngine, run_together


def request(value: float, rows: int = 1) -> dict:
    flow = np.full((rows, 2), value, np.float32)
    return {"flow": flow, "landmarks": np.full((rows, 3), -value, np.float32)}


class Doubler:
    """An engine whose answer shows which row it came from, and which keeps the sizes of its batches."""

    def __init__(self, wait_s: float = 0.0):
        self.batches: list[int] = []
        self.wait_s = wait_s
        self.busy = 0

    def __call__(self, inputs):
        self.busy += 1
        assert self.busy == 1, "an engine is for one thread at a time"
        time.sleep(self.wait_s)
        self.batches.append(len(inputs["flow"]))
        self.busy -= 1
        return {"sum": 2 * inputs["flow"] - inputs["landmarks"][:, :2]}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_everybody_gets_their_own_rows(rows):
    requests = [request(i + 1, n) for i, n in enumerate(rows)]
    answers = run_together(Doubler(), requests)
    for number, (answer, n) in enumerate(zip(answers, rows, strict=True), start=1):
        np.testing.assert_array_equal(answer["sum"], np.full((n, 2), 3.0 * number))


def test_a_full_batch_runs_at_once():
    engine = Doubler()
    batcher = Batcher(engine, size=3, wait_s=10)
    assert batcher.push("a", request(1), 0.0) == []
    assert batcher.push("b", request(2), 0.0) == []
    done = batcher.push("c", request(3), 0.0)
    assert [key for key, _ in done] == ["a", "b", "c"]
    assert engine.batches == [3]


def test_the_oldest_waits_no_longer_than_allowed():
    batcher = Batcher(Doubler(), size=100, wait_s=0.02)
    batcher.push("a", request(1), 5.0)
    assert batcher.push("b", request(2), 5.015) == []
    assert batcher.deadline == pytest.approx(5.02)
    assert batcher.poll(5.019) == []
    assert [key for key, _ in batcher.poll(5.02)] == ["a", "b"]
    assert batcher.deadline is None
    assert batcher.poll(99.0) == []


def test_a_late_push_runs_what_is_overdue():
    batcher = Batcher(Doubler(), size=100, wait_s=0.02)
    batcher.push("a", request(1), 0.0)
    assert [key for key, _ in batcher.push("b", request(2), 1.0)] == ["a", "b"]


def test_flush_leaves_nothing_behind():
    engine = Doubler()
    batcher = Batcher(engine, size=100, wait_s=1)
    batcher.push("a", request(1, rows=2), 0.0)
    ((key, answer),) = batcher.flush()
    assert key == "a"
    assert answer["sum"].shape == (2, 2)
    assert batcher.flush() == []
    assert engine.batches == [2]


@pytest.mark.parametrize("make", [Batcher, SharedEngine])
def test_impossible_settings_are_refused(make):
    with pytest.raises(ValueError, match="size 0"):
        make(Doubler(), size=0, wait_s=1)
    with pytest.raises(ValueError, match="wait -1"):
        make(Doubler(), size=1, wait_s=-1)


def in_threads(count, work):
    """Results of work(0) .. work(count - 1), each in a thread of its own; an exception is a result too."""
    results = [None] * count

    def call(number):
        try:
            results[number] = work(number)
        except RuntimeError as error:
            results[number] = error

    threads = [threading.Thread(target=call, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    return results


def test_threads_share_batches_and_get_their_own_rows():
    engine = Doubler(wait_s=0.005)
    shared = SharedEngine(engine, size=8, wait_s=0.5)
    answers = in_threads(16, lambda n: shared(request(n + 1)))
    for number, answer in enumerate(answers, start=1):
        np.testing.assert_array_equal(answer["sum"], [[3.0 * number] * 2])
    assert sum(engine.batches) == 16
    assert max(engine.batches) > 1


def test_alone_the_wait_is_bounded():
    shared = SharedEngine(Doubler(), size=8, wait_s=0.05)
    start = time.monotonic()
    shared(request(1))
    waited = time.monotonic() - start
    assert 0.05 <= waited < 5


def test_a_full_batch_does_not_wait():
    shared = SharedEngine(Doubler(), size=2, wait_s=60)
    start = time.monotonic()
    in_threads(4, lambda n: shared(request(n)))
    assert time.monotonic() - start < 20


def test_an_error_reaches_everybody_in_its_batch_and_nobody_after():
    calls = []

    def engine(inputs):
        calls.append(len(inputs["flow"]))
        if len(calls) == 1:
            raise RuntimeError("the card fell off")
        return {"sum": inputs["flow"]}

    shared = SharedEngine(engine, size=3, wait_s=60)
    results = in_threads(3, lambda n: shared(request(n)))
    assert [str(error) for error in results] == ["the card fell off"] * 3
    assert in_threads(3, lambda n: shared(request(n)))[0]["sum"].shape == (1, 2)


def test_no_thread_is_left():
    before = threading.active_count()
    shared = SharedEngine(Doubler(), size=4, wait_s=0.01)
    in_threads(8, lambda n: shared(request(n)))
    assert threading.active_count() == before


@given(st.integers(1, 9), st.integers(0, 300))
def test_recorded_sizes_begin_and_end_right_and_never_more_than_double(smallest, more):
    known = sizes(smallest, smallest + more)
    assert known[0] == smallest
    assert known[-1] == smallest + more
    assert list(known) == sorted(set(known))
    assert all(b <= 2 * a for a, b in pairwise(known))


@given(st.integers(1, 400), st.integers(1, 64))
def test_parts_cover_every_row_once_and_fit(rows, largest):
    known = sizes(1, largest)
    covered = []
    for start, stop, size in parts(rows, known):
        assert stop - start <= size
        assert size in known
        covered += range(start, stop)
    assert covered == list(range(rows))
