"""Pairs for training: the crops of an onset and an apex frame with what moved between them.

Made in memory, many a second. What a real pair suffers is in it: the picture has its own resolution
before it is cropped, landmarks are a little off, the head has moved a little, the onset frame may
already hold some of the movement, sensor noise, exposure, compression, a blink or a mouth shape of
speech may lie between the frames, and some pairs hold no expression at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...engine.records import Picture
from ...engine.registration import CROP, crop_matrix, to_crop
from .anatomy import MIDLINE
from .camera import recoded
from .chance import VISEMES
from .clip import Face
from .expressions import displacement, draw_units, sided, strongest
from .fields import Style
from .people import Person
from .state import Head, State

AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26)
"""Units that a pair is labelled with, in the order of its rows."""

F32 = NDArray[np.float32]
Gray = NDArray[np.uint8]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two crops and the truth between them."""

    onset: Gray
    """(224, 224) luma, cropped by the onset's landmarks."""
    apex: Gray
    """(224, 224) luma, cropped by the same matrix."""
    points: F32
    """(478, 3) landmarks of the onset in crop pixels, as exact as a detector's."""
    amplitudes: F32
    """(len(AUS), 2) how far each unit of the expression moved its most moved landmark between the frames,
    subject's left and right, percent OED; a midline unit has the same in both. Speech is not in it."""
    shifts: F32
    """(468, 2) true displacement of the mesh points by the expression alone, percent OED, face frame."""
    person: str
    geometry: str
    """'photo', 'face3d' or 'mixed'."""
    nuisance: Mapping[str, float]
    """What else differs, 0 where it does not: 'blink' (share shut), 'speech' (percent OED), 'gaze' and
    'head' (percent OED), 'noise' (gray levels), 'jpeg' (quality), 'crf' (of H.264), 'blur' (pixels),
    'gain' (ratio of exposure), 'shade' (its change towards an edge), 'oed' (eye distance in pixels of the
    picture that was cropped), 'early' and 'late' (share of the peak reached in both frames)."""


@dataclass(frozen=True, slots=True)
class PairConfig:
    """How hard the pairs are."""

    amplitude: tuple[float, float] = (0.7, 5.0)
    """Percent OED of the most moved landmark, even on a logarithmic scale, as far as the units reach."""
    still: float = 0.15
    """Share of pairs without expression."""
    alone: float = 0.35
    """Share of expressions of one unit drawn evenly over AUS; the others follow COMBINATIONS."""
    blink: float = 0.12
    """Share of pairs with a blink between the frames."""
    speech: float = 0.06
    """Share of pairs with a mouth shape of speech between the frames."""
    gaze: float = 0.25
    """Share of pairs with a turn of the eyes."""
    residual: float = 6.0
    """Percent OED: the most that the head moves between the frames."""
    early: float = 0.15
    """Up to this share of the peak is already there in the onset frame."""
    compressed: float = 0.5
    """Share of pairs with compression artefacts, JPEG or H.264."""
    shaded: float = 0.25
    """Share of pairs whose light comes from a slightly other side in the apex frame."""
    sizes: tuple[float, ...] = (62.0, 85.0, 112.0, 145.0)
    """Eye distances in pixels of the pictures that are cropped."""


def pairs(rng: Rng, people: Sequence[Person], n: int, config: PairConfig | None = None) -> Iterator[Pair]:
    """`n` pairs of random persons; the same generator state gives the same pairs."""
    config = config or PairConfig()
    for _ in range(n):
        yield pair(rng, people[int(rng.integers(len(people)))], config)


def pair(rng: Rng, person: Person, config: PairConfig) -> Pair:
    """One pair of one person."""
    oed = config.sizes[int(rng.integers(len(config.sizes)))]
    face = person.build(oed, True).with_style(Style.random(rng))
    peaks = _expression(rng, face, config)
    before, after, nuisance = _states(rng, peaks, config)
    matrix, size = _canvas(face, oed)
    taken, camera = shots(rng, [face.render(s, matrix, size)[:, :, 0] for s in (before, after)], config)
    points = detected(rng, face.landmarks(before, matrix), oed)
    crop = crop_matrix(points)
    onset, apex = (Picture(s, full_range=True).warp_luma(crop, (CROP, CROP)) for s in taken)
    gained = {n: peaks[n] * (nuisance["late"] - nuisance["early"]) for n in peaks}
    shifts = sum((a * face.fields[n][:, :2] for n, a in gained.items()), np.zeros((468, 2)))
    return Pair(
        onset, apex, to_crop(points, crop), amplitudes(gained), shifts.astype(np.float32),
        person.name, person.geometry, nuisance | camera | {"oed": oed},
    )  # fmt: skip


def amplitudes(peaks: Mapping[str, float]) -> F32:
    """(len(AUS), 2) left and right amplitude of each unit from its channels."""
    table = np.zeros((len(AUS), 2), np.float32)
    for row, au in enumerate(AUS):
        names = (f"{au}", f"{au}") if au in MIDLINE else (f"{au}L", f"{au}R")
        table[row] = [peaks.get(name, 0.0) for name in names]
    return table


def _canvas(face: Face, oed: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """A canvas just larger than the crop, with room for the head's motion."""
    size = (int(1.15 * oed) * 2, int(1.15 * oed) * 2)
    return face.frame(size), size


def _expression(rng: Rng, face: Face, config: PairConfig) -> dict[str, float]:
    """Channels and their peaks in percent OED; none in some pairs."""
    if rng.random() < config.still:
        return {}
    alone = rng.random() < config.alone
    units = (AUS[int(rng.integers(len(AUS)))],) if alone else draw_units(rng)
    relative = sided(rng, units)
    most = strongest(face.fields, relative)
    high = min(config.amplitude[1], most)
    low = min(config.amplitude[0], 0.6 * most)  # where the unit cannot do what is asked, nearly its utmost
    factor = float(np.exp(rng.uniform(np.log(low), np.log(high)))) / displacement(face.fields, relative)
    return {name: strength * factor for name, strength in relative.items()}


def _states(
    rng: Rng, peaks: Mapping[str, float], config: PairConfig
) -> tuple[State, State, dict[str, float]]:
    """The face in the onset frame and in the apex frame, and what differs besides the expression."""
    early, late = float(rng.uniform(0, config.early)), float(rng.uniform(0.9, 1.0))
    before = {name: early * peak for name, peak in peaks.items()}
    after = {name: late * peak for name, peak in peaks.items()}
    speech = _speech(rng) if rng.random() < config.speech else {}
    for name, amplitude in speech.items():
        after[name] = after.get(name, 0.0) + amplitude
    shut = float(rng.uniform(0.15, 1.0)) if rng.random() < config.blink else 0.0
    glance = rng.normal(0, 1.5, 2) * (1, 0.5) if rng.random() < config.gaze else np.zeros(2)
    rest, moved, travel = _heads(rng, config.residual)
    first = bool(rng.random() < 0.3)  # the blink is in the onset frame
    one = State(before, (0.0, 0.0), rest, shut if first else 0.0)
    other = State(after, (float(glance[0]), float(glance[1])), moved, 0.0 if first else shut)
    nuisance = {"early": early, "late": late, "blink": shut, "gaze": float(np.hypot(*glance))}
    nuisance |= {"speech": max(map(abs, speech.values()), default=0.0), "head": travel}
    return one, other, nuisance


def _speech(rng: Rng) -> dict[str, float]:
    shape = VISEMES[int(rng.integers(len(VISEMES)))]
    loud = float(rng.uniform(0.3, 1.1))
    return {name: amplitude * loud for name, amplitude in shape.items()}


def _heads(rng: Rng, residual: float) -> tuple[Head, Head, float]:
    """Where the head is in both frames; how far it travelled, percent OED."""
    turn = rng.normal(0, 1, 3) * (4.0, 3.0, 2.5)
    travel = residual * float(rng.random()) ** 2  # mostly little: an onset and its apex are close in time
    angle = float(rng.uniform(0, math.tau))
    step = travel * np.array([math.cos(angle), math.sin(angle), float(rng.normal(0, 0.4))])
    twist = rng.normal(0, 0.12, 3) * travel  # turning and moving go together: 0.3 degrees at 2.5 %
    rest, moved = [float(v) for v in turn], [float(v) for v in turn + twist]
    return Head(*rest), Head(*moved, *map(float, step)), travel


def shots(rng: Rng, pictures: Sequence[F32], config: PairConfig) -> tuple[list[Gray], dict[str, float]]:
    """What the camera makes of two pictures (H, W): noise, light, blur, 8 bits, compression."""
    noise, gain = float(rng.uniform(0.4, 3.5)), float(np.exp(rng.normal(0, 0.015)))
    blur = float(rng.uniform(0.4, 1.2)) if rng.random() < 0.25 else 0.0
    shade = float(rng.uniform(0.005, 0.03)) if rng.random() < config.shaded else 0.0
    contrast, lift = float(rng.uniform(0.75, 1.05)), float(rng.uniform(-15, 15))
    lights = [np.ones((1, 1), np.float32), gain * _slope(rng, pictures[0].shape, shade)]
    shots = []
    for picture, exposure in zip(pictures, lights, strict=True):
        light = np.asarray((picture * contrast + lift) * exposure, np.float32)
        if blur:
            light = np.asarray(cv2.GaussianBlur(light, (0, 0), blur), np.float32)
        light = light + rng.standard_normal(light.shape, np.float32) * np.float32(noise)
        shots.append(np.asarray(np.clip(np.rint(light), 0, 255), np.uint8))
    shots, how = _compressed(rng, shots, config)
    return shots, {"noise": noise, "gain": gain, "blur": blur, "shade": shade} | how


def _slope(rng: Rng, shape: tuple[int, ...], depth: float) -> F32:
    """Light from another side: a factor that changes by up to `depth` from the middle to an edge."""
    angle = float(rng.uniform(0, math.tau))
    rows, columns = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])[None]
    return np.asarray(1 + depth * (math.cos(angle) * columns + math.sin(angle) * rows), np.float32)


def _compressed(rng: Rng, shots: list[Gray], config: PairConfig) -> tuple[list[Gray], dict[str, float]]:
    """Through JPEG, as cameras send it, or H.264, or untouched."""
    kind = "none" if rng.random() >= config.compressed else ("jpeg", "h264")[int(rng.integers(2))]
    quality, crf = int(rng.integers(55, 96)), int(rng.integers(18, 33))
    if kind == "jpeg":
        return [_through_jpeg(shot, quality) for shot in shots], {"jpeg": quality, "crf": 0.0}
    if kind == "h264":
        return recoded(shots, crf), {"jpeg": 0.0, "crf": crf}
    return shots, {"jpeg": 0.0, "crf": 0.0}


def _through_jpeg(picture: Gray, quality: int) -> Gray:
    _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)


def detected(rng: Rng, points: F32, oed: float) -> F32:
    """True points with a face model's errors: smooth over the face, about 0.4 % of the eye distance."""
    error = rng.normal(0, 0.004, (2, 3)) * oed
    wave = np.asarray(points[:, :2], np.float64) / oed @ rng.normal(0, 2.0, (2, 2)) + rng.uniform(0, 6, 2)
    shift = error[0] + np.sin(wave[:, :1]) * error[1] + rng.normal(0, 0.0015, points.shape) * oed
    return np.asarray(points + shift, np.float32)
