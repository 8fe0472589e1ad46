"""The result folder: who may write into it, and what is put there.

A folder with results of ours is overwritten, since the same command may be given twice. A file of
somebody else's is never touched: then nothing is written at all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..engine.errors import MicroauError
from .files import check_writable, write_whole, writing
from .session import Session
from .sink import Sink
from .sinks.events_csv import EventsCsv
from .sinks.events_jsonl import EventsJsonl
from .sinks.frames_csv import FramesCsv

RUN = "run.json"
TABLES = ("events.csv", "events.jsonl", "frames.csv")


def check_folder(folder: Path) -> None:
    """Refuse, before anything is opened, a folder that could not be written to in the end."""
    if folder.exists() and not folder.is_dir():
        raise MicroauError(f"{folder}: is a file. Give a folder for the results")
    found = [name for name in (*TABLES, RUN) if (folder / name).exists()]
    if found and not _is_ours(folder / RUN):
        raise MicroauError(f"{folder}: holds {found[0]}, which is not of microau. Choose another folder")
    check_writable(folder)


def _is_ours(path: Path) -> bool:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "microau" in record


def open_tables(folder: Path, session: Session, record: dict[str, Any]) -> list[Sink]:
    """Make the folder and begin its files; `record` says that the run is not over."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_run(folder, record)
    explain = session.config.output.explain
    return [
        EventsCsv(folder / "events.csv", session.aus),
        EventsJsonl(folder / "events.jsonl", session.aus, explain=explain),
        FramesCsv(folder / "frames.csv"),
    ]


def write_run(folder: Path, record: dict[str, Any]) -> None:
    """Put run.json in place."""
    write_whole(folder / RUN, json.dumps(record, indent=2, allow_nan=False) + "\n")
