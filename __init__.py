"""microau: facial micro-expressions in video, with onset, apex, offset and action units.

import microau
result = microau.analyze_video("interview.mp4")     # .events and .frames tables
pair = microau.analyze_pair("onset.png", "apex.png")
with microau.Stream(camera=0, fps=200) as stream:   # events as they are decided
    for event in stream: ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .engine.errors import MicroauError as MicroauError
    from .stream.api import Result as Result
    from .stream.api import Stream as Stream
    from .stream.api import analyze_video as analyze_video
    from .stream.config import Config as Config
    from .stream.events import Event as Event
    from .stream.pair import Pair as Pair
    from .stream.pair import analyze_pair as analyze_pair
    from .stream.sharing import SharedModel as SharedModel

_HOMES = {
    "Config": "stream.config",
    "Event": "stream.events",
    "MicroauError": "engine.errors",
    "Pair": "stream.pair",
    "Result": "stream.api",
    "SharedModel": "stream.sharing",
    "Stream": "stream.api",
    "analyze_pair": "stream.pair",
    "analyze_video": "stream.api",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `import microau` alone takes no time, and pulls in no decoder or model.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
