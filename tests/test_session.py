"""A session: live gives what a recording gives, slow events hold no frame up, failures come last."""

import itertools
import time
from dataclasses import replace
from fractions import Fraction

import pytest
from commands import SAMPLE

from microau.engine.errors import MicroauError
from microau.stream import session as module
from microau.stream.config import CaptureConfig, Config, ModelConfig
from microau.stream.events import Event, FrameRow
from microau.stream.session import Session
from microau.stream.source import Probe, Source
from microau.stream.sources.video import VideoFile

END = 2.25
"""Of the sample, in seconds: the smile, and more than the look-ahead after it."""


class Player(Source):
    """The sample as if it were live, `pace` times as fast as taken; breaks off after `last` frames."""

    slack = 60.0

    def __init__(self, last=10**9, pace=1.0):
        super().__init__(end=END)
        self._file, self._last, self._pace = VideoFile(SAMPLE), last, pace
        self.probe: Probe = replace(
            self._file.probe, kind="camera", name="player", live=True, fps=Fraction(200)
        )

    def _frames(self):
        start = time.monotonic()
        for frame in itertools.islice(self._file, self._last):
            time.sleep(max(0.0, start + frame.time / self._pace - time.monotonic()))
            yield replace(frame, received=time.monotonic())
        if self._last < 10**9:
            raise MicroauError("player: unplugged")

    def close(self):
        self._file.close()


@pytest.fixture
def settings(tiny_bundle):
    return Config(capture=CaptureConfig(end=END), model=ModelConfig(path=str(tiny_bundle)))


def live(monkeypatch, settings, **behaviour):
    monkeypatch.setattr(module, "open_source", lambda *_, **__: Player(**behaviour))
    return Session(settings, "player")


def told(session):
    """All rows and events, and the number of rows before each event."""
    rows, events = [], []
    for step in session.steps():
        for item in step.items:
            (events if isinstance(item, Event) else rows).append(item)
    return rows, events


@pytest.fixture(scope="module")
def recorded(tiny_bundle):
    config = Config(capture=CaptureConfig(end=END), model=ModelConfig(path=str(tiny_bundle)))
    with Session(config, str(SAMPLE)) as session:
        return told(session)


def test_live_gives_what_the_recording_gives(monkeypatch, settings, recorded):
    with live(monkeypatch, settings) as session:
        rows, events = told(session)
    assert events == recorded[1]
    assert events
    assert rows == recorded[0]


def test_an_event_that_takes_long_holds_no_frame_up(monkeypatch, settings, recorded):
    """Rows go on while it is worked at; the event itself is the same, only later."""
    with live(monkeypatch, settings, pace=0.5) as session:
        done, describe = [], session.pipeline.describe

        def slowly(movement):
            time.sleep(0.4)
            done.append(time.monotonic())
            return describe(movement)

        monkeypatch.setattr(session.pipeline, "describe", slowly)
        rows_at, events = [], []
        for step in session.steps():
            rows_at += [time.monotonic() for item in step.items if isinstance(item, FrameRow)]
            events += [item for item in step.items if isinstance(item, Event)]
        assert session.tally.events == len(events)
    assert events == recorded[1]
    assert sum(done[0] - 0.35 < moment < done[0] for moment in rows_at) > 10  # 35 frames on a free machine


def test_a_recording_waits_for_its_events(settings, recorded, tiny_bundle):
    """Every time at the same place among the rows."""
    with Session(settings, str(SAMPLE)) as session:
        kinds = [type(item) for step in session.steps() for item in step.items]
    with Session(settings, str(SAMPLE)) as session:
        assert [type(item) for step in session.steps() for item in step.items] == kinds


def test_what_was_held_back_is_told_before_the_failure(monkeypatch, settings, recorded):
    """The smile is over at 1.36 s but not decided at 1.6 s, when the camera goes."""
    with live(monkeypatch, settings, last=320) as session:
        items = []
        with pytest.raises(MicroauError, match="unplugged"):
            items.extend(step.items for step in session.steps())
    assert len(items) == 321
    (event,) = (item for item in items[-1] if isinstance(item, Event))
    for name in ("onset_frame", "apex_frame"):  # with less of the future to weigh it by
        assert abs(getattr(event, name) - getattr(recorded[1][0], name)) <= 6
