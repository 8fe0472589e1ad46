"""Writing to stdout, whose reader may leave (`| head`) and whose disk may be full (`> results.jsonl`)."""

from __future__ import annotations

import os
import sys

from ..engine.errors import MicroauError


def write_stdout(text: str) -> bool:
    """Print the text and a line end at once; False: nobody reads it any more.

    Raises MicroauError where it cannot be written for another reason.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        # Python flushes stdout once more at exit, and would complain a second time then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return False
        raise MicroauError(f"stdout: cannot be written: {error.strerror}. Send it elsewhere") from error
    return True
