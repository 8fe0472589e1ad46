"""`microau-generate`: micro-expression videos with exact truth.

microau-generate OUT --photos FOLDER        from frontal photographs with neutral faces
microau-generate OUT --face3d FILE.npz      from ICT-FaceKit's 3D face
microau-generate OUT --photos FOLDER --face3d FILE.npz --geometry mixed
                                            photographs that move as the 3D face does
microau-generate OUT --photos FOLDER --geometry sparse
                                            photographs of which a few landmarks pull the skin along
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from ...engine.errors import MicroauError
from .produce import ALL, Plan, produce

EPILOG = """
OUT/videos/NAME.mp4 and NAME.truth.json: onset, apex, offset (frames and seconds), units, side, amplitude
in percent of the eye distance, and every confound with its span. OUT/labels.csv: CASME II's columns.
With --images: CASME2-RAW/subXX/EPxx_xx/imgN.jpg and CASME2-coding-generated.csv, as that set lies on disk.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend, 130 interrupted."""
    try:
        _run(_parser().parse_args(argv))
    except MicroauError as error:
        print(f"microau-generate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    plan = _plan(options)
    bar = Progress(
        "clips", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True),
        disable=options.quiet or not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        task = bar.add_task("clips", total=plan.clips)
        for _ in produce(plan):
            bar.advance(task)
    if not options.quiet:
        print(f"{plan.clips} clips in {plan.out}", file=sys.stderr)


def _plan(options: argparse.Namespace) -> Plan:
    photos, face3d = _sources(options.geometry, options.photos, options.face3d)
    return Plan(
        out=options.out,
        photos=photos,
        face3d=face3d,
        sparse=options.geometry == "sparse",
        persons=options.persons,
        clips=options.clips,
        seconds=options.seconds,
        events=(0, 0) if options.event_free else tuple(options.events),
        amplitude=tuple(options.amplitude),
        fps=tuple(options.fps),
        size=_size(options.size),
        confounds=_confounds(options.confounds),
        curves=options.curves,
        images=options.images,
        seed=options.seed,
        workers=options.workers,
    )


def _sources(
    geometry: str | None, photos: Path | None, face3d: Path | None
) -> tuple[Path | None, Path | None]:
    """What the geometry needs, and nothing else; without one it follows from what is given."""
    if geometry is None and photos and face3d:
        raise MicroauError("photographs and the 3D face: say --geometry photo, face3d or mixed")
    for name, path, wanted_by in (("--photos", photos, "photo sparse"), ("--face3d", face3d, "face3d")):
        if path is None and geometry and geometry in (*wanted_by.split(), "mixed"):
            raise MicroauError(f"--geometry {geometry} needs {name}")
    return (
        None if geometry == "face3d" else photos,
        None if geometry in ("photo", "sparse") else face3d,
    )


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise MicroauError(f"--size {text}: give width and height as 640x480")
    return int(parts[0]), int(parts[1])


def _confounds(names: Sequence[str]) -> tuple[str, ...]:
    if list(names) in (["all"], ["none"]):
        return ALL if names[0] == "all" else ()
    return tuple(names)


def _parser() -> argparse.ArgumentParser:
    default = {name: field.default for name, field in Plan.__dataclass_fields__.items()}
    parser = argparse.ArgumentParser(
        prog="microau-generate",
        description="Make micro-expression videos with exact truth.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    parser.add_argument("--geometry", choices=("photo", "face3d", "mixed", "sparse"),
                        help="who moves and how; follows from which of the next is given")  # fmt: skip
    parser.add_argument("--photos", type=Path, metavar="FOLDER",
                        help="photographs or short videos, one neutral face each")  # fmt: skip
    parser.add_argument(
        "--face3d", type=Path, metavar="PATH", help="ICT-FaceKit: its folder or one .npz of its arrays"
    )
    parser.add_argument("--persons", type=int, default=default["persons"], metavar="N")
    parser.add_argument("--clips", type=int, default=default["clips"], metavar="N")
    parser.add_argument("--seconds", type=float, default=default["seconds"], help="length of a clip")
    parser.add_argument("--events", type=int, nargs=2, default=default["events"], metavar=("MIN", "MAX"),
                        help="micro-expressions in a clip")  # fmt: skip
    parser.add_argument("--event-free", action="store_true", help="none at all, confounds only")
    parser.add_argument("--amplitude", type=float, nargs=2, default=default["amplitude"],
                        metavar=("LO", "HI"), help="peak, percent of the eye distance")  # fmt: skip
    parser.add_argument("--fps", type=float, nargs="+", default=default["fps"], metavar="F",
                        help="frames per second; one of them for each clip")  # fmt: skip
    parser.add_argument("--size", default="640x480", metavar="WxH")
    parser.add_argument("--confounds", nargs="+", default=["all"], metavar="NAME",
                        help=f"all, none, or some of: {', '.join(ALL)}")  # fmt: skip
    parser.add_argument("--curves", type=Path, metavar="CSV",
                        help="LiveLinkFace blendshape curves that some movements follow")  # fmt: skip
    parser.add_argument("--images", action="store_true", help="JPEG sequences in CASME II's folders")
    parser.add_argument("--seed", type=int, default=default["seed"])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--quiet", action="store_true")
    return parser
