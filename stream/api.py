"""microau in Python: `analyze_video` for a recording, `Stream` for events as they come.

result = microau.analyze_video("interview.mp4", max_faces=2)
result.events                                # a table, columns as in events.csv

with microau.Stream("rtsp://10.0.0.9/live") as stream:
    for event in stream:
        print(event.onset_s, event.aus)
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.closing import Closing
from .columns import FRAME_COLUMNS, Column, event_columns
from .config import Config
from .events import Event, FrameRow
from .histogram import Histogram
from .notices import closing_notices, opening_notices
from .options import with_options
from .record import run_record
from .session import Session
from .settings import read_config
from .sharing import SharedModel
from .table import event_values, frame_values

Settings = Config | Mapping[str, Any] | str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True)
class Result:
    """What an analysis gave; tables are pandas frames, else polars frames, else lists of dicts."""

    events: Any
    """One row per event in order of onset; columns as in events.csv."""
    frames: Any
    """One row per frame and face; columns as in frames.csv."""
    notices: list[str]
    """What should be known about the run, in sentences."""
    run: dict[str, Any]
    """How it was made, as in run.json."""


def analyze_video(path: str | os.PathLike[str], *, config: Settings = None, **settings: Any) -> Result:
    """Analyse a video file or a folder of numbered pictures.

    config    a Config, a settings file, or its content as a dict
    settings  single settings by the names of the options: start, end, fps, max_faces, model, device,
              au_only, macro, ... (seconds for start and end)
    raises    MicroauError where the input or a setting is not usable, in one line
    """
    with Stream(path, config=config, **settings) as stream:
        rows: list[FrameRow] = []
        events: list[Event] = []
        for item in stream.items():
            (events if isinstance(item, Event) else rows).append(item)  # type: ignore[arg-type]
        events.sort(key=lambda event: (event.onset_s, event.event_id))
        aus = stream.aus
        return Result(
            events=table(event_columns(aus), [event_values(event, aus) for event in events]),
            frames=table(FRAME_COLUMNS, [frame_values(row) for row in rows]),
            notices=stream.notices,
            run=stream.run,
        )


class Stream(Closing):
    """Events as they are decided, from a file, a folder, a URL or a camera.

    input    path or URL, or None with `camera`
    camera   number of a camera
    shared   a SharedModel, in place of a model of its own
    config, settings   as in `analyze_video`
    raises   MicroauError where the input or a setting is not usable, in one line
    """

    def __init__(
        self,
        input: str | os.PathLike[str] | None = None,
        *,
        camera: int | None = None,
        shared: SharedModel | None = None,
        config: Settings = None,
        **settings: Any,
    ) -> None:
        chosen = with_options(_config(config), settings)
        path = None if input is None else os.fspath(input)
        self._session = Session(chosen, path, camera=camera, shared=shared)
        self._closing: list[str] = []
        self.notices: list[str] = opening_notices(self._session)
        """Sentences about the run, growing as it goes."""

    @property
    def aus(self) -> tuple[str, ...]:
        """The model's units, e.g. ('AU01', 'AU02')."""
        return self._session.aus

    @property
    def run(self) -> dict[str, Any]:
        """How the run was made and how far it has come, as in run.json."""
        status = "done" if self._session.ending else "running"
        return run_record(self._session, [], status, self.notices)

    def __iter__(self) -> Iterator[Event]:
        return (item for item in self.items() if isinstance(item, Event))

    @property
    def latency(self) -> Histogram:
        """Milliseconds from a live frame's arrival to its row, so far."""
        return self._session.tally.latency

    def items(self) -> Iterator[FrameRow | Event]:
        """Frame rows too, in order of frames, with the events among them as they are decided."""
        for step in self._session.steps():
            self.notices += self._session.new_notices()
            yield from step.items
        self.notices += closing_notices(self._session)

    def stop(self) -> None:
        """End the iteration after the frame at hand; from any thread."""
        self._session.stop("stopped")

    def close(self) -> None:
        """Free the input and the models; twice is harmless."""
        self._session.close()


def _config(config: Settings) -> Config:
    if config is None or isinstance(config, Config):
        return config or Config()
    if isinstance(config, Mapping):
        return Config().with_values(config)
    return read_config(Path(config))


def table(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> Any:
    """Rows as a pandas frame where pandas is installed, else a polars frame, else a list of dicts.

    An empty table has its columns with their types, too.
    """
    kinds = {column.name: column.kind for column in columns}
    if importlib.util.find_spec("pandas"):
        import pandas

        return pandas.DataFrame(rows, columns=list(kinds)).astype(kinds)
    if importlib.util.find_spec("polars"):
        import polars

        return polars.DataFrame(rows, schema=kinds, orient="row")
    return [dict(zip(kinds, row, strict=True)) for row in rows]
