"""Write what was measured into the model card: tables between markers, and the reliability plot.

    python -m microau.training.model_card runs/default docs/model-card.md

Takes `model.json` of the checkpoint and, where it is there, `transfer.json` beside it. Only what
stands between `<!-- figures -->` and `<!-- end of figures -->` is replaced; the words around it are
written by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engine.aus import UNITS
from ..engine.errors import MicroauError
from .checkpoint import RECORD
from .transfer import LEAST_AUC, left_out
from .transfer import RECORD as TRANSFER

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
PLOT = "pictures/reliability.png"
Record = Mapping[str, Any]
MEANS = (("F1 of presence, mean", "mean_f1"), ("the paper's eight units", "mean_f1_paper_units"))
NAMES = {
    "photo": "photographs",
    "face3d": "3D face",
    "mixed": "photographs, sculpted shapes",
    "sparse": "photographs, few landmarks",
}


def write_card(run: Path, card: Path) -> None:
    """Replace the figures in the card, and draw the plot beside it."""
    if not (run / RECORD).is_file():
        raise MicroauError(f"{run}: no checkpoint here ({RECORD} expected).")
    record = json.loads((run / RECORD).read_text())
    path = run / TRANSFER
    transfer = json.loads(path.read_text()) if path.is_file() else None
    before, after = _around(card)
    figures = "\n".join(_figures(record["card"], record["calibration"], record["aus"], transfer))
    card.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}")
    draw_reliability(record["card"]["test"], card.parent / PLOT)


def draw_reliability(test: Record, path: Path) -> None:
    """What was said against what came true, one line per geometry."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for kind, judged in test.items():
        said, true, _ = zip(*judged["reliability"], strict=True)
        axes.plot(said, true, marker="o", markersize=3, label=NAMES[kind])
    axes.set(xlabel="probability said", ylabel="share that moved", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def _around(card: Path) -> tuple[str, str]:
    text = card.read_text() if card.is_file() else ""
    if BEGIN not in text or END not in text:
        raise MicroauError(f"{card}: has no lines '{BEGIN}' and '{END}' to write between.")
    return text.partition(BEGIN)[0], text.partition(END)[2]


def _figures(
    card: Record, calibration: Record, aus: Sequence[int], transfer: Record | None
) -> Iterator[str]:
    yield "### Persons not trained on\n"
    yield from _means(card["test"])
    yield "\n### Unit by unit, test persons\n"
    yield from _units(card["test"], calibration, aus)
    if transfer is not None:
        yield "\n### Across geometries: trained on one, judged on persons of the other\n"
        yield from _transfer(transfer, aus)
        yield f"\nLeft out of the bundle (AUC below {LEAST_AUC} in one direction): {_weak(transfer)}."
    yield f"\n![What was said against what came true]({PLOT})"


def _means(test: Record) -> Iterator[str]:
    kinds = list(test)
    yield _row("", *(NAMES[kind] for kind in kinds))
    yield _row("---", *("---" for _ in kinds))
    yield _row("persons / pairs", *(f"{test[k]['persons']} / {test[k]['samples']}" for k in kinds))
    for name, key in MEANS:
        yield _row(name, *("{:.3f} ({:.3f} to {:.3f})".format(*test[k][key]) for k in kinds))
    yield _row("AUC, mean", *(f"{test[k]['mean_auc']:.3f}" for k in kinds))
    yield _row("side right, one-sided units", *(_percent(test[k]["side_accuracy"]) for k in kinds))
    yield _row(
        "still pairs with a unit decided", *(_percent(test[k]["still_pairs_with_a_unit"]) for k in kinds)
    )
    yield _row("calibration error", *(f"{test[k]['calibration_error']:.4f}" for k in kinds))
    for name in test[kinds[0]]["recall_by_amplitude"]:
        recall = (_percent(test[k]["recall_by_amplitude"][name]) for k in kinds)
        yield _row(f"found at {name.replace('-', ' to ')} % of the eye distance", *recall)


def _units(test: Record, calibration: Record, aus: Sequence[int]) -> Iterator[str]:
    kinds = list(test)
    yield _row("unit", "threshold", *(f"F1 {NAMES[k]}" for k in kinds), "lowest AUC")
    yield _row(*("---" for _ in range(3 + len(kinds))))
    for n, au in enumerate(aus):
        f1 = (f"{test[k]['f1'][str(au)]:.2f}" for k in kinds)
        area = min(test[k]["auc"][str(au)] for k in kinds)
        yield _row(f"{au} {UNITS[au].name}", f"{calibration['threshold'][n]:.2f}", *f1, f"{area:.3f}")


def _transfer(transfer: Record, aus: Sequence[int]) -> Iterator[str]:
    ways = list(transfer)
    yield _row("", *ways)
    yield _row("---", *("---" for _ in ways))
    for name, key in MEANS:
        yield _row(name, *("{:.3f} ({:.3f} to {:.3f})".format(*transfer[w][key]) for w in ways))
    for au in aus:
        yield _row(f"AUC {au} {UNITS[au].name}", *(f"{transfer[w]['auc'][str(au)]:.3f}" for w in ways))


def _weak(transfer: Record) -> str:
    return ", ".join(f"AU{au} ({UNITS[au].name.lower()})" for au in left_out(transfer)) or "none"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="folder written by microau-train")
    parser.add_argument("card", type=Path, help="Markdown file with the two markers")
    args = parser.parse_args(argv)
    try:
        write_card(args.run, args.card)
    except MicroauError as error:
        print(f"microau: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
