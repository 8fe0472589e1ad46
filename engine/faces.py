"""Follow faces through a stream: points, head pose and a stable number for each.

in    Frame        one at a time, in order
out   list[Face]   the faces of that frame; empty where none was found

A face is followed by its own points: they say where to look in the next frame. The detector looks
when no face is followed, when one was lost, and every `detect_every_s`: at one square of the picture
after the other, spread over the frames, so that none of them waits long. Nothing looks ahead.

A face smaller than `min_oed_px` is returned too, so that the caller can say why nothing was measured:
`face.small` says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from .errors import MicroauError
from .face_models import BACKENDS, FaceModels, Region, mesh_region, open_models
from .face_search import squares
from .face_track import Track
from .records import Face, Frame, Picture

START_CONFIDENCE = 0.9
"""A new face must score this twice; patterns on clothes were seen to score it once, faces score 1.00."""
SAME = 0.33
"""Two regions are one face where their centres are nearer than this share of their mean side: half a
face, since a region is one and a half faces wide."""
NEAR = 0.7
"""Faces nearer than this cover each other: no velocity is learnt there."""
RETURN = 0.7
"""A face that comes back has its number again within this share of its side from where it was seen
last, or from where its motion would have brought it, and ..."""
RETURN_SCALE = 1.6
"""... at no more than this ratio of sizes."""
TAKE_OVER = 1.5
"""Where `max_faces` are followed, a face this much larger takes the smallest one's place."""
SOUGHT = 1.25
"""A face of this multiple of `min_oed_px` is found wherever it is. Between the two most are; to look for
all of them would take four times as many squares of a Full HD picture."""
GROWN = 1.1
"""A face that was too small is large enough again at this multiple of `min_oed_px`."""
LOOKS = 2
"""Squares of the picture that the detector looks at besides the whole, each time; the next ones the
next time. On the first frame it looks at all."""
LOOKS_PER_S = 120.0
"""Looks a second at most: a sixth of a core. At 25 frames per second all that are due are taken at once,
at 200 no frame has two of them: together they would take longer than the frames behind can wait."""
LOST_EVERY_S = 0.1
"""Seconds between looks while a lost face is remembered."""
LOST_MARGIN = 2.0
"""Side of the square that is searched for a lost face, over the side of its region."""


@dataclass(frozen=True, slots=True)
class FaceConfig:
    """How faces are found and followed."""

    max_faces: int = 4
    """How many faces are followed at once, the largest first."""
    min_confidence: float = 0.5
    """Face score, 0 to 1, below which a face is lost (MediaPipe's value)."""
    min_oed_px: float = 36.0
    """Outer-eye-corner distance in pixels under which nothing is measured: 2 % of it, a middling
    micro-expression, is then less than three quarters of a pixel."""
    detect_every_s: float = 0.5
    """Seconds between looks for further faces."""
    landmark_rate: float = 60.0
    """Points measured per second at most; between, they are carried along with the head's velocity.
    0: in every frame."""
    iris_rate: float = 10.0
    """Irises measured per second and eye; between, they are carried with the eye corners. 0: never,
    they then stand in the middle of the eye."""
    memory_s: float = 3.0
    """Seconds for which a lost face's number is kept for it."""
    backend: str = "onnx"
    """Face models: onnx (shipped, run by ONNX Runtime) or mediapipe (its own runtime, an extra)."""
    task: str | None = None
    """MediaPipe's model bundle face_landmarker.task, for the mediapipe back end alone."""

    def __post_init__(self) -> None:
        if self.max_faces < 1:
            raise MicroauError(f"max_faces is {self.max_faces}: give 1 or more")
        if self.backend not in BACKENDS:
            raise MicroauError(f"backend is {self.backend}: give one of {', '.join(BACKENDS)}")
        if not 0 < self.min_confidence < 1:
            raise MicroauError(f"min_confidence is {self.min_confidence}: give a number between 0 and 1")
        for name in ("min_oed_px", "detect_every_s", "landmark_rate", "iris_rate", "memory_s"):
            if not getattr(self, name) >= 0:
                raise MicroauError(f"{name} is {getattr(self, name)}: give 0 or more")


class FaceTracker:
    """Stage: frames in, the faces of each out. One tracker serves one stream and one thread."""

    def __init__(self, config: FaceConfig | None = None, models: FaceModels | None = None) -> None:
        self.config = config or FaceConfig()
        self.models = models or open_models(self.config.backend, self.config.task)
        self._live: list[Track] = []
        self._lost: list[Track] = []
        self._next_id = 0
        self._views = _Views(SOUGHT * self.config.min_oed_px)
        self._due: deque[Region] = deque()
        self._allowed = 0.0
        self._detected = -np.inf
        self._measured = -np.inf
        self._pushed = -np.inf
        self._faces: list[Face] = []
        self._small: set[int] = set()

    def push(self, frame: Frame) -> list[Face]:
        """Faces of this frame, lowest number first."""
        if not frame.duplicate:
            step, self._pushed = frame.time - self._pushed, frame.time
            self._faces = (
                self._carry(frame, step) if self._rests(frame.time) else self._measure(frame, step)
            )
            self._small = {face.face_id for face in self._faces if self._too_small(face)}
            # Carried with the face: the tracker may be frames ahead of who asks.
            self._faces = [replace(face, small=face.face_id in self._small) for face in self._faces]
        return self._faces

    def flush(self) -> list[Face]:
        """Nothing is held back."""
        return []

    def is_small(self, face: Face) -> bool:
        """True: this face of the last frame has too few pixels to measure a micro-expression."""
        return face.face_id in self._small

    def _too_small(self, face: Face) -> bool:
        """Two limits, as in a thermostat: a face at the limit does not come and go with every tremble."""
        return face.oed < self.config.min_oed_px * (GROWN if face.face_id in self._small else 1.0)

    def _rests(self, time: float) -> bool:
        """True: points were measured so lately that they are carried."""
        rate = self.config.landmark_rate
        return bool(self._live) and rate > 0 and 0 <= (time - self._measured) * rate < 0.999

    def _carry(self, frame: Frame, step: float) -> list[Face]:
        self._look(frame, step)
        return [track.carried(frame.time) for track in self._live]

    def _measure(self, frame: Frame, step: float) -> list[Face]:
        self._measured = frame.time
        before = len(self._live)
        self._follow(frame.picture, frame.time)
        if lost_one := len(self._live) < before:
            self._due.clear()  # where it is expected comes first
        rate = self.config.landmark_rate
        if lost_one or not self._live or rate == 0 or step * rate >= 0.999:
            self._look(frame, step)  # else there are frames without a measurement, which have more time
        for track in self._live:
            self._update_irises(track, frame.picture, frame.time)
        return [track.face() for track in self._live]

    def _look(self, frame: Frame, step: float) -> None:
        """Have the detector look at what is due, as far as the time since the last frame allows."""
        pause = LOST_EVERY_S if self._lost else self.config.detect_every_s
        if not self._due and (not self._live or frame.time - self._detected >= pause):
            self._due.extend(self._where(frame.picture, frame.time))
            self._detected = frame.time
        self._allowed = min(self._allowed, 1.0) + min(step, 1.0) * LOOKS_PER_S
        views = [self._due.popleft() for _ in range(min(len(self._due), int(self._allowed)))]
        self._allowed -= len(views)
        if views:
            self._discover(frame.picture, frame.time, views)

    def _follow(self, picture: Picture, time: float) -> None:
        """Measure every followed face where it was; those not found or taken over are lost."""
        for track in self._live:
            points, track.score = self.models.mesh(picture, track.next_region(time))
            if track.score >= self.config.min_confidence:
                track.take(points, time, self._is_clear(track))
        self._lose([track for track in self._live if track.score < self.config.min_confidence])
        self._lose(list(self._taken_over(time)))
        self._lost = [track for track in self._lost if time - track.time <= self.config.memory_s]

    def _is_clear(self, track: Track) -> bool:
        return all(other is track or track.region.distance(other.region) > NEAR for other in self._live)

    def _taken_over(self, time: float) -> Iterator[Track]:
        """Of two tracks on one face, the one that its motion did not bring there."""
        for i, one in enumerate(self._live):
            for two in self._live[:i]:
                if one.region.distance(two.region) < SAME:
                    yield max(one, two, key=lambda track: abs(track.expected(time) - track.region.centre))

    def _lose(self, tracks: Iterable[Track]) -> None:
        for track in tracks:
            if track in self._live:
                self._live.remove(track)
                self._lost.append(track)

    def _discover(self, picture: Picture, time: float, views: list[Region]) -> None:
        """Look for faces that are not followed yet, and begin a track for each, the largest first."""
        found = _faces_in(self.models, picture, views, time, self._live)
        for track in sorted(found, key=lambda track: -track.region.size):
            self._admit(track, time)
            self._update_irises(track, picture, time)
        self._live.sort(key=lambda track: track.face_id)

    def _where(self, picture: Picture, time: float) -> list[Region]:
        """Squares to search; the whole picture alone where no place is free: only a larger face counts."""
        if len(self._live) >= self.config.max_faces:
            return self._views.whole(picture)
        expected = [track.region.moved(track.expected(time) - track.region.centre) for track in self._lost]
        around = [Region(place.x, place.y, place.size * LOST_MARGIN) for place in expected]
        return around + self._views.next(picture)

    def _admit(self, track: Track, time: float) -> None:
        if len(self._live) >= self.config.max_faces:
            smallest = min(self._live, key=lambda other: other.region.size)
            if track.region.size < TAKE_OVER * smallest.region.size:
                return
            self._lose([smallest])
        track.face_id = self._number(track, time)
        self._live.append(track)

    def _number(self, track: Track, time: float) -> int:
        """Number of the lost face that was expected here, else a new one."""
        returning = [lost for lost in self._lost if _returns(lost, track, time)]
        old = min(returning, key=lambda lost: lost.miss(track.region, time), default=None)
        if old is None:
            self._next_id += 1
            return self._next_id - 1
        self._lost.remove(old)
        return old.face_id

    def _update_irises(self, track: Track, picture: Picture, time: float) -> None:
        """Measure the irises that are due, at most one a frame once both were seen, and place both."""
        rate = self.config.iris_rate
        due = [iris for iris in track.irises if (time - iris.time) * rate >= 0.999] if rate else []
        unseen = [iris for iris in due if iris.time == -np.inf]
        for iris in unseen or due[:1]:
            iris.measure(self.models, picture, track.points, time)
        for iris in track.irises:
            iris.place(track.points)


class _Views:
    """The squares of a picture in turn, a few at each look; at the first look all of them."""

    def __init__(self, oed: float) -> None:
        self._oed = oed
        self._squares: list[Region] = []
        self._size = (0, 0)
        self._next = 0

    def whole(self, picture: Picture) -> list[Region]:
        return squares(picture.width, picture.height, np.inf)

    def next(self, picture: Picture) -> list[Region]:
        size = picture.width, picture.height
        if size != self._size:
            self._size, self._squares, self._next = size, squares(*size, self._oed), 0
            return self._squares
        parts = self._squares[1:]
        turn = [parts[(self._next + i) % len(parts)] for i in range(min(LOOKS, len(parts)))]
        self._next += len(turn)
        return [self._squares[0], *turn]


def find_faces(
    picture: Picture, config: FaceConfig | None = None, models: FaceModels | None = None
) -> list[Face]:
    """Faces in one still picture, the largest first, numbered from 0.

    The points are measured twice, so that they do not depend on where the detector drew its box.
    """
    config = config or FaceConfig()
    models = models or open_models(config.backend, config.task)
    views = squares(picture.width, picture.height, SOUGHT * config.min_oed_px)
    tracks = _faces_in(models, picture, views, 0.0, [])
    tracks.sort(key=lambda track: -track.region.size)
    for number, track in enumerate(tracks[: config.max_faces]):
        track.face_id = number
        for iris in track.irises:
            if config.iris_rate:
                iris.measure(models, picture, track.points, 0.0)
            iris.place(track.points)
    return [track.face() for track in tracks[: config.max_faces]]


def _faces_in(
    models: FaceModels, picture: Picture, views: list[Region], time: float, known: list[Track]
) -> list[Track]:
    """Tracks, without numbers, of the faces seen in these squares that are not among the known ones."""
    found: list[Track] = []
    for view in views:
        for detection in models.detect(picture, view):
            if _is_among(detection.region, [*known, *found]):
                continue
            track = _settled(models, picture, detection.region, time)
            if track and not _is_among(track.region, [*known, *found]):
                found.append(track)
    return found


def _is_among(region: Region, tracks: list[Track]) -> bool:
    return any(region.distance(track.region) < SAME for track in tracks)


def _settled(models: FaceModels, picture: Picture, region: Region, time: float) -> Track | None:
    """A face that was detected, measured again from where its points were first found; None: it is none."""
    points, first = models.mesh(picture, region)
    if first < START_CONFIDENCE:
        return None
    points, second = models.mesh(picture, mesh_region(points))
    return Track.begin(points, min(first, second), time) if second >= START_CONFIDENCE else None


def _returns(lost: Track, found: Track, time: float) -> bool:
    """True: the lost face may be this one, by its place and size."""
    ratio = found.region.size / lost.region.size
    return lost.miss(found.region, time) < RETURN and 1 / RETURN_SCALE < ratio < RETURN_SCALE
