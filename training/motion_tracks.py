"""Motion records of generated clips: what the spotter gets, without faces to search or videos to keep.

    python -m microau.training.motion_tracks OUT --photos FOLDER [--face3d NPZ] --half A --clips 20

Each clip is acted (`generate.chance`), drawn (`quick_face`), filmed with noise, light and drop-outs
(`generate.camera`), compressed by H.264 and decoded; then the regions are followed by the runtime's own
`FaceMotion`, with landmarks that are as far off as a detector's. One `.npz` a clip, with its truth.

With --face3d the photographs move by the sculpted shapes. --half A or B takes every other person.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.errors import MicroauError
from ..engine.faces import find_faces
from ..engine.motion import FaceMotion, Motion
from ..engine.motion_file import save_motions
from ..engine.records import Face, Frame, Picture
from .command import run_command
from .generate.camera import TIME_BASE, Camera, Shot
from .generate.chance import CONFOUNDS, Excerpts, random_scenario
from .generate.curves import load_recording
from .generate.fields import Fields, FieldsOf, Style
from .generate.people import PHOTO_ENDINGS, ict_people
from .generate.scenario import Scenario
from .generate.truth import ClipTruth
from .quick_face import QuickFace, mirrored

F32 = NDArray[np.float32]
Gray = NDArray[np.uint8]
Rng = np.random.Generator

SIZES, SMALL = (75.0, 130.0), (46.0, 75.0)
"""Eye distances in pixels: of most clips, and ..."""
OFTEN_SMALL = 0.25
"""... of this share of them."""
PRESETS = ("ultrafast", "veryfast", "fast")
LANDMARK_BIAS, LANDMARK_NOISE, LANDMARK_S = 0.006, 0.003, 0.05
"""OED, how far a detector's points are off for good and from moment to moment; seconds it remembers."""
SHAPES = 8
"""Identities of the 3D face whose shapes the photographs borrow."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make."""

    photos: Path
    face3d: Path | None
    half: str
    clips: int
    fps: tuple[float, ...]
    seconds: float
    events: int
    amplitude: tuple[float, float]
    confounds: tuple[str, ...]
    curves: Path | None
    seed: int
    crf: tuple[int, int] | None = None
    """Of H.264, lowest and highest; None: as cameras do, in three clips of ten over 24."""
    oed: tuple[float, float] | None = None
    """Pixels, smallest and largest eye distance; None: SIZES, and SMALL as often as OFTEN_SMALL says."""


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Who acts."""

    photos: tuple[tuple[str, F32, F32], ...]
    """Name, gray picture, face points."""
    shapes: tuple[Any, ...]
    """Faces of the 3D model, or none."""
    recorded: Excerpts | None


def gather(plan: Plan) -> Cast:
    """Find the faces. Raises MicroauError where there is none."""
    known = plan.photos.iterdir() if plan.photos.is_dir() else ()
    files = sorted(f for f in known if f.suffix.lower() in PHOTO_ENDINGS)
    files = files[{"A": 0, "B": 1}[plan.half] :: 2] if plan.half != "all" else files
    photos = tuple(_photo(file) for file in files)
    if not photos:
        raise MicroauError(f"{plan.photos}: holds no photograph for this half. Give a folder of them")
    salt = plan.seed * 10 + ord(plan.half[0])
    people = ict_people(plan.face3d, SHAPES, salt) if plan.face3d else []
    recorded = load_recording(plan.curves).excerpt if plan.curves else None
    return Cast(photos, tuple(person.build(100.0, True) for person in people), recorded)


def _photo(path: Path) -> tuple[str, F32, F32]:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    faces = [] if pixels is None else find_faces(Picture.from_rgb(np.ascontiguousarray(pixels[:, :, ::-1])))
    if not faces:
        raise MicroauError(f"{path}: no face was found. Give frontal photographs with a neutral face")
    gray = cv2.cvtColor(np.asarray(pixels), cv2.COLOR_BGR2GRAY).astype(np.float32)
    return path.stem, gray, max(faces, key=lambda face: face.oed).points


def make(plan: Plan, cast: Cast, number: int) -> tuple[list[Motion], dict[str, Any]]:
    """One clip: motion records and truth; the same plan and number give the same."""
    rng = np.random.default_rng([plan.seed, number])
    camera = Camera.random(rng, plan.fps[number % len(plan.fps)], (640, 480))
    if plan.crf is not None:
        camera = replace(camera, crf=int(rng.integers(plan.crf[0], plan.crf[1] + 1)))
    sizes = SMALL if rng.random() < OFTEN_SMALL else SIZES
    sizes = sizes if plan.oed is None else plan.oed
    camera = replace(camera, oed=float(np.rint(rng.uniform(*sizes))))
    name, photo, points = cast.photos[int(rng.integers(len(cast.photos)))]
    if rng.random() < 0.5:
        photo, points = mirrored(photo, points)
    photo = np.clip(photo * rng.uniform(0.7, 1.05) + rng.uniform(-15, 40), 0, 255).astype(np.float32)
    face = QuickFace(photo, points, camera.oed, float(rng.normal(1, 0.03)), camera.blur)
    fields = _fields(rng, cast, number)
    scenario = random_scenario(
        rng, fields, plan.seconds, events=plan.events, amplitude=plan.amplitude, confounds=plan.confounds,
        recorded=cast.recorded,
    )  # fmt: skip
    face = face.with_fields(fields)
    shots = camera.shots(plan.seconds, rng)
    geometry = "mixed" if cast.shapes else "photo"
    truth = ClipTruth(f"{number:03d}", name, name, geometry, scenario, camera, shots, plan.seed).record()
    drawn = list(_filmed(face, scenario, camera, shots, rng))
    return list(_followed(face, scenario, shots, drawn, camera, rng)), _short(truth)


def _fields(rng: Rng, cast: Cast, number: int) -> FieldsOf:
    style = Style.random(rng)
    return cast.shapes[number % len(cast.shapes)].with_style(style).fields if cast.shapes else Fields(style)


def _short(truth: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in truth.items() if key not in ("frame_times_s", "repeated_frames")}


def _filmed(
    face: QuickFace, scenario: Scenario, camera: Camera, shots: Sequence[Shot], rng: Rng
) -> Iterator[Gray]:
    """Decoded luma of every shot, limited range."""
    bank = rng.standard_normal((2 * face.size[1], 2 * face.size[0]), dtype=np.float32)
    preset = str(rng.choice(PRESETS))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=Fraction(camera.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = *face.size, "yuv420p"
        stream.codec_context.time_base, stream.codec_context.thread_count = TIME_BASE, 1
        stream.options = {"crf": str(camera.crf), "preset": preset, "x264-params": "mbtree=0"}
        shown, luma = -1.0, np.zeros(face.size[::-1], np.uint8)
        for shot in shots:
            if shot.content != shown:
                shown = shot.content
                luma = _exposed(face.render(scenario.state(shown)), camera, shown, bank, rng)
            no_colour = np.full((face.size[1] // 2, face.size[0]), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma, no_colour]), format="yuv420p")
            frame.pts, frame.time_base = round(shot.time / TIME_BASE), TIME_BASE
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as file:
        for frame in file.decode(video=0):
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            yield rows[: frame.height, : frame.width].copy()


def _exposed(picture: F32, camera: Camera, moment: float, bank: F32, rng: Rng) -> Gray:
    """Light, sensor noise (more where it is bright) and eight bits."""
    top, left = int(rng.integers(bank.shape[0] // 2)), int(rng.integers(bank.shape[1] // 2))
    grain = bank[top : top + picture.shape[0], left : left + picture.shape[1]]
    noisy = picture * camera.gain(moment) + camera.noise * np.sqrt(np.maximum(picture, 20) / 128) * grain
    return np.asarray(np.clip(np.rint(16 + noisy * (219 / 255)), 0, 255), np.uint8)


def _followed(
    face: QuickFace,
    scenario: Scenario,
    shots: Sequence[Shot],
    lumas: Sequence[Gray],
    camera: Camera,
    rng: Rng,
) -> Iterator[Motion]:
    stage, before = FaceMotion(), 0.0
    shape, scale = face.points.shape, face.size[0] / 2.4
    bias = rng.normal(0, LANDMARK_BIAS * scale, shape)
    wander = np.zeros(shape)
    for index, (shot, luma) in enumerate(zip(shots, lumas, strict=True)):
        keep = float(np.exp((before - shot.time) / LANDMARK_S))
        wander = keep * wander + np.sqrt(1 - keep**2) * rng.normal(0, LANDMARK_NOISE * scale, shape)
        points = (face.landmarks(scenario.state(shot.content)) + bias + wander).astype(np.float32)
        missing = max(round((shot.time - before) * camera.fps) - 1, 0) if index else 0
        before = shot.time
        frame = Frame(
            index, round(shot.time / TIME_BASE), TIME_BASE, shot.time, Picture(luma), missing=missing,
            duplicate=shot.content != shot.time,
        )  # fmt: skip
        yield stage.push(frame, Face(0, points, 1.0))


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    cv2.setNumThreads(1)
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m microau.training.motion_tracks", description="Motion records of generated clips."
    )
    add = parser.add_argument
    add("out", type=Path, metavar="OUT", help="folder for the records; what is there already is kept")
    add("--photos", type=Path, required=True, metavar="FOLDER")
    add("--face3d", type=Path, metavar="NPZ", help="move the photographs by the 3D face's shapes")
    add(
        "--half",
        choices=("A", "B", "all"),
        default="all",
        help="every other person, from the first or second",
    )
    add("--clips", type=int, default=8, metavar="N")
    add("--fps", type=float, nargs="+", default=[200.0], metavar="F")
    add("--seconds", type=float, default=5.0)
    add("--events", type=int, default=3, help="micro-expressions in a clip, as many as fit")
    add("--amplitude", type=float, nargs=2, default=[0.8, 4.0], metavar=("LO", "HI"))
    add("--confounds", nargs="*", default=list(CONFOUNDS), metavar="NAME")
    add(
        "--crf",
        type=int,
        nargs=2,
        metavar=("LO", "HI"),
        help="compress every clip so (default: as it comes)",
    )
    add(
        "--oed",
        type=float,
        nargs=2,
        metavar=("LO", "HI"),
        help="eye distances in pixels (default: 75 to 130, a quarter of the clips 46 to 75)",
    )
    add("--curves", type=Path, metavar="CSV", help="LiveLinkFace curves that some movements follow")
    add("--seed", type=int, default=0)
    parser.set_defaults(run=_run)
    return parser


def _run(options: argparse.Namespace) -> None:
    plan = Plan(
        options.photos, options.face3d, options.half, options.clips, tuple(options.fps), options.seconds,
        options.events, tuple(options.amplitude), tuple(options.confounds), options.curves, options.seed,
        tuple(options.crf) if options.crf else None, tuple(options.oed) if options.oed else None,
    )  # fmt: skip
    write_clips(plan, options.out)


def write_clips(plan: Plan, folder: Path) -> list[Path]:
    """Make the clips of a plan that are not there yet; all of its files."""
    names = [folder / f"{number:03d}.npz" for number in range(plan.clips)]
    if all(path.exists() for path in names):
        return names
    cast = gather(plan)
    for number, path in enumerate(names):
        if not path.exists():
            save_motions(path, *make(plan, cast, number))
            print(path, file=sys.stderr, flush=True)
    return names


if __name__ == "__main__":
    sys.exit(main())
