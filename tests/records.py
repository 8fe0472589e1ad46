"""Events and rows made up for the tests of what is written and drawn."""

import numpy as np
from hypothesis import strategies as st

from microau.engine.describe import Decided
from microau.engine.explain import Shift
from microau.engine.records import Face
from microau.stream.events import FLAGS, Event, FrameRow

AUS = ("AU01", "AU02", "AU12")


def event(**changes):
    """A one-sided smile of 240 ms."""
    usual = {
        "event_id": 0,
        "face_id": 0,
        "onset_frame": 200,
        "apex_frame": 224,
        "offset_frame": 248,
        "onset_s": 1.0,
        "apex_s": 1.12,
        "offset_s": 1.24,
        "score": 0.87,
        "amplitude": 2.1,
        "units": (Decided(12, "L"),),
        "emotion": "positive",
        "emotion_score": 0.61,
        "flags": (),
        "probabilities": {"AU01": 0.02, "AU02": 0.013, "AU12": 0.93},
        "sides": {"AU12": (0.95, 0.2)},
        "explanation": (Shift(291, "left mouth corner", (1.2, -1.7), "AU12", 0.97),),
    }
    return Event(**(usual | changes))


def row(frame=0, timestamp=0.0, **changes):
    """A face that is seen well."""
    usual = {"face_id": 0, "confidence": 0.99, "success": True, "motion": 0.4}
    return FrameRow(frame, timestamp, **(usual | changes))


def face(width=200, height=150, face_id=0):
    """A flat face in the middle of a picture: its points fill an oval."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 478), np.sqrt(rng.uniform(0, 1, 478))
    points = np.zeros((478, 3), np.float32)
    points[:, 0] = width / 2 + 0.2 * width * radius * np.cos(angle)
    points[:, 1] = height / 2 + 0.3 * height * radius * np.sin(angle)
    return Face(face_id, points, 0.99)


probability = st.floats(0, 1)
times = st.lists(st.floats(0, 36_000), min_size=3, max_size=3).map(sorted)


@st.composite
def events(draw):
    """Any event that may be decided."""
    onset, apex, offset = draw(times)
    units = draw(st.lists(st.sampled_from([1, 2, 12]), unique=True).map(sorted))
    return event(
        event_id=draw(st.integers(0, 10**6)),
        face_id=draw(st.integers(0, 9)),
        onset_frame=int(200 * onset),
        apex_frame=int(200 * apex),
        offset_frame=int(200 * offset),
        onset_s=onset,
        apex_s=apex,
        offset_s=offset,
        score=draw(probability),
        amplitude=draw(st.floats(0, 30)),
        units=tuple(Decided(au, draw(st.sampled_from(["", "L", "R"]))) for au in units),
        emotion=draw(st.sampled_from(["", "positive", "negative", "surprise", "other"])),
        emotion_score=draw(st.floats(-1, 1)),
        flags=tuple(flag for flag in FLAGS if draw(st.booleans())),
        probabilities={au: draw(probability) for au in AUS},
    )
