"""What the commands have in common: errors of one line, exit statuses, an early leaving reader."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from ..engine.errors import MicroauError

MENDABLE, INTERRUPTED = 2, 130
"""Exit statuses besides 0."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line like all others, and whose help keeps its lines."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        raise MicroauError(f"{message}. {self.prog} --help lists the options")


def command(body: Callable[[Sequence[str]], int]) -> Callable[[Sequence[str] | None], int]:
    """Make the `main` of a console script out of its body."""

    @functools.wraps(body)
    def main(argv: Sequence[str] | None = None) -> int:
        try:
            status = body(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()
            return status
        except MicroauError as error:
            print(f"microau: {one_line(error)}", file=sys.stderr)
            return MENDABLE
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            # Python flushes stdout once more at exit, and would complain about the pipe then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    return main


def one_line(error: MicroauError) -> str:
    """The message without line breaks, which a file name or a library's words may bring along."""
    return " ".join(str(error).split())
