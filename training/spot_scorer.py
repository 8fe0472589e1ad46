"""Learn how sure a candidate movement is: a small network over the spotter's features.

    python -m microau.training.spot_scorer candidates.jsonl --out scorer.json
    python -m microau.training.spot_scorer candidates.jsonl --check    # held-out persons and geometries

in    lines of `microau.stream.candidates`: clips with their truth and all candidates
out   the scorer's file (`engine/scorer.py`), and a table of what it reaches where it was not trained

A candidate is right where it overlaps a true micro-expression with an IoU of at least 0.5, wrong under
0.3; what lies between is left out. 0.5 is the operating point: of the scores that gave fewer than
`--alarms` false alarms a minute in clips without a micro-expression, persons held out, the one with the
most F1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.scorer import Scorer
from .command import run_command

Floats = NDArray[np.float64]

RIGHT, WRONG = 0.5, 0.3
"""IoU with a true movement from which a candidate is right, and under which it is wrong."""
HIDDEN = 8
"""Hidden units: with 24 features 209 weights."""
RESTARTS = 3
"""Networks whose mean is the scorer, each from another start."""
DECAY = 0.02
"""Weight of the squared weights against the mean log loss (chosen on folds of the training clips)."""
STEPS = 400
"""Of Adam on all candidates at once."""
RATE = 0.02
FOLDS = 5
BINS = ((0.8, 1.5), (1.5, 4.01))
"""Percent of the eye distance: rows of the table."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One clip with its candidates."""

    name: str
    person: str
    geometry: str
    rate: float
    minutes: float
    truth: Floats
    """(M, 2) onset and offset in seconds."""
    amplitude: Floats
    """(M,) percent of the eye distance."""
    spans: Floats
    """(N, 2) the same of the candidates, in the order of decision."""
    features: Floats
    """(N, F)."""
    judged: Floats
    """(N,) score of the training-free rating."""

    @property
    def overlap(self) -> Floats:
        """(N,) largest IoU of each candidate with a true movement."""
        if not len(self.truth) or not len(self.spans):
            return np.zeros(len(self.spans))
        return np.asarray(overlaps(self.spans, self.truth).max(axis=1), np.float64)


def overlaps(found: Floats, true: Floats) -> Floats:
    """(N, M) intersection over union of spans in seconds."""
    low = np.maximum(found[:, None, 0], true[None, :, 0])
    both = np.clip(np.minimum(found[:, None, 1], true[None, :, 1]) - low, 0, None)
    either = np.ptp(found, axis=1)[:, None] + np.ptp(true, axis=1)[None] - both
    return np.asarray(both / np.maximum(either, 1e-9), np.float64)


def read_clips(lines: Iterable[str]) -> tuple[tuple[str, ...], list[Clip]]:
    """Names of the features, and the clips."""
    records = [json.loads(line) for line in lines]
    names = next(tuple(c["features"]) for r in records for c in r["candidates"])
    return names, [_clip(record, names) for record in records]


def _clip(record: dict[str, Any], names: tuple[str, ...]) -> Clip:
    truth, rows = record["truth"], record["candidates"]
    micros = [event for event in truth.get("events", ()) if event["kind"] == "micro"]
    return Clip(
        record["clip"],
        str(truth.get("person", record["clip"])),
        str(truth.get("geometry", "real")),
        float(truth.get("fps", 25.0)),
        record["seconds"] / 60,
        np.array([(e["onset_s"], e["offset_s"]) for e in micros], float).reshape(-1, 2),
        np.array([e["amplitude"] for e in micros], float),
        np.array([(c["onset"], c["offset"]) for c in rows], float).reshape(-1, 2),
        np.array([[c["features"][n] for n in names] for c in rows], float).reshape(-1, len(names)),
        np.array([c["judged"] for c in rows], float),
    )


def train(names: tuple[str, ...], clips: Sequence[Clip], about: dict[str, Any], seed: int = 0) -> Scorer:
    """Fit to the candidates of the clips; the score is a probability still."""
    x = np.concatenate([clip.features for clip in clips])
    overlap = np.concatenate([clip.overlap for clip in clips])
    sure = (overlap >= RIGHT) | (overlap < WRONG)
    x, y = x[sure], (overlap[sure] >= RIGHT).astype(float)
    low, high = np.quantile(x, (0.002, 0.998), axis=0)
    held = np.clip(x, low, high)
    centre, scale = held.mean(axis=0), held.std(axis=0) + 1e-3
    nets = [_fit((held - centre) / scale, y, np.random.default_rng([seed, k])) for k in range(RESTARTS)]
    return Scorer(names, centre, scale, low, high, _together(nets), about)


def _fit(x: Floats, y: Floats, rng: np.random.Generator) -> list[Floats]:
    """[weights (H, F), bias (H,), weights (1, H), bias (1,)] of one network, by Adam (Kingma 2015)."""
    parts = [rng.normal(0, 0.3, (HIDDEN, x.shape[1])), np.zeros(HIDDEN), rng.normal(0, 0.3, (1, HIDDEN)),
             np.array([np.log((y.sum() + 1) / (len(y) - y.sum() + 1))])]  # fmt: skip
    first, second = [np.zeros_like(p) for p in parts], [np.zeros_like(p) for p in parts]
    for step in range(1, STEPS + 1):
        rate = RATE * (1 - step / (STEPS + 1))
        for k, slope in enumerate(gradient(parts, x, y)):
            first[k] = 0.9 * first[k] + 0.1 * slope
            second[k] = 0.99 * second[k] + 0.01 * slope**2
            unbiased = first[k] / (1 - 0.9**step), second[k] / (1 - 0.99**step)
            parts[k] = parts[k] - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return parts


def loss(parts: Sequence[Floats], x: Floats, y: Floats) -> float:
    """Mean log loss plus DECAY times the squared weights."""
    z = (np.tanh(x @ parts[0].T + parts[1]) @ parts[2].T + parts[3])[:, 0]
    decay = DECAY * ((parts[0] ** 2).sum() + (parts[2] ** 2).sum()) / len(parts[2][0])
    return float(np.mean(np.logaddexp(0, z) - y * z) + decay)


def gradient(parts: Sequence[Floats], x: Floats, y: Floats) -> list[Floats]:
    """Of `loss`, in the order of the parts."""
    hidden = np.tanh(x @ parts[0].T + parts[1])  # (N, H)
    z = (hidden @ parts[2].T + parts[3])[:, 0]
    miss = (1 / (1 + np.exp(-z)) - y)[:, None] / len(y)  # (N, 1)
    back = miss @ parts[2] * (1 - hidden**2)  # (N, H)
    decay = 2 * DECAY / len(parts[2][0])
    return [
        back.T @ x + decay * parts[0], back.sum(axis=0),
        miss.T @ hidden + decay * parts[2], miss.sum(axis=0),
    ]  # fmt: skip


def _together(nets: Sequence[list[Floats]]) -> tuple[tuple[Floats, Floats], ...]:
    """Several networks as one whose logit is their mean."""
    first = np.concatenate([n[0] for n in nets]), np.concatenate([n[1] for n in nets])
    last = np.concatenate([n[2] for n in nets], axis=1) / len(nets), np.mean([n[3] for n in nets], axis=0)
    return first, last


def reported(clip: Clip, scores: Floats, least: float) -> NDArray[np.intp]:
    """Numbers of the candidates that a spotter reports: the best of those that overlap, in time order."""
    kept: list[int] = []
    for k in np.argsort(-scores):
        if scores[k] < least:
            break
        if all(clip.spans[k, 1] <= clip.spans[j, 0] or clip.spans[k, 0] >= clip.spans[j, 1] for j in kept):
            kept.append(int(k))
    return np.array(sorted(kept), np.intp)


@dataclass(frozen=True, slots=True)
class Counts:
    """Found movements against true ones."""

    true: int = 0
    right: int = 0
    false: int = 0
    minutes: float = 0.0

    @property
    def f1(self) -> float:
        whole = self.true + self.right + self.false
        return 2 * self.right / whole if whole else float("nan")

    @property
    def alarms(self) -> float:
        return self.false / self.minutes if self.minutes else float("nan")

    def plus(self, other: Counts) -> Counts:
        return Counts(
            self.true + other.true, self.right + other.right, self.false + other.false,
            self.minutes + other.minutes,
        )  # fmt: skip


def count(
    clip: Clip, scores: Floats, least: float, amplitudes: tuple[float, float] = (0, np.inf)
) -> Counts:
    """One clip at a threshold. With a range of amplitudes only true movements in it count; a false alarm
    belongs to the range of the true movement nearest to it.
    """
    chosen = reported(clip, scores, least)
    inside = (clip.amplitude >= amplitudes[0]) & (clip.amplitude < amplitudes[1])
    if not len(clip.truth):
        whole = amplitudes[1] == np.inf
        return Counts(0, 0, len(chosen) if whole else 0, clip.minutes)
    table = overlaps(clip.spans[chosen], clip.truth) >= RIGHT
    right = inside & table.any(axis=0)
    middles = clip.spans[chosen].mean(axis=1)[:, None]
    nearest = np.abs(middles - clip.truth.mean(axis=1)[None]).argmin(axis=1)
    false = ~table.any(axis=1) & inside[nearest]
    return Counts(int(inside.sum()), int(right.sum()), int(false.sum()), clip.minutes)


def total(clips: Sequence[Clip], scores: Sequence[Floats], least: float, **options: Any) -> Counts:
    """All clips together."""
    whole = Counts()
    for clip, values in zip(clips, scores, strict=True):
        whole = whole.plus(count(clip, values, least, **options))
    return whole


def cross_scores(names: tuple[str, ...], clips: Sequence[Clip], folds: Sequence[int]) -> list[Floats]:
    """Scores of every clip by a scorer that saw no clip of its fold."""
    scores: list[Floats] = [np.zeros(0)] * len(clips)
    for fold in sorted(set(folds)):
        seen = [clip for clip, f in zip(clips, folds, strict=True) if f != fold]
        scorer = train(names, seen, {})
        for k, clip in enumerate(clips):
            if folds[k] == fold:
                scores[k] = scorer.probabilities(clip.features) if len(clip.features) else np.zeros(0)
    return scores


def cross_trees(clips: Sequence[Clip], folds: Sequence[int]) -> list[Floats]:
    """The same by gradient-boosted trees over the features and the judged score: for comparison, nothing
    is shipped that runs them.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    scores: list[Floats] = [np.zeros(0)] * len(clips)
    for fold in sorted(set(folds)):
        seen = [clip for clip, f in zip(clips, folds, strict=True) if f != fold]
        x = np.concatenate([_with_judged(clip) for clip in seen if len(clip.spans)])
        overlap = np.concatenate([clip.overlap for clip in seen])
        sure = (overlap >= RIGHT) | (overlap < WRONG)
        trees = HistGradientBoostingClassifier(
            max_depth=3, learning_rate=0.06, max_iter=120, l2_regularization=3.0, min_samples_leaf=25,
            random_state=0, early_stopping=False,
        ).fit(x[sure], overlap[sure] >= RIGHT)  # fmt: skip
        for k, clip in enumerate(clips):
            if folds[k] == fold and len(clip.spans):
                scores[k] = trees.predict_proba(_with_judged(clip))[:, 1]
    return scores


def _with_judged(clip: Clip) -> Floats:
    return np.column_stack([clip.features.reshape(len(clip.spans), -1), clip.judged])


def by_person(clips: Sequence[Clip]) -> list[int]:
    """A fold for each clip; no person in two."""
    order = sorted({clip.person.split("+")[0] for clip in clips})
    return [order.index(clip.person.split("+")[0]) % FOLDS for clip in clips]


def by_geometry(clips: Sequence[Clip]) -> list[int]:
    """A fold for each clip: what moves alike is kept together."""
    order = sorted({clip.geometry for clip in clips})
    return [order.index(clip.geometry) for clip in clips]


def operating_point(clips: Sequence[Clip], scores: Sequence[Floats], alarms: float) -> float:
    """The score with the most F1 of those with fewer false alarms a minute than wanted where there is no
    micro-expression at all.
    """
    free = [k for k, clip in enumerate(clips) if not len(clip.truth)]
    best, chosen = -1.0, 0.99
    for least in np.linspace(0.05, 0.99, 95):
        still = total([clips[k] for k in free], [scores[k] for k in free], least)
        f1 = total(clips, scores, least).f1
        if (not free or still.alarms < alarms) and f1 > best:
            best, chosen = f1, float(least)
    return chosen


def at_operating_point(scorer: Scorer, least: float) -> Scorer:
    """The same scorer with its logit moved so that `least` becomes 0.5."""
    *before, (weights, bias) = scorer.layers
    moved = bias - np.log(least / (1 - least))
    return replace(scorer, layers=(*before, (weights, moved)))


def table(clips: Sequence[Clip], rows: dict[str, tuple[Sequence[Floats], float]]) -> str:
    """Text: one line a scorer and group of clips."""
    groups: dict[str, Callable[[Clip], bool]] = {
        "all": lambda c: True,
        "200 fps": lambda c: c.rate >= 150,
        "under 150 fps": lambda c: c.rate < 150 and c.geometry != "real",
        "event-free": lambda c: not len(c.truth) and c.geometry != "real",
        "real": lambda c: c.geometry == "real",
    }
    lines = [f"{'':34}{'true':>6}{'right':>7}{'false':>7}{'F1':>7}{'false/min':>11}"]
    for name, (scores, least) in rows.items():
        for group, belongs in groups.items():
            chosen = [k for k, clip in enumerate(clips) if belongs(clip)]
            some = [clips[k] for k in chosen], [scores[k] for k in chosen]
            bins = [(0, np.inf), *(BINS if group == "200 fps" else ())]
            for low, high in bins if chosen else ():
                c = total(*some, least, amplitudes=(low, high))
                label = f"{name}, {group}" + (f" {low:g}-{high:.3g} %" if high < np.inf else "")
                rate = f"{c.alarms:11.2f}" if high == np.inf else " " * 11
                lines.append(f"{label:34}{c.true:6}{c.right:7}{c.false:7}{c.f1:7.3f}{rate}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m microau.training.spot_scorer", description="Learn the spotter's score."
    )
    parser.add_argument("candidates", type=Path, nargs="+", help="lines of microau.stream.candidates")
    parser.add_argument(
        "--test", type=Path, nargs="*", default=[], help="clips of other persons, to report on"
    )
    parser.add_argument("--alarms", type=float, default=0.8, help="false alarms a minute at 0.5 (0.8)")
    parser.add_argument("--out", type=Path, help="where to write the scorer")
    parser.add_argument("--trees", action="store_true", help="only compare gradient-boosted trees")
    parser.set_defaults(run=_run)
    return parser


def _read(paths: Sequence[Path]) -> tuple[tuple[str, ...], list[Clip]]:
    return read_clips(line for path in paths for line in path.read_text(encoding="utf-8").splitlines())


def _run(options: argparse.Namespace) -> None:
    names, clips = _read(options.candidates)
    if options.trees:
        for what, kept_apart in (("persons", by_person(clips)), ("geometries", by_geometry(clips))):
            trees = cross_trees(clips, kept_apart)
            print(f"{len(clips)} clips, {what} held out in turn:")
            print(table(clips, {"trees": (trees, 0.5), "judged": ([c.judged for c in clips], 0.5)}))
        return
    folds = cross_scores(names, clips, by_person(clips))
    least = operating_point(clips, folds, options.alarms)
    print(f"{len(clips)} clips, operating point {least:.2f}; persons held out in turn:")
    print(table(clips, {"learned": (folds, least), "judged": ([c.judged for c in clips], 0.5)}))
    about = {
        "clips": len(clips),
        "minutes": round(sum(c.minutes for c in clips), 2),
        "alarms": options.alarms,
    }
    scorer = at_operating_point(train(names, clips, about), least)
    _print_transfer(names, clips, options.alarms)
    if options.test:
        _, others = _read(options.test)
        scores = [scorer.probabilities(c.features) if len(c.features) else np.zeros(0) for c in others]
        print("other clips:")
        print(table(others, {"learned": (scores, 0.5), "judged": ([c.judged for c in others], 0.5)}))
    if options.out:
        options.out.write_text(scorer.to_json(), encoding="utf-8")


def _print_transfer(names: tuple[str, ...], clips: Sequence[Clip], alarms: float) -> None:
    """Train on all geometries but one, test on that one."""
    for geometry in sorted({clip.geometry for clip in clips} - {"real"}):
        rest = [c for c in clips if c.geometry != geometry]
        held = [c for c in clips if c.geometry == geometry]
        if not any(len(c.truth) for c in rest) or not any(len(c.truth) for c in held):
            continue
        least = operating_point(rest, cross_scores(names, rest, by_person(rest)), alarms)
        scorer = train(names, rest, {})
        scores = [scorer.probabilities(c.features) if len(c.features) else np.zeros(0) for c in held]
        print(f"geometry held out: {geometry}")
        print(table(held, {"learned": (scores, least), "judged": ([c.judged for c in held], 0.5)}))


if __name__ == "__main__":
    sys.exit(main())
