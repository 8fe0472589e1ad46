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
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import MicroauError
from ..engine.scorer import Scorer
from .command import run_command
from .spot_clips import BINS, RIGHT, Clip, Floats, photographed, read_clips, table, total

WRONG = 0.3
"""IoU with a true movement under which a candidate is wrong."""
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


def by_person(clips: Sequence[Clip]) -> list[int]:
    """A fold for each clip; no person in two."""
    order = sorted({photographed(clip) for clip in clips})
    if len(order) < 2:
        raise MicroauError("clips of at least two persons are needed: each judges what others taught")
    return [order.index(photographed(clip)) % FOLDS for clip in clips]


def operating_point(clips: Sequence[Clip], scores: Sequence[Floats], alarms: float) -> float:
    """The highest score with about the most F1 (EQUAL) of those with fewer false alarms a minute than
    wanted where there is no micro-expression at all.
    """
    free = [k for k, clip in enumerate(clips) if not len(clip.truth)]
    reached: dict[float, float] = {}
    for least in np.linspace(0.05, 0.99, 95).tolist():
        still = total([clips[k] for k in free], [scores[k] for k in free], least)
        if not free or still.alarms < alarms:
            reached[least] = total(clips, scores, least).f1
    if not reached:
        raise MicroauError(f"no score keeps false alarms under {alarms:g} a minute: allow more (--alarms)")
    enough = max(reached.values()) - EQUAL
    return max(least for least, f1 in reached.items() if f1 >= enough)


def at_operating_point(scorer: Scorer, least: float) -> Scorer:
    """The same scorer with its logit moved so that `least` becomes 0.5."""
    return replace(scorer, bias=scorer.bias - float(np.log(least / (1 - least))))


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
    parser.add_argument(
        "--ignore", nargs="*", default=[], metavar="FEATURE", help="learn without; all that begin so"
    )
    parser.add_argument("--alarms", type=float, default=0.7, help="false alarms a minute at 0.5 (0.7)")
    parser.add_argument("--out", type=Path, help="where to write the scorer")
    parser.set_defaults(run=_run)
    return parser


def _read(paths: Sequence[Path]) -> tuple[tuple[str, ...], list[Clip]]:
    return read_clips(line for path in paths for line in _lines(path))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MicroauError(f"{path}: cannot be read ({error})") from None


def _run(options: argparse.Namespace) -> None:
    if options.candidates:
        _learn(options)
    elif options.out:
        raise MicroauError("--out: name the candidates to learn from")
    elif options.test:
        _, clips = _read(options.test)
        print(table(clips, {"score": ([c.score for c in clips], 0.5), "judged": (_judged(clips), 0.5)}))


def _judged(clips: Sequence[Clip]) -> list[Floats]:
    return [clip.judged for clip in clips]


def _material(options: argparse.Namespace) -> tuple[tuple[str, ...], list[Clip], list[Clip]]:
    """Names of the features, the clips to learn from, and those of other persons to report on."""
    names, clips = _read(options.candidates)
    if options.without and not {photographed(clip) for clip in clips} & set(options.without):
        raise MicroauError(f"--without: no clip is of {', '.join(sorted(options.without))}")
    clips = [clip for clip in clips if photographed(clip) not in options.without]
    names, clips = _without(names, clips, tuple(options.ignore))
    if not any(len(clip.spans) for clip in clips):
        raise MicroauError("no candidates to learn from: nothing moves in these clips")
    read_names, others = _read(options.test) if options.test else (names, [])
    _, others = _without(read_names, others, tuple(options.ignore))
    _require_others(clips, others)
    return names, clips, others


def _learn(options: argparse.Namespace) -> None:
    names, clips, others = _material(options)
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
    if others:
        scores = [scored(scorer, c) for c in others]
        print("other clips:")
        print(table(others, {"learned": (scores, 0.5), "judged": (_judged(others), 0.5)}))
    if options.out:
        options.out.write_text(scorer.to_json(), encoding="utf-8")


def _require_others(clips: Sequence[Clip], others: Sequence[Clip]) -> None:
    """What is tested on must be of persons that nothing was learned from."""
    both = {photographed(clip) for clip in clips} & {photographed(clip) for clip in others}
    if both:
        raise MicroauError(f"--test: {', '.join(sorted(both))} would be learned from too (--without)")


def _without(
    names: tuple[str, ...], clips: list[Clip], begin: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Clip]]:
    """The same without the features whose names begin so."""
    kept = [k for k, name in enumerate(names) if not name.startswith(begin)]
    return tuple(names[k] for k in kept), [replace(c, features=c.features[:, kept]) for c in clips]


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
