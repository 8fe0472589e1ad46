"""The options of the commands: each is a setting of `config.py` under a short name.

The short names are also those of `microau.analyze_video(path, max_faces=2)`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_type_hints

from ..engine.errors import MicroauError
from .config import Config, kind
from .settings import documentation
from .wording import nearest, seconds


@dataclass(frozen=True, slots=True)
class Option:
    """One option and the setting that it sets."""

    flag: str
    group: str
    setting: str
    metavar: str = ""
    read: Callable[[str], object] | None = None
    """Turns the written value into that of the setting; None: the setting's own type."""

    @property
    def name(self) -> str:
        """As an argument in Python: `--max-faces` is `max_faces`."""
        return self.flag.lstrip("-").replace("-", "_")


OPTIONS = (
    Option("--fps", "capture", "fps", "N"),
    Option("--width", "capture", "width", "PX"),
    Option("--height", "capture", "height", "PX"),
    Option("--start", "capture", "start", "TIME", seconds),
    Option("--end", "capture", "end", "TIME", seconds),
    Option("--max-faces", "face", "max_faces", "N"),
    Option("--face-backend", "face", "backend", "NAME"),
    Option("--macro", "spot", "report_macro"),
    Option("--model", "model", "path", "FILE"),
    Option("--device", "model", "device", "NAME"),
    Option("--rebuild", "model", "rebuild", "auto|never"),
    Option("--au-only", "model", "au_only"),
    Option("--overlay", "output", "overlay", "FILE.mp4"),
    Option("--view", "output", "view"),
    Option("--explain", "output", "explain"),
    Option("--quiet", "output", "quiet"),
)
TITLES = {
    "capture": "what is read (TIME: seconds or h:mm:ss)",
    "face": "faces",
    "spot": "movements",
    "model": "model",
    "output": "what is shown",
}


def with_options(config: Config, values: Mapping[str, object]) -> Config:
    """The settings with those replaced that are named, e.g. {"max_faces": 2}.

    Raises MicroauError for an unknown name or an impossible value.
    """
    known = {option.name: option for option in OPTIONS}
    grouped: dict[str, dict[str, object]] = {}
    for name, value in values.items():
        if name not in known:
            raise MicroauError(f"unknown setting {name}. {nearest(name, known)}")
        grouped.setdefault(known[name].group, {})[known[name].setting] = value
    return config.with_values(grouped)


def add_options(parser: argparse.ArgumentParser, *only: str) -> None:
    """Add the options (or only those named) to a parser, in groups; what is not given stays out."""
    defaults = Config()
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in OPTIONS:
        if only and option.flag not in only:
            continue
        group = groups.get(option.group) or parser.add_argument_group(TITLES[option.group])
        groups[option.group] = group
        _add(group, option, getattr(defaults, option.group))


def _add(group: argparse._ArgumentGroup, option: Option, defaults: object) -> None:
    text = documentation(type(defaults)).get(option.setting, "").replace("%", "%%")
    default = getattr(defaults, option.setting)
    expected = kind(get_type_hints(type(defaults))[option.setting])
    if expected is bool:
        group.add_argument(
            option.flag,
            help=text,
            default=argparse.SUPPRESS,
            action=argparse.BooleanOptionalAction,
        )
        return
    if default is not None:
        text += f" Default: {default:g}." if isinstance(default, float) else f" Default: {default}."
    group.add_argument(
        option.flag,
        help=text,
        metavar=option.metavar,
        type=_reader(option, expected),
        default=argparse.SUPPRESS,
    )


def _reader(option: Option, expected: type) -> Callable[[str], object]:
    """What argparse calls on the written value; its message names the accepted form."""

    def read(text: str) -> object:
        try:
            return (option.read or expected)(text)
        except ValueError as error:
            reason = str(error) if option.read else f"{text!r} is not a {_noun(expected)}"
            raise argparse.ArgumentTypeError(reason) from error

    return read


def _noun(expected: type) -> str:
    return "whole number" if expected is int else "number"


def given(arguments: argparse.Namespace) -> dict[str, object]:
    """The options that were written on the command line, as {name: value}."""
    names = {option.name for option in OPTIONS}
    return {name: value for name, value in vars(arguments).items() if name in names}
