"""Files that are whole at any moment: lines are written entire, whole files appear at once.

A disk that fills up, a folder that may not be written: one MicroauError that names the file, and
no half line or half file is left behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ..engine.errors import MicroauError

HELD = 32_768
"""Bytes of lines that are kept back before they are written together."""
TRIAL = 4096
"""Bytes that are written for a trial: less than the shortest run needs."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LineFile:
    """A text file that grows by whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: list[bytes] = []
        self._size = 0
        with writing(path):
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()

    def line(self, text: str) -> None:
        """Add one line; it may be kept back until `flush` or until there are many."""
        self._held.append(text.encode() + b"\n")
        self._size += len(self._held[-1])
        if self._size >= HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is kept back, or raise MicroauError with the file as it was before."""
        lines, self._held, self._size = b"".join(self._held), [], 0
        end = self._file.tell()
        with writing(self.path):
            try:
                while lines:
                    lines = lines[self._file.write(lines) :]
            except OSError:
                with contextlib.suppress(OSError):  # a pipe or a device has no length to cut
                    self._file.truncate(end)
                raise

    def close(self) -> None:
        """Write the rest; twice is harmless."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()


def write_whole(path: Path, text: str) -> None:
    """Put a text file in place at once: a reader sees the old one or the new one, never a part."""
    with writing(path), replacing(path) as part:
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to beside `path`; moved there if all went well, else removed."""
    part = path.with_name(f".{path.stem}.part{os.getpid()}{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system refuses into one line that names the file and the mend."""
    try:
        yield
    except OSError as error:
        raise MicroauError(
            f"{path}: cannot be written: {error.strerror or error}. {_mend(error)}"
        ) from error


def check_writable(folder: Path) -> None:
    """Raise MicroauError where no file can be made in a folder, which need not be there yet.

    Tried, not asked: what permissions say is not true of the superuser, /proc, or a full disk. What was
    made for it is removed.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    trial = folder / f".microau{os.getpid()}"
    with writing(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            trial.write_bytes(bytes(TRIAL))
        finally:
            with contextlib.suppress(OSError):
                trial.unlink(missing_ok=True)
                for place in missing:
                    place.rmdir()


def _mend(error: OSError) -> str:
    if error.errno in NO_ROOM:
        return "Make room there or choose another place"
    return "Choose a place that you may write to"
