"""microau-train: train on labelled sets by folds, or train the default model.

microau-train CONFIG.toml --out runs/loso        by folds: choices inside them, predictions, a report
microau-train --recipe default --photos FOLDER   the model that ships, on generated movements

CONFIG is described in docs/train-on-your-data.md. A run that was stopped goes on when it is started again.
"""

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
from .transfer import left_out, transfer


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    args = _parser().parse_args(argv)
    try:
        if args.config is not None:
            return _train_folds(args)
        if args.photos is None:
            raise MicroauError("give a settings file, or --photos for the default recipe")
        sources = all_sources(args.photos, args.face3d, args.identities, args.smiles)
        recipe = _recipe(args)
        args.out = args.out or Path("runs/default")
        samples = default_samples(recipe, sources, args.cache, _say, args.workers)
        weak = left_out(transfer(samples, recipe, args.out, _say)) if args.transfer else ()
        trained = train_default(recipe, samples, args.out, _say, weak)
    except MicroauError as error:
        print(f"microau: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("microau: interrupted; run it again to go on", file=sys.stderr)
        return 130
    _say(f"test persons: {trained.card['test']}")
    _say(
        f"{args.out}: checkpoint written. Export it: python -m microau.export.bundle {args.out} --out FILE"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="microau-train", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="settings of a run by folds")
    parser.add_argument("--recipe", choices=["default"], default="default", help="what to train")
    parser.add_argument("--photos", type=Path, help="folder of neutral frontal faces")
    parser.add_argument("--smiles", type=Path, help="folder of the same persons smiling, named alike")
    parser.add_argument("--face3d", type=Path, help="ICT-FaceKit as one .npz, for a second geometry")
    parser.add_argument("--identities", type=int, default=40, help="of the 3D face; default %(default)s")
    parser.add_argument("--out", type=Path, help="folder of the run; default runs/NAME")
    parser.add_argument("--cache", type=Path, default=Path(".cache/flow"), help="where samples are kept")
    parser.add_argument("--epochs", type=int, help="instead of those of the settings or the recipe")
    parser.add_argument("--seed", type=int, help="likewise")
    parser.add_argument(
        "--transfer", action="store_true", help="also train on each geometry alone, judged on the other"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes: folds, or samples, at a time")
    parser.add_argument("--threads", type=int, default=1, help="of torch; default %(default)s")
    parser.add_argument("--keep-weights", action="store_true", help="of every fold, in its folder")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="afterwards train on everybody, and write what microau-export takes",
    )
    return parser


def _train_folds(args: argparse.Namespace) -> int:
    from .protocol.final import train_on_all  # these need no generator
    from .protocol.run import Extra, run
    from .protocol.settings import read_settings

    settings = read_settings(args.config)
    asked = {name: getattr(args, name) for name in ("epochs", "seed") if getattr(args, name) is not None}
    settings = replace(settings, recipe=replace(settings.recipe, **asked))
    out = args.out or Path("runs") / args.config.stem
    if args.workers < 1:
        raise MicroauError(f"workers must be 1 or more, got {args.workers}")
    run(settings, out, _say, Extra(args.workers, args.keep_weights))
    print((out / "report.txt").read_text(encoding="utf-8"), end="")
    if args.checkpoint is not None:
        train_on_all(settings, out, args.checkpoint, _say)
        _say(
            f"{args.checkpoint}: checkpoint written. Export it: microau-export {args.checkpoint} --out FILE"
        )
    return 0


def _recipe(args: argparse.Namespace) -> DefaultRecipe:
    seed = args.seed if args.seed is not None else Recipe().seed
    epochs = args.epochs if args.epochs is not None else Recipe().epochs
    return DefaultRecipe(
        making=replace(Making(), seed=seed),
        fit=replace(Recipe(), epochs=epochs, seed=seed),
        threads=args.threads,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
