"""One model for several faces and streams: batches are made, and nobody's answer changes by them."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from commands import SAMPLE
from records import face

import microau
from microau.engine.chain import CpuChain
from microau.engine.describe import Describer
from microau.engine.errors import MicroauError
from microau.engine.inference import Device, open_engine
from microau.engine.registration import CROP, crop_matrix
from microau.stream import sharing
from microau.stream.config import Config
from microau.stream.describing import EventWriter

END = 1.7


class Counted(CpuChain):
    """The CPU's chain, said to be on a GPU, that remembers how many pairs came together."""

    def __init__(self, engine):
        super().__init__(engine)
        self.batches = []

    def __call__(self, pairs):
        self.batches.append(len(pairs["onset"]))
        return super().__call__(pairs)


@pytest.fixture
def chain(tiny_bundle):
    engine = open_engine(tiny_bundle)
    yield Counted(engine)
    engine.close()


@pytest.fixture
def on_gpu(chain, monkeypatch):
    """What the shared model opens is this chain, and it takes it for one on a GPU."""
    monkeypatch.setattr(sharing, "open_chain", lambda *arguments, **named: chain)
    monkeypatch.setattr(chain.engine, "device", Device("cuda"))
    return chain


def pairs(count):
    """Crops of noise that moved a little, and points."""
    rng = np.random.default_rng(0)
    onsets = rng.integers(40, 210, (count, CROP, CROP)).astype(np.uint8)
    points = face(CROP, CROP).points
    return [(onset, np.roll(onset, 1 + i % 2, 1), points) for i, onset in enumerate(onsets)]


def same(one, other):
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    assert one.present == other.present
    assert one.shifts == other.shifts


def test_threads_that_come_together_share_a_batch_and_get_their_own_answers(on_gpu, tiny_bundle):
    given = pairs(3)
    with Describer(tiny_bundle) as alone:
        wanted = [alone.describe(*pair) for pair in given]
    assert len({tuple(w.probabilities.values()) for w in wanted}) == 3
    shared = microau.SharedModel(batch=3, wait_ms=1000)
    found = [None] * 3

    def describe(i):
        found[i] = Describer(shared=shared).describe(*given[i])

    threads = [threading.Thread(target=describe, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert on_gpu.batches == [3]
    for one, other in zip(found, wanted, strict=True):
        same(one, other)


def test_alone_nobody_waits_longer_than_declared(on_gpu):
    shared = microau.SharedModel(batch=8, wait_ms=1)
    assert shared.wait_ms == 1
    Describer(shared=shared).describe(*pairs(1)[0])
    assert on_gpu.batches == [1]


def window(index, pair, lopsided):
    """A window as far as describing looks at it."""
    onset, apex, points = pair
    held = replace(face(CROP, CROP), points=points)
    matrix = crop_matrix(points)
    motions = [
        SimpleNamespace(index=index + i, time=(index + i) / 200, face=held, crop=crop, matrix=matrix)
        for i, crop in enumerate((onset, apex, apex))
    ]
    confounds = SimpleNamespace(flags=lambda: ("blink",) if lopsided else ())
    return SimpleNamespace(
        onset=motions[0], apex=motions[1], offset=motions[2],
        score=0.5, amplitude=1.0, confounds=confounds, macro=False,
    )  # fmt: skip


def test_what_is_decided_together_is_one_batch_in_order(chain):
    windows = [(window(10 * i, pair, i == 1), i) for i, pair in enumerate(pairs(3))]
    together = EventWriter(Describer(shared=chain), Config()).events(windows)
    assert chain.batches == [3]
    writer = EventWriter(Describer(shared=chain), Config())
    assert [event for one in windows for event in writer.events([one])] == together
    assert [event.event_id for event in together] == [0, 1, 2]
    assert [event.onset_frame for event in together] == [0, 10, 20]
    assert writer.events([]) == []


@pytest.mark.parametrize("settings", [{"batch": 0}, {"wait_ms": -1}, {"wait_ms": 2000}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(MicroauError, match="shared model: batch"):
        microau.SharedModel(**settings)


def test_a_stream_cannot_have_a_shared_model_and_its_own(tiny_bundle):
    with microau.SharedModel(tiny_bundle) as model, pytest.raises(MicroauError, match="leave them out"):
        microau.Stream(SAMPLE, shared=model, model=str(tiny_bundle))


def test_streams_that_share_a_model_tell_what_each_alone_tells(tiny_bundle):
    def told(**settings):
        with microau.Stream(SAMPLE, end=END, **settings) as stream:
            return list(stream), stream.run

    alone, record = told(model=str(tiny_bundle))
    assert alone
    assert record["batch_wait_ms"] == 0
    found = [None, None]
    with microau.SharedModel(tiny_bundle) as model:

        def run(i):
            found[i] = told(shared=model)

        threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for events, run_record in found:
        assert events == alone
        assert run_record["batch_wait_ms"] == 0
        assert run_record["model"] == record["model"]


def test_the_wait_stands_in_the_record(on_gpu):
    model = microau.SharedModel(wait_ms=7)
    with microau.Stream(SAMPLE, end=END, shared=model) as stream:
        events = list(stream)
        assert stream.run["batch_wait_ms"] == 7
    assert sum(on_gpu.batches) == len(events)
