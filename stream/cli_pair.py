"""The command `microau-pair`: which action units moved between two pictures of one face."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import __version__
from .command import Parser, command, quiet_providers
from .event_words import EXPLAINED, describe_movement, name_unit
from .options import add_options, given
from .pair import Pair, analyze_pair
from .stdout import write_stdout

DESCRIPTION = "Report which action units moved from ONSET, the face at rest, to APEX, the moved face."
EXAMPLES = """\
examples:
  microau-pair neutral.png smile.png
  microau-pair onset.png apex.png --json | jq .present

Results are candidates for a person to review. Exit status: 0 done, 2 something to be mended.
"""


def build_parser() -> Parser:
    """The options; those of the model come from `options.py`."""
    parser = Parser(prog="microau-pair", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("onset", type=Path, metavar="ONSET", help="picture of the face at rest")
    parser.add_argument("apex", type=Path, metavar="APEX", help="picture of the same face, moved")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--version", action="version", version=f"microau {__version__}")
    add_options(parser, "--model", "--device", "--au-only", "--explain")
    return parser


@command
def main(argv: Sequence[str]) -> int:
    """Run the command; the exit status."""
    arguments = build_parser().parse_args(argv)
    options = given(arguments)
    explain = bool(options.pop("explain", False))
    quiet_providers(str(options.get("device", "cpu")))
    pair = analyze_pair(arguments.onset, arguments.apex, **options)  # type: ignore[arg-type]
    if arguments.json:
        write_stdout(json.dumps(pair.to_dict(explain=explain), allow_nan=False))
    else:
        write_stdout("\n".join(describe(pair, explain=explain)))
    return 0


def describe(pair: Pair, *, explain: bool = False) -> Iterator[str]:
    """The result in words, the decided units first."""
    for unit in pair.units:
        yield f"{name_unit(unit)}: {pair.aus[f'AU{unit.au:02d}']:.2f}"
    if not pair.units:
        likeliest = max(pair.aus, key=lambda au: pair.aus[au])
        yield f"no unit decided; the likeliest is {likeliest} with {pair.aus[likeliest]:.2f}"
    if pair.emotion not in ("", "other"):
        yield f"reads as {pair.emotion} ({pair.emotion_scores[pair.emotion]:.2f})"
    if explain:
        yield from map(describe_movement, pair.explanation[:EXPLAINED])
