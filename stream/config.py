"""Every setting of a run, in one place: its default, its unit, where the number comes from.

The command line, the settings file, `--print-config` and `analyze_video(...)` all read this table:
a setting that is added here appears in all four. A field's text below it is its help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, get_type_hints

from ..engine.errors import MicroauError
from ..engine.faces import FaceConfig
from .checks import within
from .spotting import SpotConfig
from .wording import nearest

Group = TypeVar("Group")


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """What is read from the input."""

    fps: float | None = None
    """Frames per second: of a folder of images (required there), or asked of a camera."""
    width: int | None = None
    """Picture width in pixels to ask of a camera."""
    height: int | None = None
    """Picture height in pixels to ask of a camera."""
    start: float = 0.0
    """Seconds from the first frame at which the analysis begins."""
    end: float | None = None
    """Seconds from the first frame at which it stops. Not set: the end of the input."""

    def __post_init__(self) -> None:
        within("fps", self.fps, 1, 10_000)
        within("width", self.width, 16, 16_384)
        within("height", self.height, 16, 16_384)
        within("start", self.start, 0, 1e9)
        if self.end is not None and not self.end > self.start:
            raise MicroauError(f"end {self.end:g} s is not after start {self.start:g} s: give a later end")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which model decides the action units, and where it runs."""

    path: str | None = None
    """Model: a bundle (.onnx), or an engine built from one (.plan). Not set: the one that is shipped."""
    device: str = "cpu"
    """Where the model runs: cpu, cuda, cuda:1, tensorrt. Never another than the one asked for."""
    rebuild: str = "never"
    """A TensorRT engine that does not fit this machine: never is refused, auto is built again, once,
    from the ONNX file beside it."""
    au_only: bool = False
    """Action units alone: no emotion is derived or written."""

    def __post_init__(self) -> None:
        if self.rebuild not in ("never", "auto"):
            raise MicroauError(f"rebuild {self.rebuild}: one of never, auto")


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """What is shown and written besides the tables."""

    overlay: str | None = None
    """Annotated copy of the video to write, an .mp4 file."""
    view: bool = False
    """Show a window with the face, its motion and the last events; q closes it and ends the run."""
    explain: bool = False
    """Say for every event which points of the face moved, how far and which way."""
    quiet: bool = False
    """Nothing on stderr but errors."""

    def __post_init__(self) -> None:
        if self.overlay is not None and not self.overlay.lower().endswith(".mp4"):
            raise MicroauError(f"overlay {self.overlay}: give a file name that ends in .mp4")


@dataclass(frozen=True, slots=True)
class Config:
    """All settings; each group is a table of the settings file."""

    capture: CaptureConfig = field(default_factory=CaptureConfig)
    face: FaceConfig = field(default_factory=FaceConfig)
    spot: SpotConfig = field(default_factory=SpotConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    def with_values(self, values: Mapping[str, Mapping[str, object]]) -> Config:
        """A copy in which the values of `{group: {setting: value}}` replace those here.

        Raises MicroauError where a name is unknown or a value has the wrong type or range.
        """
        known = [f.name for f in fields(self)]
        for name in values:
            if name not in known:
                raise MicroauError(f"unknown group [{name}] of settings. {nearest(name, known)}")
        changed = {name: _changed(name, getattr(self, name), values[name]) for name in values}
        return replace(self, **changed)


def _changed(name: str, group: Group, values: object) -> Group:
    """A copy of one group with the values put in, each checked against the type of its field."""
    if not isinstance(values, Mapping):
        raise MicroauError(f"[{name}] is a group of settings: write them as {name}.KEY = VALUE")
    types = get_type_hints(type(group))
    for key in values:
        if key not in types:
            raise MicroauError(f"unknown setting {name}.{key}. {nearest(key, types)}")
    typed = {key: _typed(f"{name}.{key}", value, types[key]) for key, value in values.items()}
    return replace(group, **typed)  # type: ignore[type-var]


KINDS = {float: "a number", int: "a whole number", bool: "true or false", str: "a text in quotes"}


def kind(annotation: object) -> type:
    """The plain type behind an annotation: `float | None` is float."""
    options = getattr(annotation, "__args__", (annotation,))
    return next(option for option in options if isinstance(option, type) and option is not type(None))


def _typed(name: str, value: object, annotation: Any) -> object:
    expected = kind(annotation)
    if value is None and type(None) in getattr(annotation, "__args__", ()):
        return None
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, expected) and not (expected is int and isinstance(value, bool)):
        return value
    raise MicroauError(f"{name} must be {KINDS[expected]}, found {value!r}")
