"""`microau-evaluate`: stored predictions or found movements -> tables.

microau-evaluate spotting FOLDER              run `microau-stream` on generated clips, and score it
microau-evaluate spotting FOLDER --events DIR score results that are there already
microau-evaluate spotting --event-free VIDEO  false alarms where there is nothing to find
microau-evaluate predictions FILE             units and emotions from stored predictions
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ...engine.errors import MicroauError
from ..command import run_command
from ..datasets.registry import load
from .epochs import EPOCHS, read_epochs
from .event_free import event_free_clips
from .files import TrueClip, read_events, read_truths
from .long_videos import dataset_clips
from .predictions import read_predictions
from .report import predictions_page, spotting_page, summary
from .runner import Job, run_all
from .spotting import Clip, Movement, keep_found, score_clips


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="microau-evaluate", description="Predictions against the truth.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_spotting(commands.add_parser("spotting", help="found movements against generated truth"))
    _add_predictions(commands.add_parser("predictions", help="units and emotions from stored predictions"))
    return parser


def _add_predictions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="folder or predictions.csv of a run")
    parser.add_argument("--as-published", action="store_true", help="also under the conventions of papers")
    parser.add_argument("--draws", type=int, default=1000, metavar="N", help="of the bootstrap (1000)")
    parser.set_defaults(run=_predictions)


def _predictions(arguments: argparse.Namespace) -> None:
    file = arguments.file / "predictions.csv" if arguments.file.is_dir() else arguments.file
    predictions = read_predictions(file)
    kept = file.with_name(EPOCHS)
    epochs = read_epochs(kept, predictions) if kept.exists() else None
    print(predictions_page(predictions, arguments.as_published, arguments.draws, epochs))


def _add_spotting(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=Path, nargs="?", help="clips with their truth, written by microau-generate")
    add(
        "--event-free",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="videos, or folders of them, that hold no micro-expression",
    )
    add(
        "--dataset",
        metavar="NAME",
        help="the folder is this data set (samm-lv, ...): its labels are the truth",
    )
    add("--list", action="store_true", help="every missed movement and every false alarm, too")
    add("--json", action="store_true", help="the figures as one JSON object instead of tables")
    add("--events", type=Path, metavar="DIR", help="results that are there already, one folder a clip")
    add("--keep", type=Path, metavar="DIR", help="where to leave the results of this run")
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="clips at a time")
    add("--rate", type=float, metavar="FPS", help="only clips of this nominal frame rate")
    add("--min-score", type=float, default=0.0, metavar="P", help="leave weaker movements out")
    add(
        "--without",
        nargs="*",
        default=["macro"],
        metavar="FLAG",
        help="leave movements with these flags out (macro)",
    )
    add(
        "--option",
        action="append",
        default=[],
        metavar="ARG",
        help="passed on to microau-stream, e.g. --option=--au-only",
    )
    parser.set_defaults(run=_spotting)  # fmt: skip


def _spotting(arguments: argparse.Namespace) -> None:
    clips = _clips(arguments) + event_free_clips(arguments.event_free)
    clips = [c for c in clips if arguments.rate in (None, c.clip.rate)]
    if not clips:
        raise MicroauError("nothing to score: name a folder of generated clips, or --event-free videos")
    found = _with_events(clips, arguments.events) if arguments.events else _run(clips, arguments)
    kept = keep_found(found, lambda m: _is_kept(m, arguments.min_score, arguments.without))
    outcome = score_clips(kept)
    if arguments.json:
        print(json.dumps(summary(outcome), indent=1))
    else:
        print(spotting_page(outcome, arguments.list))


def _clips(arguments: argparse.Namespace) -> list[TrueClip]:
    if arguments.folder is None:
        return []
    if arguments.dataset:
        return dataset_clips(load(arguments.dataset, arguments.folder))
    return read_truths(arguments.folder)


def _is_kept(movement: Movement, least: float, without: Iterable[str]) -> bool:
    return movement.score >= least and not set(movement.flags) & set(without)


def _with_events(clips: Sequence[TrueClip], events: Path) -> list[Clip]:
    if not events.is_dir():
        raise MicroauError(f"{events}: no such folder of results; leave --events out to make them")
    return [replace(c.clip, found=read_events(events / c.clip.name / "events.csv")) for c in clips]


def _run(clips: Sequence[TrueClip], arguments: argparse.Namespace) -> list[Clip]:
    with tempfile.TemporaryDirectory(prefix="microau-evaluate-") as scratch:
        out = arguments.keep or Path(scratch)
        jobs = [Job(one.video, one.clip.rate, out / one.clip.name) for one in clips]
        for done, job in enumerate(run_all(jobs, arguments.workers, arguments.option), 1):
            print(f"{done}/{len(jobs)} {job.video.name}", file=sys.stderr)
        return _with_events(clips, out)


if __name__ == "__main__":
    sys.exit(main())
