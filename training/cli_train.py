"""microau-train: train a model and write a checkpoint folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..engine.errors import MicroauError
from .default_recipe import DefaultRecipe, default_samples, train_default
from .fit import Recipe
from .make_samples import Making
from .sources import all_sources
from .transfer import transfer


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    args = _parser().parse_args(argv)
    try:
        sources = all_sources(args.photos, args.face3d, args.identities)
        recipe = _recipe(args)
        samples = default_samples(recipe, sources, args.cache, _say, args.workers)
        if args.transfer:
            transfer(samples, recipe, args.out, _say)
        trained = train_default(recipe, samples, args.out, _say)
    except MicroauError as error:
        print(f"microau: {error}", file=sys.stderr)
        return 2
    _say(f"test persons: {trained.card['test']}")
    _say(
        f"{args.out}: checkpoint written. Export it: python -m microau.export.bundle {args.out} --out FILE"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="microau-train", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--recipe", choices=["default"], default="default", help="what to train")
    parser.add_argument("--photos", type=Path, required=True, help="folder of neutral frontal faces")
    parser.add_argument("--face3d", type=Path, help="ICT-FaceKit as one .npz, for a second geometry")
    parser.add_argument("--identities", type=int, default=40, help="of the 3D face; default %(default)s")
    parser.add_argument("--out", type=Path, default=Path("runs/default"), help="checkpoint folder")
    parser.add_argument("--cache", type=Path, default=Path(".cache/flow"), help="where samples are kept")
    parser.add_argument("--epochs", type=int, default=Recipe().epochs, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=Recipe().seed, help="default %(default)s")
    parser.add_argument(
        "--transfer", action="store_true", help="also train on each geometry alone, judged on the other"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples")
    parser.add_argument("--threads", type=int, default=1, help="of torch; default %(default)s")
    return parser


def _recipe(args: argparse.Namespace) -> DefaultRecipe:
    return DefaultRecipe(
        making=replace(Making(), seed=args.seed),
        fit=replace(Recipe(), epochs=args.epochs, seed=args.seed),
        threads=args.threads,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
