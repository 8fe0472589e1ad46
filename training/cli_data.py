"""`microau-data`: look into a data set before training on it.

microau-data check casme2 FOLDER              what is there against the published counts, what fails
microau-data prepare casme2 FOLDER --out DIR  crops, landmarks and flow of every sample, into a cache
microau-data train-magnifier --out FILE       weights for `prepare --magnify learned`
microau-data errata [NAME]                    the known mistakes of the label files, and their corrections
microau-data list                             the data sets that can be read
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..engine.errors import MicroauError
from .command import run_command
from .datasets import doctor, errata, registry
from .datasets.images import TREES
from .datasets.sample import Loaded
from .prepare.config import PrepareConfig
from .prepare.run import cache_folder, prepare


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="microau-data", description="Micro-expression data sets on disk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_check(commands.add_parser("check", help="what is in a folder, and which rows fail"))
    _add_prepare(commands.add_parser("prepare", help="crops, landmarks and flow, into a cache"))
    _add_magnifier(commands.add_parser("train-magnifier", help="train the learned magnification"))
    table = commands.add_parser("errata", help="known mistakes of the label files")
    table.add_argument("name", nargs="?", default="", help="one data set")
    table.set_defaults(run=_errata)
    names = commands.add_parser("list", help="data sets that can be read")
    names.set_defaults(run=_list)
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    """Which data set, and how it is read."""
    parser.add_argument("name", help=f"one of {', '.join(registry.LAYOUTS)}")
    parser.add_argument("folder", type=Path, help="where it was unpacked")
    parser.add_argument("--images", default="", metavar="TREE", help=f"which pictures: {', '.join(TREES)}")
    parser.add_argument(
        "--errata",
        nargs="*",
        metavar="NAME",
        help="correct these rows alone; without a name none (otherwise the default ones)",
    )


def _load(arguments: argparse.Namespace) -> Loaded:
    return registry.load(arguments.name, arguments.folder, arguments.images, arguments.errata)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_set(parser)
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="open onset, apex and offset of every sample, and compare them",
    )
    parser.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> None:
    loaded = _load(arguments)
    print(doctor.examine(loaded, registry.find_layout(arguments.name)))
    if arguments.pictures:
        print(f"\n{doctor.examine_pictures(loaded.samples)}")


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    _add_set(parser)
    add, default = parser.add_argument, PrepareConfig()
    add("--out", type=Path, required=True, metavar="DIR", help="where the caches lie, one per setting")
    add(
        "--magnify",
        default=default.magnification,
        metavar="HOW",
        help="none, flow, phase or learned (none)",
    )
    add("--factor", type=float, default=default.factor, metavar="X", help="how many times the motion (3)")
    add("--weights", default=default.weights, metavar="FILE", help="of the learned magnification")
    add("--missing-apex", default=default.missing_apex, metavar="HOW", help="skip or middle (skip)")
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    add("--quiet", action="store_true", help="no line per sample")
    parser.set_defaults(run=_prepare)


def _prepare(arguments: argparse.Namespace) -> None:
    if arguments.workers < 1:
        raise MicroauError(f"workers must be 1 or more, got {arguments.workers}")
    config = PrepareConfig(arguments.magnify, arguments.factor, arguments.weights, arguments.missing_apex)
    loaded = _load(arguments)
    counts = {"prepared": 0, "there already": 0, "failed": 0}
    for done in prepare(loaded, arguments.out, config, arguments.workers):
        state = "failed" if done.why else "prepared" if done.fresh else "there already"
        counts[state] += 1
        if done.why or not arguments.quiet:
            print(f"{done.number}/{done.total} {done.sample.key}: {done.why or state}", file=sys.stderr)
    told = ", ".join(f"{count} {state}" for state, count in counts.items())
    print(f"{cache_folder(loaded.dataset, arguments.out, config)}: {told}")


def _add_magnifier(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FILE.safetensors", help="where the weights go")
    add("--pictures", type=Path, metavar="FOLDER", help="any photographs; without them drawn textures")
    add("--steps", type=int, default=20000, metavar="N", help="of training (20000)")
    add("--batch", type=int, default=8, metavar="N", help="scenes of a step (8)")
    add("--size", type=int, default=96, metavar="PX", help="side of a scene, a multiple of four (96)")
    add("--device", default="cpu", help="cpu or cuda")
    parser.set_defaults(run=_train_magnifier)


def _train_magnifier(arguments: argparse.Namespace) -> None:
    from .magnifier.scenes import SceneConfig, read_pictures  # needs torch
    from .magnifier.train import MagnifierRecipe, train

    scene = SceneConfig(size=arguments.size)
    recipe = MagnifierRecipe(steps=arguments.steps, batch=arguments.batch, scene=scene)
    pictures = read_pictures(arguments.pictures, scene.size) if arguments.pictures else []
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    for step in train(recipe, arguments.out, pictures, arguments.device):
        if step.number % 100 == 0 or step.number == recipe.steps:
            print(f"{step.number}/{recipe.steps} loss {step.loss:.4f}", file=sys.stderr)
    print(arguments.out)


def _errata(arguments: argparse.Namespace) -> None:
    chosen = registry.find_layout(arguments.name).name if arguments.name else ""
    for one in errata.ERRATA:
        if chosen in ("", one.dataset):
            change = ", ".join(f"{field} {number}" for field, number in one.frames.items())
            state = "" if one.on else "  [off]"
            print(f"{one.name:<22}row {one.row:<5}{change or 'AU ' + one.aus:<36}{one.reason}{state}")
    for name, (dataset, first, second, _) in errata.SWAPS.items():
        if chosen in ("", dataset):
            print(f"{name:<22}rows {first} and {second} exchange units and emotions [meb]")


def _list(_: argparse.Namespace) -> None:
    for layout in registry.LAYOUTS.values():
        rate = f"{layout.rate:g} fps" if layout.rate == layout.rate else "any rate"
        print(f"{layout.name:<10}{layout.title:<20}{rate}")


if __name__ == "__main__":
    sys.exit(main())
