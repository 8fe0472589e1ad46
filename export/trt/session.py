"""A TensorRT builder with its log: what it says is kept, so that a failure can be told in one line."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from ...engine.trt_flavour import import_flavour


class Session:
    """One flavour's package, its logger and its builder.

    verbose   the builder's own messages go to stderr as they come
    """

    def __init__(self, flavour: str, verbose: bool = False):
        self.trt: Any = import_flavour(flavour)
        self.log = _logger(self.trt, verbose)
        self.builder: Any = self.trt.Builder(self.log)

    @property
    def version(self) -> str:
        return str(self.trt.__version__)

    def last_error(self) -> str:
        """The last error that the builder logged, '' if none."""
        return self.log.errors[-1] if self.log.errors else ""


def _logger(trt: ModuleType, verbose: bool) -> Any:
    """A class of the package that was imported just now, so it cannot stand at module level."""

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                self.errors.append(message)
            if verbose and severity <= trt.ILogger.Severity.INFO:
                print(f"{severity.name.lower()}: {message}", file=sys.stderr)

    return Log()
