"""`microau-data`: look into a data set before training on it.

microau-data check casme2 FOLDER    what is there, against the published counts; what fails and why
microau-data errata [NAME]          the known mistakes of the label files, and how they are corrected
microau-data list                   the data sets that can be read
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..engine.errors import MicroauError
from .datasets import doctor, errata, registry
from .datasets.images import TREES


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 a mistake that the user can mend."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except MicroauError as error:
        print(f"microau-data: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="microau-data", description="Micro-expression data sets on disk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_check(commands.add_parser("check", help="what is in a folder, and which rows fail"))
    table = commands.add_parser("errata", help="known mistakes of the label files")
    table.add_argument("name", nargs="?", default="", help="one data set")
    table.set_defaults(run=_errata)
    names = commands.add_parser("list", help="data sets that can be read")
    names.set_defaults(run=_list)
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help=f"one of {', '.join(registry.LAYOUTS)}")
    parser.add_argument("folder", type=Path, help="where it was unpacked")
    parser.add_argument("--images", default="", metavar="TREE", help=f"which pictures: {', '.join(TREES)}")
    parser.add_argument(
        "--errata",
        nargs="*",
        metavar="NAME",
        help="correct these rows alone; without a name none (otherwise the default ones)",
    )
    parser.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> None:
    layout = registry.find_layout(arguments.name)
    loaded = registry.load(layout.name, arguments.folder, arguments.images, arguments.errata)
    print(doctor.examine(loaded, layout))


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
