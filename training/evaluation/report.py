"""The pages that `microau-evaluate` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..datasets.labels import many
from ..metrics.bootstrap import Estimate
from ..metrics.presence import mean
from .breakdown import (
    Row,
    by_amplitude,
    by_confound,
    by_rate,
    by_unit,
    causes,
    event_free,
    row_of,
    threshold_curve,
    timing,
)
from .judgement import FIGURES, EmotionTable, UnitTable, judge_emotions, judge_units
from .predictions import Predictions, Scores
from .published import as_published, by_oracle_epoch, emotion_over_folds
from .spotting import Clip, Movement, Outcome, f1_interval
from .text_table import figure, table
from .units import UnitScore, score_emotions, score_sides, score_units

STEPS = tuple(round(0.1 * k, 1) for k in range(10))
"""Scores at which the threshold table cuts."""


def spotting_page(outcome: Outcome, listed: bool = False) -> str:
    """Every table of one evaluation; with `listed` also every miss and false alarm."""
    parts = [_whole(outcome), *_breakdowns(outcome), _timing(outcome), *_named(outcome)]
    parts.append(_thresholds(outcome.clips))
    return "\n\n".join([*parts, *([_mistakes(outcome)] if listed else [])])


def summary(outcome: Outcome) -> dict[str, object]:
    """The figures by name, for a program; a figure that is not defined is null."""
    f1, units, side, emotion = (
        f1_interval(outcome), score_units(outcome), score_sides(outcome), score_emotions(outcome),
    )  # fmt: skip
    rows = {"all": [row_of("all", outcome, outcome.clips)], "event_free": [event_free(outcome)]}
    rows |= {"amplitude": by_amplitude(outcome), "rate": by_rate(outcome), "confound": by_confound(outcome)}
    record = {
        "videos": len(outcome.clips),
        "f1": f1._asdict(),
        **{name: {row.name: _figures(row) for row in some} for name, some in rows.items()},
        "timing_ms": {t.moment: {"median": t.median, "median_abs": t.median_abs, "p90_abs": t.p90_abs}
                      for t in timing(outcome)},
        "units": {f"AU{u.unit}": {"true": u.true, "f1_given": u.given, "macro_f1": u.macro, "auc": u.auc,
                                  "f1_whole": u.whole} for u in units},
        "side_accuracy": side.accuracy,
        "emotion": {"uf1": emotion.uf1, "uar": emotion.uar, "strs": emotion.strs},
    }  # fmt: skip
    return {name: _plain(value) for name, value in record.items()}


def _figures(row: Row) -> dict[str, float]:
    return {
        "true": row.true, "tp": row.tp, "fp": row.fp, "precision": row.precision, "recall": row.recall,
        "f1": row.f1, "minutes": row.minutes, "fp_per_minute": row.fp_per_minute,
    }  # fmt: skip


def _plain(value: object) -> object:
    """JSON has no nan."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _mistakes(outcome: Outcome) -> str:
    lines = [f"missed  {_line(clip, m)}" for clip in outcome.clips for m in outcome.missed(clip)]
    lines += [f"false   {_line(clip, m)}" for clip in outcome.clips for m in outcome.false_alarms(clip)]
    return "\n".join(["Mistakes", *(f"  {line}" for line in lines)])


def _line(clip: Clip, movement: Movement) -> str:
    size = "" if math.isnan(movement.amplitude) else f"  {movement.amplitude:.2f} %"
    score = "" if math.isnan(movement.score) else f"  score {movement.score:.2f}"
    span = f"{movement.onset_s:.3f}-{movement.offset_s:.3f} s"
    units, flags = "+".join(movement.units) or "no unit", ";".join(movement.flags)
    return f"{clip.name}  {span}  {units}{size}{score}  {flags}".rstrip()


def _whole(outcome: Outcome) -> str:
    f1 = f1_interval(outcome)
    rows = [row_of("all", outcome, outcome.clips), event_free(outcome)]
    subjects = many(len({clip.subject for clip in outcome.clips}), "subject")
    title = (
        f"Spotting, IoU >= 0.5, one to one, {many(len(outcome.clips), 'video')} of {subjects} pooled: "
        f"F1 {figure(f1.value)} (95 % over subjects {figure(f1.low)} to {figure(f1.high)})"
    )
    return _counts(title, rows)


def _counts(title: str, rows: Sequence[Row]) -> str:
    head = ["", "true", "found right", "false", "precision", "recall", "F1", "minutes", "false/min"]
    cells = [
        [r.name, r.true, r.tp, r.fp, r.precision, r.recall, r.f1, r.minutes, r.fp_per_minute] for r in rows
    ]
    return table(title, head, cells)


def _breakdowns(outcome: Outcome) -> list[str]:
    unit_rows = [[row.name, row.true, row.tp, row.recall] for row in by_unit(outcome)]
    why = [[reason, count] for reason, count in causes(outcome).items()]
    return [
        _counts("By amplitude (percent of the eye distance)", by_amplitude(outcome)),
        _counts("By frame rate", by_rate(outcome)),
        _counts("By confound in the clip", by_confound(outcome)),
        table("By unit", ["", "true", "found right", "recall"], unit_rows),
        table("False alarms, by what was going on", ["", "count"], why),
    ]


def _timing(outcome: Outcome) -> str:
    rows = [[t.moment, t.median, t.median_abs, t.p90_abs] for t in timing(outcome)]
    head = ["", "median error", "median size", "90th percentile"]
    return table("Timing of what was found right, ms, found minus true", head, rows, digits=1)


def _named(outcome: Outcome) -> list[str]:
    units, side, emotion = score_units(outcome), score_sides(outcome), score_emotions(outcome)
    head = ["", "true", "F1 given", "macro F1", "AUC", "F1 whole"]
    rows = [[f"AU{u.unit}", u.true, u.given, u.macro, u.auc, u.whole] for u in units]
    if units:
        rows.append(_unit_mean(units))
    title = "Action units: given spotting, and over the whole pipeline (misses and false alarms counted)"
    one_sided = side.right + side.wrong + side.both
    return [
        table(title, head, rows),
        f"Side: {side.right} of {one_sided} one-sided units right ({side.wrong} wrong, {side.both} without "
        f"a side); a side given to {side.invented} of {side.two_sided} two-sided ones",
        f"Emotion of {emotion.samples} found right: UF1 {figure(emotion.uf1)}, UAR {figure(emotion.uar)}; "
        f"STRS {figure(emotion.strs)}",
    ]


def _unit_mean(units: Sequence[UnitScore]) -> list[object]:
    columns = ("given", "macro", "auc", "whole")
    means = [mean([getattr(unit, column) for unit in units]) for column in columns]
    return ["mean", sum(unit.true for unit in units), *means]


def _thresholds(clips: Sequence[Clip]) -> str:
    rows = [row for _, row in threshold_curve(clips, STEPS)]
    return _counts("By least score (its best line is picked on these clips: an upper bound)", rows)


def predictions_page(
    predictions: Predictions, published: bool = False, draws: int = 1000, epochs: Scores | None = None
) -> str:
    """Units and emotions; with `published` also under the conventions of papers.

    epochs  (E, S, N) what each epoch of the training said, see `epochs`; None: not kept
    """
    people = many(len(set(predictions.people)), "subject")
    folds = f"{many(len(set(predictions.fold)), 'fold')} pooled"
    head = f"{many(len(predictions.sample), 'sample')} of {people}, {folds}; [95 % interval over subjects]"
    emotions = judge_emotions(predictions, draws)
    parts = [head]
    parts += [_unit_table(judge_units(predictions, draws))] if predictions.units else []
    parts += [_emotion_table(emotions)] if emotions else []
    parts += [_published(predictions, epochs)] if published else []
    return "\n\n".join(parts)


def _unit_table(units: UnitTable) -> str:
    head = ["", "present", *(f.name for f in FIGURES)]
    rows: list[list[object]] = [
        [f"AU{unit}", n, *map(float, values)]
        for unit, n, values in zip(units.units, units.present, units.values, strict=True)
    ]
    rows.append(["mean", sum(units.present), *(estimate.value for estimate in units.means)])
    rows.append(["", "", *map(_interval, units.means)])
    rows.append(["never", "", *units.never])
    rows.append(["chance", "", *units.by_chance])
    return table("Action units (F1 is that of presence)", head, rows)


def _interval(estimate: Estimate) -> str:
    return f"[{figure(estimate.low)} {figure(estimate.high)}]"


def _emotion_table(emotions: EmotionTable) -> str:
    columns = zip(emotions.classes, emotions.counts, emotions.f1, emotions.recall, strict=True)
    classes = table("Emotions", ["", "samples", "F1", "recall"], [list(row) for row in columns])
    three = (emotions.uf1, emotions.uar, emotions.accuracy)
    rows: list[list[object]] = [
        ["this model", *(estimate.value for estimate in three)],
        ["", *map(_interval, three)],
        ["largest class", *emotions.largest],
        ["chance", *emotions.by_chance],
    ]
    return classes + "\n\n" + table("", ["", "UF1", "UAR", "ACC"], rows).lstrip("\n")


def _published(predictions: Predictions, epochs: Scores | None) -> str:
    conventions = as_published(predictions) + (
        by_oracle_epoch(predictions, epochs) if epochs is not None else []
    )
    rows: list[list[object]] = [[c.name, c.f1, c.accuracy] for c in conventions]
    title = "As published: conventions of papers, for comparison with printed numbers only"
    folds = emotion_over_folds(predictions)
    more = "" if folds != folds else f"\n  emotions: UF1 as a mean over folds {folds:.3f}"
    return table(title, ["", "F1", "ACC"], rows) + more
