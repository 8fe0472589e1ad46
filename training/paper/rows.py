"""Tables II to X of Micro-AU CLIP (Wei et al., arXiv 2603.16302): each row's setting and printed figures.

A row's setting is what it changes in `PaperOptions`, on top of the loss weights of its data set (`CHOSEN`).
Rows of other authors have none. The paper does not say of every row what the rest of the model was; its
own figures do, since the same run appears in several tables:

* Table III 'finetune', VI 'PTA', VII 'Add+MLP' and the best rows of IV print the same figures (.776 / .912,
  .716 / .853). So Tables III, IV and VI were made with Add+MLP and without the GD loss, which needs GDA.
* Table II 'GSD only' and VIII 'global OrigCL' print the same figures (.730 / .898, .638 / .812): without
  local features, the text is about the whole face.
* Table VIII 'local OrigCL' and 'MiAUCL' differ in print. They are one loss where the ones of a row share
  the target (`form` softmax), since a unit has but two texts: the paper's must count them otherwise. A base
  with form 'sum' (the label matrix as it is) or 'sigmoid' tells the two rows apart.
* Table V's best rows are the full model of II, VII, VIII and IX. (SAMM at beta 1.0 differs from .730.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from ..towers import ClipSizes
from .options import PaperOptions

DATASETS = ("casme2", "samm")
CHOSEN: Mapping[str, Mapping[str, Any]] = {
    "casme2": {"alpha": 0.6, "beta": 1.0},
    "samm": {"alpha": 1.0, "beta": 0.6},
}
"""Loss weights of the paper, chosen on the test subjects (Tables IV and V)."""


class Printed(NamedTuple):
    """A row's figures on one data set; None where the paper prints none."""

    f1: float | None
    """Mean F1; by its size the macro-F1, see the documentation on evaluation."""
    acc: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of one table."""

    table: str
    """Roman number."""
    name: str
    casme2: Printed
    samm: Printed
    settings: Mapping[str, Any] | None = None
    """What differs from `PaperOptions` and `CHOSEN`; None: another method, not run here."""
    task: Literal["units", "emotion"] = "units"
    similarity: float | None = None
    """Table III: cosine of a unit's two sentences after training (TextSi)."""

    def printed(self, dataset: str) -> Printed:
        """The figures on 'casme2' or 'samm'."""
        return {"casme2": self.casme2, "samm": self.samm}[dataset]

    def settings_on(self, dataset: str) -> dict[str, Any]:
        """Everything to change in `PaperOptions` for this row on this data set."""
        if self.settings is None:
            raise ValueError(f"Table {self.table}, {self.name}: another method has no setting")
        return {**CHOSEN[dataset], **self.settings}

    def options(self, dataset: str, base: PaperOptions | None = None) -> PaperOptions:
        """The row as options; `base` says what no table varies (weights, sizes, the open points)."""
        return replace(base or PaperOptions(sizes=ClipSizes()), **self.settings_on(dataset))


FULL: Mapping[str, Any] = {}
LSI_ONLY = {"branches": "lsi", "beta": 0.0}
ADD = {"fusion": "add", "beta": 0.0}


def _row(table: str, name: str, casme2: tuple[float, ...], samm: tuple[float, ...], settings: Any) -> Row:
    return Row(table, name, Printed(*casme2), Printed(*samm), settings)


def _rival(name: str, casme2: float, samm: float | None, table: str = "IX") -> Row:
    task: Literal["units", "emotion"] = "units" if table == "IX" else "emotion"
    return Row(table, name, Printed(casme2), Printed(samm), None, task)


ROWS: tuple[Row, ...] = (
    _row("II", "LSI only", (0.761, 0.904), (0.714, 0.846), LSI_ONLY),
    _row("II", "GSD only", (0.730, 0.898), (0.638, 0.812), {"branches": "gsd", "contrast": "global"}),
    _row("II", "LSI and GSD", (0.782, 0.917), (0.730, 0.863), FULL),
    replace(
        _row("III", "fixed", (0.769, 0.898), (0.702, 0.812), ADD | {"text": "fixed"}), similarity=0.994
    ),
    replace(_row("III", "finetune", (0.776, 0.912), (0.716, 0.853), ADD), similarity=-0.902),
    _row("IV", "alpha 0.2", (0.770, 0.908), (0.712, 0.852), ADD | {"alpha": 0.2}),
    _row("IV", "alpha 0.4", (0.776, 0.908), (0.687, 0.833), ADD | {"alpha": 0.4}),
    _row("IV", "alpha 0.6", (0.776, 0.912), (0.715, 0.849), ADD | {"alpha": 0.6}),
    _row("IV", "alpha 0.8", (0.764, 0.911), (0.696, 0.849), ADD | {"alpha": 0.8}),
    _row("IV", "alpha 1.0", (0.767, 0.912), (0.716, 0.853), ADD | {"alpha": 1.0}),
    _row("V", "beta 0.2", (0.780, 0.914), (0.704, 0.848), {"beta": 0.2}),
    _row("V", "beta 0.4", (0.775, 0.912), (0.712, 0.852), {"beta": 0.4}),
    _row("V", "beta 0.6", (0.776, 0.914), (0.730, 0.863), {"beta": 0.6}),
    _row("V", "beta 0.8", (0.769, 0.911), (0.693, 0.843), {"beta": 0.8}),
    _row("V", "beta 1.0", (0.782, 0.917), (0.711, 0.855), {"beta": 1.0}),
    _row("VI", "meanpool", (0.754, 0.902), (0.680, 0.837), ADD | {"pooling": "mean"}),
    _row("VI", "maxpool", (0.765, 0.909), (0.709, 0.849), ADD | {"pooling": "max"}),
    _row("VI", "PTA", (0.776, 0.912), (0.716, 0.853), ADD),
    _row("VII", "Cat+MLP", (0.771, 0.909), (0.641, 0.833), {"fusion": "cat", "beta": 0.0}),
    _row("VII", "Add+MLP", (0.776, 0.912), (0.716, 0.853), ADD),
    _row("VII", "GDA", (0.782, 0.917), (0.730, 0.863), FULL),
    _row("VIII", "No CL", (0.759, 0.902), (0.725, 0.853), {"contrast": "none", "alpha": 0.0}),
    _row(
        "VIII", "global OrigCL", (0.730, 0.898), (0.638, 0.812), {"branches": "gsd", "contrast": "global"}
    ),
    _row("VIII", "local OrigCL", (0.756, 0.907), (0.691, 0.848), {"contrast": "local"}),
    _row("VIII", "MiAUCL", (0.782, 0.917), (0.730, 0.863), FULL),
    _rival("SP", 0.633, 0.487),
    _rival("LKFSR", 0.506, 0.455),
    _rival("SCA", 0.668, 0.505),
    _rival("ME-GraphAU", 0.624, None),
    _rival("ResNet18", 0.773, 0.573),
    _rival("AUFormer", 0.704, None),
    _rival("MG", 0.530, 0.500),
    _rival("AU-LLM", 0.814, 0.619),
    _row("IX", "Micro-AU CLIP", (0.782,), (0.730,), FULL),
    _rival("Sup", 0.881, 0.713, "X"),
    _rival("SME", 0.908, None, "X"),
    _rival("Bert", 0.903, None, "X"),
    _rival("3CC", 0.723, 0.701, "X"),
    _rival("TFT", 0.907, 0.709, "X"),
    _rival("CoT", 0.802, 0.737, "X"),
    replace(_row("X", "w/o GDA", (0.872,), (0.696,), LSI_ONLY), task="emotion"),
    replace(_row("X", "Micro-AU CLIP", (0.889,), (0.747,), FULL), task="emotion"),
)
"""In the order of the paper. Three points are ours: that 'GSD only' starts from CLIP's image feature, that
'No CL' and 'local OrigCL' keep the rest of the full model, and that 'w/o GDA' is LSI alone."""

FIGURES: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]] = {
    "5": ("PTA attention of a unit over the face", {"Micro-AU CLIP": FULL}),
    "6": (
        "similarity of a unit's visual features between samples with and without it",
        {"Local OrigCL": {"contrast": "local"}, "MiAUCL": FULL},
    ),
    "7": (
        "t-SNE of one unit's visual features",
        {
            "Micro-AU CLIP": FULL,
            "without GSD": LSI_ONLY,
            "without LSI": {"branches": "gsd", "contrast": "global"},
        },
    ),
}
"""Figure -> what it shows, and which models it compares: name -> setting."""


def rows(table: str) -> tuple[Row, ...]:
    """The rows of one table, by its Roman number.

    >>> [row.name for row in rows("VI")]
    ['meanpool', 'maxpool', 'PTA']
    """
    return tuple(row for row in ROWS if row.table == table)
