"""A recording holds the work once, made after a first run and while nothing is freed."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from cuda_in_memory import MemoryDriver

from microau.engine import cuda_driver, cuda_record
from microau.engine.cuda_driver import Stream


@pytest.fixture
def driver(monkeypatch):
    driver = MemoryDriver()
    monkeypatch.setattr(cuda_driver, "_library", lambda: driver)
    driver.deferred = False

    @contextmanager
    def defer_cleanup():
        driver.deferred = True
        yield
        driver.deferred = False

    stand_in = SimpleNamespace(defer_cleanup=defer_cleanup, external_stream=lambda address: address)
    monkeypatch.setattr(cuda_record, "cuda", stand_in)
    return driver


def test_work_runs_once_before_it_is_recorded_and_then_by_launching(driver):
    ran, deferred = [], []

    def work():
        deferred.append((driver.recording is not None, driver.deferred))
        driver.queue(lambda: ran.append(len(ran)))

    stream = Stream()
    graph = cuda_record.record(work, stream)
    assert deferred == [(False, False), (True, True)]  # to compile and load; to record, freeing nothing
    assert driver.log == ["execute", "wait"]  # nothing is recorded before the first run is over
    assert ran == [0]
    graph.launch(stream)
    graph.launch(stream)
    assert ran == [0, 1, 2]
    graph.close()
    stream.close()
    assert not +driver.alive


def test_work_that_fails_while_it_is_recorded_leaves_nothing_open(driver):
    calls = []

    def work():
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError

    stream = Stream()
    with pytest.raises(ZeroDivisionError):
        cuda_record.record(work, stream)
    assert driver.recording is None
    stream.close()
    assert not +driver.alive


def test_a_recorder_runs_what_it_recorded_and_frees_it(driver):
    ran = []
    recorder = cuda_record.Recorder()
    again = recorder.record(lambda: driver.queue(lambda: ran.append(len(ran))))
    again()
    assert ran == [0, 1]
    recorder.close()
    recorder.close()
    with pytest.raises(RuntimeError, match="is freed"):
        again()
    assert not +driver.alive
