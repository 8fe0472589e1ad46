"""Ours beside the printed: Markdown, one CSV with every figure, and a plot per table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..evaluation.text_table import figure
from ..paper.rows import Printed
from .reproduce import Line, Outcome

TITLES: Mapping[str, str] = {
    "II": "Local independence and global dependency",
    "III": "The text tower fixed or tuned",
    "IV": "Weight of MiAUCL",
    "V": "Weight of the GD loss",
    "VI": "Pooling of a unit's tokens",
    "VII": "Fusion of the units",
    "VIII": "Contrastive losses",
    "IX": "Against other methods",
    "X": "Emotion without emotion labels",
}
NAN = float("nan")
HEAD = ("row", "macro F1", "95 %", "F1 of presence", "ACC", "paper F1", "paper ACC")
EMOTION_HEAD = ("row", "UF1", "95 %", "UAR", "ACC", "paper F1", "paper ACC")
NOTE = (
    "The paper's figure is called F1 there; by its size it is the macro F1, the mean of the F1 of presence"
    " and of absence. Ours are pooled over the folds; the intervals are over subjects."
)


def tables_page(lines: Sequence[Line], outcomes: Mapping[str, Outcome], dataset: str) -> str:
    """Every table in Markdown."""
    tables = list(dict.fromkeys(line.row.table for line in lines))
    return "\n\n".join(
        _table(name, [line for line in lines if line.row.table == name], outcomes, dataset)
        for name in tables
    )


def cells(line: Line, outcomes: Mapping[str, Outcome], dataset: str) -> list[object]:
    """The columns of HEAD or EMOTION_HEAD for one row."""
    printed = _printed(line, dataset)
    theirs = [NAN if value is None else value for value in printed]
    if line.settings is None:
        return [line.row.name, NAN, "-", NAN, NAN, *theirs]
    ours = outcomes[line.folder]
    if line.row.task == "emotion":
        if ours.emotions is None:
            return [line.row.name, NAN, "-", NAN, NAN, *theirs]
        e = ours.emotions
        span = f"{figure(e.uf1.low)}-{figure(e.uf1.high)}"
        return [line.row.name, e.uf1.value, span, e.uar.value, e.accuracy.value, *theirs]
    f1, macro, accuracy = ours.units.means[:3]
    span = f"{figure(macro.low)}-{figure(macro.high)}"
    return [line.row.name, macro.value, span, f1.value, accuracy.value, *theirs]


def write_csv(path: Path, lines: Sequence[Line], outcomes: Mapping[str, Outcome], dataset: str) -> None:
    """All rows of all tables, one line each; a figure that is not there stays empty."""
    names = ["table", "task", "row", "f1_macro_or_uf1", "interval", "f1_presence_or_uar", "accuracy"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*names, "paper_f1", "paper_accuracy"])
        for line in lines:
            row = cells(line, outcomes, dataset)
            plain = ["" if cell in ("-",) or cell != cell else _rounded(cell) for cell in row]
            table.writerow([line.row.table, line.row.task, *plain])


def plot_table(
    path: Path, name: str, lines: Sequence[Line], outcomes: Mapping[str, Outcome], dataset: str
) -> None:
    """Bars: ours with its interval over subjects, the paper's beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [cells(line, outcomes, dataset) for line in lines]
    picture = Figure(figsize=(5.2, 0.42 * len(rows) + 1.1), dpi=110)
    FigureCanvasAgg(picture)
    axes = picture.add_subplot()
    places = [float(len(rows) - k) for k in range(len(rows))]
    axes.barh([p + 0.18 for p in places], [_zero(r[1]) for r in rows], 0.34, color="#2a6f97", label="ours")
    axes.barh([p - 0.18 for p in places], [_zero(r[5]) for r in rows], 0.34, color="#c9ada7", label="paper")
    for place, row in zip(places, rows, strict=True):
        low, _, high = str(row[2]).partition("-")
        if high and high != "-" and low:
            axes.plot([float(low), float(high)], [place + 0.18] * 2, color="black", linewidth=1)
    axes.set_yticks(places, [str(row[0]) for row in rows])
    axes.set_xlim(0, 1)
    axes.set_title(f"Table {name}: {'UF1' if lines[0].row.task == 'emotion' else 'macro F1'}", fontsize=10)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8, loc="lower right")
    picture.tight_layout()
    picture.savefig(path)


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table.

    >>> print(markdown(("row", "F1"), [["AU4", 0.5]]))
    | row | F1 |
    | --- | --- |
    | AU4 | 0.500 |
    """
    lines = [head, ["---"] * len(head), *([figure(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(name: str, lines: Sequence[Line], outcomes: Mapping[str, Outcome], dataset: str) -> str:
    emotion = lines[0].row.task == "emotion"
    head = list(EMOTION_HEAD if emotion else HEAD)
    rows = [cells(line, outcomes, dataset) for line in lines]
    if name == "III":  # cosine of the two sentences of a unit
        head += ["sentences alike", "paper"]
        rows = [
            [*row, outcomes[line.folder].notes["sentence_similarity"], line.row.similarity]
            for row, line in zip(rows, lines, strict=True)
        ]
    return f"### Table {name}: {TITLES[name]}\n\n{markdown(head, rows)}"


def _printed(line: Line, dataset: str) -> Printed:
    return line.row.printed(dataset if dataset == "samm" else "casme2")


def _rounded(cell: object) -> object:
    return round(cell, 4) if isinstance(cell, float) else cell


def _zero(cell: object) -> float:
    return cell if isinstance(cell, float) and cell == cell else 0.0
