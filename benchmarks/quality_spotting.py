"""Spotting and units on generated clips, through the public commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
from quality_pairs import analysed

from microau.training import metrics
from microau.training.evaluation.files import read_truths
from microau.training.evaluation.units import numbers
from microau.training.quality import PAPER_AUS

BINS = {"1.5-4 %": ("1.5-2.5 %", "2.5-4 %", "4-inf %"), "0.8-1.5 %": ("0.8-1.5 %",)}


def spotted(folders: dict[str, Path], real: list[Path], workers: int) -> dict[str, dict]:
    """'all', its parts by compression, sets, 'event_free' -> figures of `microau-evaluate spotting`."""
    work = next(iter(folders.values())).parent
    moving = {name: folder for name, folder in folders.items() if "event-free" not in name}
    said = {name: _evaluate([folder], workers) for name, folder in moving.items()}
    free = {name: _evaluate(["--event-free", folder / "videos"], workers)["event_free"]
            for name, folder in folders.items() if name not in moving}  # fmt: skip
    if real:
        free["GRID clips of speech (real)"] = _evaluate(["--event-free", *real], workers)["event_free"]
    parts = {name: _evaluate([folder], workers) for name, folder in _together(work, moving).items()}
    return {**{n: _figures(s) for n, s in (parts | said).items()},
            "event_free": {name: next(iter(row.values())) for name, row in free.items()}}  # fmt: skip


def _together(work: Path, folders: dict[str, Path]) -> dict[str, Path]:
    """Folders of links to the videos of all sets, each under its own name: all, and by compression."""
    parts = {name: work / name for name in ("all", "crf to 20", "crf from 25")}
    for part in parts.values():
        shutil.rmtree(part, ignore_errors=True)
    for name, folder in folders.items():
        for truth in (folder / "videos").glob("*.truth.json"):
            crf = json.loads(truth.read_text())["camera"]["crf"]
            for part in (parts["all"], parts["crf to 20" if crf <= 20 else "crf from 25"]):
                (part / name).mkdir(parents=True, exist_ok=True)
                video = truth.with_name(truth.name.replace(".truth.json", ".mp4"))
                for file in (truth, video):
                    (part / name / file.name).hardlink_to(file)
    return {name: part for name, part in parts.items() if part.is_dir()}


def _evaluate(arguments: list[object], workers: int) -> dict:
    command = [str(Path(sys.executable).with_name("microau-evaluate")), "spotting", *map(str, arguments)]
    done = subprocess.run(
        [*command, "--json", "--workers", str(workers)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def _figures(said: dict) -> dict:
    units = {int(name[2:]): figures for name, figures in said["units"].items()}
    papers = [figures for au, figures in units.items() if au in PAPER_AUS]
    return {
        "whole": said["all"]["all"],
        "amplitude": {
            name: _summed([said["amplitude"].get(b) for b in bins]) for name, bins in BINS.items()
        },
        "timing_ms": {moment: figures["median_abs"] for moment, figures in said["timing_ms"].items()},
        "units_given": _mean([f["f1_given"] for f in papers]),
        "units_whole": _mean([f["f1_whole"] for f in papers]),
    }


def _summed(rows: list[dict | None]) -> dict[str, float]:
    there = [row for row in rows if row]
    true, tp, fp = (sum(row[name] for row in there) for name in ("true", "tp", "fp"))
    return {"true": true, "tp": tp, "fp": fp, "f1": 2 * tp / max(true + tp + fp, 1)}


def _mean(values: list[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


def given_pairs(folders: list[Path]) -> dict[str, float]:
    """Units at the true onset and apex of every movement in the clips: mean F1 of the paper's eight. In a
    face too small for a pair nothing is decided.
    """
    truth, decided = [], []
    for folder in folders:
        for one in read_truths(folder):
            frames = _frames(one.video, {f for m in one.clip.truth for f in (m.onset, m.apex)})
            for movement in one.clip.truth:
                said = analysed((frames[movement.onset], frames[movement.apex]))
                there = {int(name[2:]) for name in said.present} if said else set()
                truth.append([au in numbers(movement.units) for au in PAPER_AUS])
                decided.append([au in there for au in PAPER_AUS])
    f1 = metrics.presence_f1(np.array(truth, np.int64), np.array(decided, np.int64))
    return {"f1_paper": metrics.mean(f1), "movements": len(truth)}


def _frames(video: Path, wanted: set[int]) -> dict[int, np.ndarray]:
    with av.open(str(video)) as container:
        return {
            k: frame.to_ndarray(format="rgb24")
            for k, frame in enumerate(container.decode(video=0))
            if k in wanted
        }
