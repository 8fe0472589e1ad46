"""Make the sample clip of the repository: `python -m microau.training.sample_clip samples`.

A photograph in the public domain (astronaut Eileen Collins, NASA, as scikit-image ships it) does a few
small movements, a blink and some head sway. The truth is written beside the clip.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from skimage.data import astronaut

from .generate.camera import Camera, write_video
from .generate.clip import render
from .generate.expressions import with_amplitude
from .generate.people import face_points, photo_person
from .generate.scenario import Blink, Movement, Scenario, Wave
from .generate.state import Head
from .generate.timing import Curve
from .generate.truth import ClipTruth, write_json

CAMERA = Camera(fps=200.0, size=(640, 480), oed=108.0, noise=0.8, crf=17)
SEED = 7
DURATION = 5.4
SWAY = (
    Wave(0.31, 0.4, Head(yaw=0.5, pitch=0.1, roll=0.25, x=1.0, y=0.3)),
    Wave(0.83, 2.1, Head(yaw=0.15, pitch=0.25, x=0.3, y=0.4, z=0.5)),
    Wave(1.6, 4.4, Head(pitch=0.06, roll=0.05, x=0.1, y=0.12)),
)
"""The head is never quite still."""


def scenario(fields: dict[str, np.ndarray]) -> Scenario:
    """Smile, blink, brow raise, brow lowering, a smile on the left side alone."""

    def act(curve: Curve, amplitude: float, **peaks: float) -> Movement:
        return with_amplitude(fields, curve, {n[1:]: p for n, p in peaks.items()}, amplitude)

    return Scenario(
        DURATION,
        (
            act(Curve(1.00, 1.12, 1.40, 0.02), 2.6, _12L=1.0, _12R=0.95),
            act(Curve(2.30, 2.41, 2.70, 0.02), 2.8, _1L=0.7, _1R=0.7, _2L=1.0, _2R=0.95),
            act(Curve(3.30, 3.44, 3.76), 2.4, _4L=1.0, _4R=1.0),
            act(Curve(4.35, 4.47, 4.76, 0.02), 2.2, _12L=1.0),
        ),
        blinks=(Blink(Curve(1.78, 1.86, 2.02, 0.015, 1.0, 0.8)),),
        sway=SWAY,
    )


def main(argv: list[str] | None = None) -> int:
    """Write `astronaut.mp4` and `astronaut.truth.json` into a folder."""
    folder = Path((argv if argv is not None else sys.argv[1:] or ["samples"])[0])
    folder.mkdir(parents=True, exist_ok=True)
    photo = np.asarray(astronaut(), np.uint8)
    person = photo_person("astronaut", photo, face_points(photo, "astronaut"))
    face, rng = person.build(CAMERA.oed, False), np.random.default_rng(SEED)
    happening, shots = scenario(dict(face.fields)), CAMERA.shots(DURATION, rng)
    frames = render(happening, face, CAMERA, shots, rng)
    write_video(folder / "astronaut.mp4", frames, CAMERA.size, CAMERA.fps, CAMERA.crf)
    truth = ClipTruth("astronaut.mp4", "astronaut", person.name, "photo", happening, CAMERA, shots, SEED)
    write_json(folder / "astronaut.truth.json", truth.record())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
