"""From a spotted window to an Event: the model's reading of the onset and apex crops, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..engine.describe import DEFAULT_BUNDLE, AuResult, Describer, Pair
from ..engine.errors import MicroauError
from ..engine.records import Gray, warp
from ..engine.registration import CROP, apply, invert, to_crop
from ..engine.tvl1 import warm_up
from .config import Config, ModelConfig
from .events import Event
from .sharing import SharedModel
from .spotting import Window


def load_describer(config: ModelConfig, shared: SharedModel | None = None) -> Describer:
    """The model bundle that the settings name, or the one that is shipped; its flow is compiled here, not
    when the first event waits for it.

    shared   a model of several streams, in its place
    """
    if config.device == "cpu":  # on a GPU the chain warms up itself
        warm_up()
    if shared is None:
        return Describer(config.path or DEFAULT_BUNDLE, config.device, rebuild=config.rebuild)
    default = ModelConfig(au_only=config.au_only)
    if config != default:
        raise MicroauError("a shared model has its own model, device and rebuild: leave them out here")
    return Describer(shared=shared)


class EventWriter:
    """Numbers the events and fills them in."""

    def __init__(self, describer: Describer, config: Config) -> None:
        self._describer = describer
        self._au_only = config.model.au_only
        self._count = 0

    def events(self, windows: Sequence[tuple[Window, int]]) -> list[Event]:
        """What these windows of faces show, in their order; computed together where that pays."""
        results = self._describer.describe_all([_pair(window) for window, _ in windows])
        return [
            self._event(window, face_id, found)
            for (window, face_id), found in zip(windows, results, strict=True)
        ]

    def _event(self, window: Window, face_id: int, found: AuResult) -> Event:
        event_id, self._count = self._count, self._count + 1
        return Event(
            event_id=event_id,
            face_id=face_id,
            onset_frame=window.onset.index,
            apex_frame=window.apex.index,
            offset_frame=window.offset.index,
            onset_s=window.onset.time,
            apex_s=window.apex.time,
            offset_s=window.offset.time,
            score=window.score,
            amplitude=window.amplitude,
            units=found.present,
            emotion="" if self._au_only else found.emotion,
            emotion_score=0.0 if self._au_only else found.emotion_score,
            flags=window.confounds.flags() + (("macro",) if window.macro else ()),
            probabilities=found.probabilities,
            sides=found.sides,
            explanation=found.shifts,
        )


def _pair(window: Window) -> Pair:
    points = to_crop(window.onset.face.points, window.onset.matrix)
    return window.onset.crop, registered_apex(window), points


def registered_apex(window: Window) -> Gray:
    """The apex crop on the onset's registration: as it is, unless a new reference came between."""
    onset, apex = window.onset.matrix, window.apex.matrix
    if np.array_equal(onset, apex):
        return window.apex.crop
    there = invert(apex)
    matrix = np.concatenate([there[:, :2] @ onset[:, :2], apply(there, onset[:, 2])[:, None]], axis=1)
    return warp(window.apex.crop, matrix, (CROP, CROP))
