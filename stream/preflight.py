"""What is refused before anything is opened, because it could not be finished."""

from __future__ import annotations

import os
from pathlib import Path

from ..engine.errors import MicroauError
from .config import Config
from .results import check_folder


def check_outputs(config: Config, input: str | None, out: Path | None) -> None:
    """Raise MicroauError where the results could not be written or the window not be opened."""
    if out is not None:
        check_folder(out)
    if config.output.overlay is not None:
        from .sinks.overlay import check_overlay

        check_overlay(Path(config.output.overlay))
        if input is not None and _same_file(input, config.output.overlay):
            raise MicroauError(
                f"{config.output.overlay}: is the input itself. Give the overlay another name"
            )
    if config.output.view:
        from .view import check_display

        check_display()


def _same_file(one: str, other: str) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)
