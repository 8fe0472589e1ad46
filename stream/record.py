"""run.json: how a run was made, so that it can be judged and made again."""

from __future__ import annotations

import hashlib
import math
import platform
from dataclasses import fields, is_dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import __version__
from .columns import FRAME_COLUMNS, described, event_columns
from .sensitivity import half_found
from .session import Session
from .table import SCHEMA
from .urls import mask

MODULES = ("av", "numba", "numpy", "onnxruntime", "cv2")
"""These say their own version: what is loaded may be installed as onnxruntime-gpu, or headless."""


def run_record(session: Session, command: list[str], status: str, notices: list[str]) -> dict[str, Any]:
    """The run as it stands, ready for JSON.

    status  running, done, interrupted or failed
    """
    tally = session.tally
    return {
        "schema": SCHEMA,
        "microau": __version__,
        "command": [mask(word) for word in command],
        "status": status,
        "ending": session.ending,
        "input": plain(session.source.probe),
        "model": _model(session),
        "lookahead_ms": round(session.pipeline.latency_ms, 3),
        "batch_wait_ms": session.pipeline.batch_wait_ms,
        "startup_ms": round(session.pipeline.startup_ms(session.source.probe.rate), 3),
        "noise": _noise(session),
        "counts": _counts(session),
        "wall_s": round(tally.seconds, 3),
        "frames_per_s": round(tally.fps, 1),
        "timings_s": {stage: round(spent, 4) for stage, spent in session.pipeline.timings().items()},
        "latency_ms": _latency(session),
        "notices": notices,
        "settings": plain(session.config),
        "columns": {
            "events.csv": described(event_columns(session.aus)),
            "frames.csv": described(FRAME_COLUMNS),
        },
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _versions(),
    }


def _noise(session: Session) -> dict[str, float] | None:
    """What the picture leaves to be seen, percent of OED; None where no face was seen for long enough."""
    noise = session.pipeline.noise
    size = half_found(noise)
    return {"floor": round(noise.quantile(0.5), 3), "half_found": round(size, 2)} if size else None


def _counts(session: Session) -> dict[str, Any]:
    tally = session.tally
    return {
        "frames": tally.frames,
        "frames_with_face": tally.with_face,
        "events": tally.events,
        "macro": session.pipeline.macro_count,
        "missing": tally.missing,
        "duplicates": tally.duplicates,
        "source": plain(session.source.counts),
        "dropped": session.dropped,
    }


def _model(session: Session) -> dict[str, Any]:
    bundle = session.pipeline.bundle
    return {
        "name": bundle.name,
        "path": str(bundle.path),
        "sha256": hashlib.sha256(Path(bundle.path).read_bytes()).hexdigest(),
        "units": list(session.aus),
    }


def _latency(session: Session) -> dict[str, float] | None:
    """From a frame's arrival to its rows; None for a recording, which has no arrival."""
    spent = session.tally.latency
    if not session.live:
        return None
    return {"p50": round(spent.quantile(0.5), 3), "p99": round(spent.quantile(0.99), 3)}


def plain(value: Any) -> Any:
    """Dataclasses as dicts, rationals as `30000/1001`, infinity as `inf`; what JSON knows stays."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Fraction | Path) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value


def _versions() -> dict[str, str]:
    found = {name: str(import_module(name).__version__) for name in MODULES}
    return found | {"opencv-python": found.pop("cv2")}
