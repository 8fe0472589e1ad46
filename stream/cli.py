"""The command `microau-stream`: facial micro-expressions in a video, a camera or a network stream."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..engine.errors import MicroauError
from .command import INTERRUPTED, Parser, command, quiet_providers
from .compiling import CompilationNotice
from .config import Config
from .interrupt import Interrupt
from .options import add_options, given, with_options
from .preflight import check_outputs
from .run import Run
from .session import Session
from .settings import read_config, to_toml
from .stdout import write_stdout

DESCRIPTION = """\
Report facial movements of micro-expression length: onset, apex and offset in true time, action
units, side, and how sure it is. Results are candidates for a person to review; they say nothing
about honesty and must not be used to judge people at work, at school or when hiring.
"""
EXAMPLES = """\
examples:
  microau-stream interview.mp4 --out results          events.csv, events.jsonl, frames.csv, run.json
  microau-stream interview.mp4 --start 1:30 --end 2:00 --overlay seen.mp4
  microau-stream frames/ --fps 200 --out results      a folder of numbered pictures
  microau-stream --camera 0 --fps 200 --view          live; q closes the window and ends
  microau-stream rtsp://10.0.0.9/live | jq .aus       events as JSON lines
  microau-stream --print-config > mine.toml           all settings, explained; read by --config

exit status: 0 done, 2 something to be mended (one line on stderr), 130 interrupted, files complete
"""


def build_parser() -> Parser:
    """All options; those of the settings come from `options.py`."""
    parser = Parser(prog="microau-stream", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("input", nargs="?", metavar="INPUT", help="video file, folder of pictures, or URL")
    parser.add_argument("--camera", type=int, metavar="N", help="number of a camera, instead of INPUT")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the tables")
    parser.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="settings file; options go before it"
    )
    parser.add_argument("--print-config", action="store_true", help="print the settings as TOML and end")
    parser.add_argument("--version", action="version", version=f"microau {__version__}")
    add_options(parser)
    return parser


def settings(arguments: argparse.Namespace) -> Config:
    """Defaults, then the settings file, then the options."""
    config = read_config(arguments.config) if arguments.config else Config()
    return with_options(config, given(arguments))


@command
def main(argv: Sequence[str]) -> int:
    """Run the command; the exit status."""
    arguments = build_parser().parse_args(argv)
    config = settings(arguments)
    if arguments.print_config:
        write_stdout(to_toml(config).rstrip("\n"))
        return 0
    if (arguments.input is None) == (arguments.camera is None):
        raise MicroauError("give one input: a video file, a folder of pictures, a URL, or --camera N")
    check_outputs(config, arguments.input, arguments.out)
    return analyse(config, arguments, ["microau-stream", *argv])


def analyse(config: Config, arguments: argparse.Namespace, line: list[str]) -> int:
    """Open, run, and give the exit status."""

    def say(sentence: str) -> None:
        if not config.output.quiet:
            print(f"microau: {sentence}", file=sys.stderr, flush=True)

    quiet_providers(config.model.device)
    with Interrupt() as interrupt, CompilationNotice(say) as notice:
        with Session(config, arguments.input, camera=arguments.camera) as session:
            run = Run(session, arguments.out, line)
            notice.say = run.say
            run(interrupt)
        return INTERRUPTED if interrupt.happened else 0
