"""How a command of this room ends: one line for a mistake, silence for a closed pipe."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..engine.errors import MicroauError


def run_command(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse, and call what the sub-command set as `run`.

    Exit status: 0 done, 2 a mistake that the user can mend, 130 interrupted.
    """
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except MicroauError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted; run it again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `| head` has seen enough; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
