"""`microau-evaluate`: stored predictions or found movements -> tables.

microau-evaluate spotting FOLDER              run `microau-stream` on generated clips, and score it
microau-evaluate spotting FOLDER --events DIR score results that are there already
microau-evaluate predictions FILE             units and emotions from stored predictions
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ...engine.errors import MicroauError
from .files import TrueClip, read_events, read_truths
from .report import spotting_page
from .runner import run_all
from .spotting import Clip, Movement, keep_found, score_clips


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except MicroauError as error:
        print(f"microau-evaluate: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="microau-evaluate", description="Predictions against the truth.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_spotting(commands.add_parser("spotting", help="found movements against generated truth"))
    return parser


def _add_spotting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="a folder written by microau-generate")
    parser.add_argument(
        "--events", type=Path, metavar="DIR", help="results of microau-stream, one folder a clip"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where to leave the results of this run")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--min-score", type=float, default=0.0, help="leave weaker movements out")
    parser.add_argument(
        "--without",
        nargs="*",
        default=["macro"],
        metavar="FLAG",
        help="leave flagged movements out (macro)",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="ARG",
        help="passed on to microau-stream, e.g. --option=--au-only",
    )
    parser.set_defaults(run=_spotting)


def _spotting(arguments: argparse.Namespace) -> None:
    clips = read_truths(arguments.folder)
    found = _with_events(clips, arguments.events) if arguments.events else _run(clips, arguments)
    kept = keep_found(found, lambda m: _is_kept(m, arguments.min_score, arguments.without))
    print(spotting_page(score_clips(kept)))


def _is_kept(movement: Movement, least: float, without: Iterable[str]) -> bool:
    return movement.score >= least and not set(movement.flags) & set(without)


def _with_events(clips: Sequence[TrueClip], events: Path) -> list[Clip]:
    if not events.is_dir():
        raise MicroauError(f"{events}: no such folder of results; leave --events out to make them")
    return [replace(c.clip, found=read_events(events / c.clip.name / "events.csv")) for c in clips]


def _run(clips: Sequence[TrueClip], arguments: argparse.Namespace) -> list[Clip]:
    with tempfile.TemporaryDirectory(prefix="microau-evaluate-") as scratch:
        out = arguments.keep or Path(scratch)
        jobs = [(clip.video, out / clip.clip.name) for clip in clips]
        for done, (video, _) in enumerate(run_all(jobs, arguments.workers, arguments.option), 1):
            print(f"{done}/{len(jobs)} {video.name}", file=sys.stderr)
        return _with_events(clips, out)


if __name__ == "__main__":
    sys.exit(main())
