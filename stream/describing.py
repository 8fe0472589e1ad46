"""From a spotted window to an Event: the model's reading of the onset and apex crops, in words."""

from __future__ import annotations

import numpy as np

from ..engine.describe import DEFAULT_BUNDLE, Describer
from ..engine.records import Gray, warp
from ..engine.registration import CROP, apply, invert, to_crop
from ..engine.tvl1 import warm_up
from .config import Config, ModelConfig
from .events import Event
from .spotting import Window


def load_describer(config: ModelConfig) -> Describer:
    """The model bundle that the settings name, or the one that is shipped; its flow is compiled here, not
    when the first event waits for it.
    """
    warm_up()
    return Describer(config.path or DEFAULT_BUNDLE, config.device, rebuild=config.rebuild)


class EventWriter:
    """Numbers the events and fills them in."""

    def __init__(self, describer: Describer, config: Config) -> None:
        self._describer = describer
        self._au_only = config.model.au_only
        self._count = 0

    def event(self, window: Window, face_id: int) -> Event:
        """What this window shows."""
        points = to_crop(window.onset.face.points, window.onset.matrix)
        found = self._describer.describe(window.onset.crop, registered_apex(window), points)
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


def registered_apex(window: Window) -> Gray:
    """The apex crop on the onset's registration: as it is, unless a new reference came between."""
    onset, apex = window.onset.matrix, window.apex.matrix
    if np.array_equal(onset, apex):
        return window.apex.crop
    there = invert(apex)
    matrix = np.concatenate([there[:, :2] @ onset[:, :2], apply(there, onset[:, 2])[:, None]], axis=1)
    return warp(window.apex.crop, matrix, (CROP, CROP))
