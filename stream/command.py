"""What the commands have in common: errors of one line, and the exit statuses."""

from __future__ import annotations

import argparse
import errno
import functools
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from ..engine.errors import MicroauError

MENDABLE, INTERRUPTED = 2, 130
"""Exit statuses besides 0."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Of a system call that could not write: what Numba meets where it keeps compiled code on a full disk."""


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
            return body(sys.argv[1:] if argv is None else argv)
        except MicroauError as error:
            print(f"microau: {one_line(error)}", file=sys.stderr)
            return MENDABLE
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            where = error.filename or "a file"  # not one of our results: those say MicroauError
            print(f"microau: {where}: cannot be written: {error.strerror}. Make room", file=sys.stderr)
            return MENDABLE
        except KeyboardInterrupt:
            return INTERRUPTED

    return main


def quiet_providers(device: str) -> None:
    """Warnings of ONNX Runtime's GPU providers stay off stderr; a library that is missing is still named.

    They come before a session has a level of its own, so the level is the process's: for commands alone.
    """
    if device != "cpu":
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)


def one_line(error: MicroauError) -> str:
    """The message without line breaks, which a file name or a library's words may bring along."""
    return " ".join(str(error).split())
