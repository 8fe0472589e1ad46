"""Learn how sure a candidate movement is: gradient-boosted trees over the spotter's features.

    python -m microau.training.spot_scorer candidates.jsonl --test others.jsonl --out scorer.json

in    lines of `microau.stream.candidates`: clips with their truth and all candidates
out   the scorer's file (`engine/scorer.py`), and a table of what it reaches where it was not trained

A candidate is right where it overlaps a true micro-expression with an IoU of at least 0.5, wrong under
0.3; what lies between is left out. 0.5 is the operating point: of the scores that gave fewer than
`--alarms` false alarms a minute in clips without a micro-expression, persons held out, the highest with
about the most F1.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.scorer import Scorer, unexplained
from .command import run_command

Floats = NDArray[np.float64]

RIGHT, WRONG = 0.5, 0.3
"""IoU with a true movement from which a candidate is right, and under which it is wrong."""
DRAWS, TREES, DEPTH = 2, 300, 3
"""The mean of two sets of trees, each from other draws of the candidates: one alone may be .01 worse or
better. 4800 leaves in all; deeper or more are no better (docs/spotting.md)."""
RATE = 0.08
SHARE, FEATURES_AT_ONCE = 0.5, 0.3
"""Of the candidates that each tree sees, and of the features that each question is chosen from."""
LEAST = 20
"""Candidates in a leaf."""
EQUAL = 0.002
"""Of F1: a difference that says nothing. Of equals the stricter one is taken."""
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
    unexplained: Floats
    """(N,) what `scorer.unexplained` says of them: a learned score is a probability times this."""
    judged: Floats
    """(N,) score of the training-free rating."""
    score: Floats
    """(N,) score of the scorer that the lines were made with."""

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
    judged = np.array([c["judged"] for c in rows], float)
    measured = np.array([[c["features"][n] for n in names] for c in rows], float)
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
        measured.reshape(-1, len(names)),
        np.array([unexplained(c["features"]) for c in rows], float),
        judged,
        np.array([c["score"] for c in rows], float),
    )


def train(names: tuple[str, ...], clips: Sequence[Clip], about: dict[str, Any], seed: int = 0) -> Scorer:
    """Fit to the candidates of the clips; the score is a probability still.

    Stochastic gradient boosting (Friedman 2001, 2002) as scikit-learn does it.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    overlap = np.concatenate([clip.overlap for clip in clips])
    sure = (overlap >= RIGHT) | (overlap < WRONG)
    x = np.concatenate([clip.features for clip in clips if len(clip.spans)])[sure]
    y = overlap[sure] >= RIGHT
    trees = []
    for draw in range(DRAWS):
        model = GradientBoostingClassifier(
            n_estimators=TREES, max_depth=DEPTH, learning_rate=RATE, subsample=SHARE,
            max_features=FEATURES_AT_ONCE, min_samples_leaf=LEAST, random_state=seed + draw,
        ).fit(x, y)  # fmt: skip
        trees += [whole_tree(one.tree_, DEPTH) for one in model.estimators_[:, 0]]
    feature, threshold, leaf = (np.stack(part) for part in zip(*trees, strict=True))
    prior = float(np.log(y.mean() / (1 - y.mean())))
    return Scorer(names, feature, threshold, RATE / DRAWS * leaf, prior, about)


def whole_tree(tree: Any, depth: int) -> tuple[NDArray[np.intp], Floats, Floats]:
    """(2**D - 1,) features and thresholds and (2**D,) leaves of scikit-learn's tree, level by level.

    Where it ends early the questions go on with infinity, so that its value lies at the left-most leaf.
    """
    questions = 2**depth - 1
    feature, threshold = np.zeros(questions, np.intp), np.full(questions, np.inf)
    leaf = np.zeros(questions + 1)
    places = [(0, 0)]  # of scikit-learn's node, and of ours
    while places:
        node, here = places.pop()
        ends = tree.children_left[node] < 0
        if here >= questions:
            leaf[here - questions] = tree.value[node].item()
        elif ends:
            places.append((node, 2 * here + 1))
        else:
            feature[here], threshold[here] = tree.feature[node], tree.threshold[node]
            places += [(tree.children_left[node], 2 * here + 1), (tree.children_right[node], 2 * here + 2)]
    return feature, threshold, leaf


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


def scored(scorer: Scorer, clip: Clip) -> Floats:
    """(N,) what the spotter with this scorer says of the clip's candidates."""
    return scorer.probabilities(clip.features) * clip.unexplained if len(clip.spans) else np.zeros(0)


def cross_scores(names: tuple[str, ...], clips: Sequence[Clip], folds: Sequence[int]) -> list[Floats]:
    """Scores of every clip by a scorer that saw no clip of its fold."""
    scores: list[Floats] = [np.zeros(0)] * len(clips)
    for fold in sorted(set(folds)):
        seen = [clip for clip, f in zip(clips, folds, strict=True) if f != fold]
        scorer = train(names, seen, {})
        for k, clip in enumerate(clips):
            if folds[k] == fold:
                scores[k] = scored(scorer, clip)
    return scores


def photographed(clip: Clip) -> str:
    """Whose photograph moves: the person without the sculpted shapes that move it."""
    return clip.person.partition("+")[0]


def by_person(clips: Sequence[Clip]) -> list[int]:
    """A fold for each clip; no person in two."""
    order = sorted({photographed(clip) for clip in clips})
    return [order.index(photographed(clip)) % FOLDS for clip in clips]


def by_geometry(clips: Sequence[Clip]) -> list[int]:
    """A fold for each clip: what moves alike is kept together."""
    order = sorted({clip.geometry for clip in clips})
    return [order.index(clip.geometry) for clip in clips]


def operating_point(clips: Sequence[Clip], scores: Sequence[Floats], alarms: float) -> float:
    """The highest score with about the most F1 (EQUAL) of those with fewer false alarms a minute than
    wanted where there is no micro-expression at all.
    """
    free = [k for k, clip in enumerate(clips) if not len(clip.truth)]
    reached = {0.99: 0.0}
    for least in np.linspace(0.05, 0.99, 95).tolist():
        still = total([clips[k] for k in free], [scores[k] for k in free], least)
        if not free or still.alarms < alarms:
            reached[least] = total(clips, scores, least).f1
    enough = max(reached.values()) - EQUAL
    return max(least for least, f1 in reached.items() if f1 >= enough)


def at_operating_point(scorer: Scorer, least: float) -> Scorer:
    """The same scorer with its logit moved so that `least` becomes 0.5."""
    return replace(scorer, bias=scorer.bias - float(np.log(least / (1 - least))))


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
    parser.add_argument(
        "candidates", type=Path, nargs="*", help="lines of microau.stream.candidates to learn from"
    )
    parser.add_argument(
        "--test", type=Path, nargs="*", default=[], help="clips of other persons, to report on"
    )
    parser.add_argument(
        "--without", nargs="*", default=[], metavar="PERSON", help="persons to leave out, kept for tests"
    )
    parser.add_argument("--alarms", type=float, default=0.7, help="false alarms a minute at 0.5 (0.7)")
    parser.add_argument("--out", type=Path, help="where to write the scorer")
    parser.set_defaults(run=_run)
    return parser


def _read(paths: Sequence[Path]) -> tuple[tuple[str, ...], list[Clip]]:
    return read_clips(line for path in paths for line in path.read_text(encoding="utf-8").splitlines())


def _run(options: argparse.Namespace) -> None:
    if options.candidates:
        _learn(options)
    elif options.test:
        _, clips = _read(options.test)
        print(table(clips, {"score": ([c.score for c in clips], 0.5), "judged": (_judged(clips), 0.5)}))


def _judged(clips: Sequence[Clip]) -> list[Floats]:
    return [clip.judged for clip in clips]


def _learn(options: argparse.Namespace) -> None:
    names, clips = _read(options.candidates)
    clips = [clip for clip in clips if photographed(clip) not in options.without]
    folds = cross_scores(names, clips, by_person(clips))
    least = operating_point(clips, folds, options.alarms)
    print(f"{len(clips)} clips, operating point {least:.2f}; persons held out in turn:")
    print(table(clips, {"learned": (folds, least), "judged": (_judged(clips), 0.5)}))
    about = {
        "made": f"{datetime.date.today()}, python -m microau.training.spot_scorer, seed 0",
        "clips": len(clips),
        "persons": len({photographed(c) for c in clips}),
        "left out": sorted(options.without),
        "candidates": sum(len(c.spans) for c in clips),
        "minutes": round(sum(c.minutes for c in clips), 1),
        "minutes without an event": round(sum(c.minutes for c in clips if not len(c.truth)), 1),
        "alarms": options.alarms,
        "persons held out": _summary(clips, folds, least),
    }
    scorer = at_operating_point(train(names, clips, about), least)
    _print_transfer(names, clips, options.alarms)
    if options.test:
        _, others = _read(options.test)
        scores = [scored(scorer, c) for c in others]
        print("other clips:")
        print(table(others, {"learned": (scores, 0.5), "judged": (_judged(others), 0.5)}))
    if options.out:
        options.out.write_text(scorer.to_json(), encoding="utf-8")


def _summary(clips: Sequence[Clip], scores: Sequence[Floats], least: float) -> dict[str, float]:
    """Figures at the operating point, three digits."""
    fast = [k for k, clip in enumerate(clips) if clip.rate >= 150]
    some = [clips[k] for k in fast], [scores[k] for k in fast]
    figures = {
        f"F1 {low:g}-{high:.2g} %": total(*some, least, amplitudes=(low, high)).f1 for low, high in BINS
    }
    free = [k for k, clip in enumerate(clips) if not len(clip.truth)]
    still = total([clips[k] for k in free], [scores[k] for k in free], least)
    return {name: round(value, 3) for name, value in (figures | {"alarms a minute": still.alarms}).items()}


def _print_transfer(names: tuple[str, ...], clips: Sequence[Clip], alarms: float) -> None:
    """Train on all geometries but one, test on that one."""
    for geometry in sorted({clip.geometry for clip in clips} - {"real"}):
        rest = [c for c in clips if c.geometry != geometry]
        held = [c for c in clips if c.geometry == geometry]
        if not any(len(c.truth) for c in rest) or not any(len(c.truth) for c in held):
            continue
        least = operating_point(rest, cross_scores(names, rest, by_person(rest)), alarms)
        scorer = train(names, rest, {})
        scores = [scored(scorer, c) for c in held]
        print(f"geometry held out: {geometry}")
        print(table(held, {"learned": (scores, least), "judged": (_judged(held), 0.5)}))


if __name__ == "__main__":
    sys.exit(main())
