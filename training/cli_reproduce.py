"""microau-reproduce: the tables and figures of Micro-AU CLIP on one's own data, beside the printed numbers.

microau-reproduce --table II III VI --data CASME2 --out reproduced
microau-reproduce --table all --figure 5 6 7 --data SAMM --dataset samm --workers 4 --device cuda
microau-reproduce --table II --data FOLDER --config base.toml --folds 2 --epochs 4     a taste of it

DATA is the folder that the set was unpacked into, or a cache that microau-data prepare wrote. What is
there already is not made again: a command that was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from ..engine.errors import MicroauError
from .command import run_command
from .paper.rows import FIGURES
from .protocol import reproduce
from .protocol.reproduce import Line, Outcome
from .protocol.reproduce_figures import draw, figure_fold
from .protocol.reproduce_page import NOTE, plot_table, tables_page, write_csv
from .protocol.run import Extra, chosen_folds, load_samples
from .protocol.run_folder import versions, write_text
from .protocol.settings import Data, LearnerChoice, Settings, read_settings

THRESHOLDS = {"inner": "chosen inside the training folds", "half": "0.5"}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend, 130 interrupted."""
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="microau-reproduce",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--table", nargs="+", default=[], metavar="N", help=f"{', '.join(reproduce.TABLES)}, or all")
    add("--figure", nargs="+", default=[], metavar="N", help=f"{', '.join(FIGURES)}")
    add("--data", type=Path, required=True, metavar="FOLDER", help="the data set, or its prepared cache")
    add("--dataset", default="casme2", metavar="NAME", help="casme2 (default), samm, plain, ...")
    add("--out", type=Path, default=Path("reproduced"), help="default %(default)s")
    add(
        "--config", type=Path, metavar="TOML", help="what no table varies: weights, sizes, recipe, protocol"
    )
    add("--folds", type=int, default=0, metavar="N", help="only the first N folds (all)")
    add("--epochs", type=int, metavar="N", help="instead of the recipe's 80")
    add("--pretrained", metavar="NAME", help="of CLIP: openai, a file, or random")
    add("--device", metavar="NAME", help="cpu (default), cuda")
    add("--workers", type=int, default=1, metavar="N", help="folds at a time")
    parser.set_defaults(run=_run)
    return parser


def _run(args: argparse.Namespace) -> None:
    if not args.table and not args.figure:
        raise MicroauError("nothing to reproduce: name --table II ... X (or all), or --figure 5 6 7")
    tables = list(reproduce.TABLES) if args.table == ["all"] else args.table
    settings = _base(args)
    lines = reproduce.plan(tables, settings, args.dataset)
    models = {f: reproduce.figure_settings(f, settings, args.dataset) for f in args.figure}
    cache = reproduce.open_data(args.data, args.dataset, args.out, args.workers, _say)
    settings = replace(settings, data=replace(settings.data, caches=(str(cache.absolute()),)))
    lines = reproduce.plan(tables, settings, args.dataset)
    models = {f: reproduce.figure_settings(f, settings, args.dataset) for f in args.figure}
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = [line.settings for line in lines if line.settings is not None]
    wanted += [one for several in models.values() for one in several.values()]
    shown = figure_fold(settings).name if models else ""
    reproduce.run_all(wanted, args.out, Extra(args.workers, keep_fold=shown), _say)
    pictures = [_draw(figure, several, args.out) for figure, several in models.items()]
    outcomes = {line.folder: reproduce.outcome(line, args.out) for line in lines if line.settings}
    page = _page(args, settings, lines, outcomes, pictures)
    write_csv(args.out / "tables.csv", lines, outcomes, args.dataset)
    for table in tables:
        of_table = [line for line in lines if line.row.table == table]
        plot_table(args.out / f"table-{table}.png", table, of_table, outcomes, args.dataset)
    write_text(args.out / "report.md", page)
    print(page, end="")


def _base(args: argparse.Namespace) -> Settings:
    """What no table varies."""
    settings = read_settings(args.config) if args.config else Settings()
    learner = dict(settings.learner.settings)
    if args.pretrained:
        learner["pretrained"] = args.pretrained
    asked = {name: getattr(args, name) for name in ("epochs", "device") if getattr(args, name)}
    return replace(
        settings,
        data=replace(settings.data, caches=()) if args.config else Data(),
        learner=LearnerChoice("paper", learner),
        recipe=replace(settings.recipe, **asked),
        protocol=replace(settings.protocol, first=args.folds or settings.protocol.first),
    )


def _page(
    args: argparse.Namespace,
    settings: Settings,
    lines: list[Line],
    outcomes: dict[str, Outcome],
    pictures: list[Path],
) -> str:
    samples = load_samples(settings)
    folds = chosen_folds(settings, samples)
    whole = chosen_folds(replace(settings, protocol=replace(settings.protocol, first=0)), samples)
    found = versions()
    recipe, packages = settings.recipe, found["packages"]
    kind, units = settings.protocol.kind, ", ".join(map(str, samples.units))
    facts = [
        f"{len(samples)} samples of {len(set(samples.persons))} subjects, AU {units}",
        f"{kind}: {len(folds)} of {len(whole)} folds, {recipe.epochs} epochs, seed {recipe.seed}",
        f"thresholds: {THRESHOLDS[settings.select.thresholds]}",
        f"CLIP weights: {settings.learner.settings.get('pretrained', 'openai')}",
        f"{found['machine']}, {recipe.device}, torch {packages['torch']}, {date.today()}",
    ]
    if lines:
        hours = reproduce.hours_of_the_whole(lines, args.out, settings)
        facts.append(
            f"every fold at 80 epochs would take about {hours:.1f} h, one after the other (extrapolated)"
        )
    parts = ["# Micro-AU CLIP, reproduced", "\n".join(f"* {fact}" for fact in facts), NOTE]
    parts += [tables_page(lines, outcomes, args.dataset)] if lines else []
    parts += [f"![Figure {path.stem[-1]}]({path.name})" for path in pictures]
    return "\n\n".join(parts) + "\n"


def _draw(figure: str, models: dict[str, Settings], out: Path) -> Path:
    runs = {name: (one, out / "runs" / reproduce.run_name(one)) for name, one in models.items()}
    return draw(figure, runs, out, _say)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
