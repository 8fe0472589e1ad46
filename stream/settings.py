"""Settings as a TOML file: read with --config, written with --print-config.

What is printed reads back to the same settings; a setting that is not set stands as a comment.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

from ..engine.errors import MicroauError
from .config import Config


def read_config(path: str | Path, base: Config | None = None) -> Config:
    """The settings of a TOML file on top of `base` (default: the defaults).

    Raises MicroauError where it cannot be read, is no TOML, or holds an unknown name.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise MicroauError(
            f"{path}: {error.strerror}. Give a settings file (--print-config makes one)"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MicroauError(f"{path}: not a TOML settings file: {error}") from error
    try:
        return (base or Config()).with_values(values)
    except MicroauError as error:
        raise MicroauError(f"{path}: {error}") from error


def to_toml(config: Config) -> str:
    """All settings as TOML, each under its explanation."""
    return "\n".join(_lines(config))


def _lines(config: Config) -> Iterator[str]:
    for group_field in fields(config):
        group = getattr(config, group_field.name)
        texts = documentation(type(group))
        yield f"[{group_field.name}]"
        for setting in fields(group):
            yield from textwrap.wrap(
                texts.get(setting.name, ""), 96, initial_indent="# ", subsequent_indent="# "
            )
            yield _assignment(setting.name, getattr(group, setting.name))
        yield ""


def _assignment(name: str, value: object) -> str:
    return f"# {name} =" if value is None else f"{name} = {_toml(value)}"


def _toml(value: object) -> str:
    """A bool, whole number, number or text as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, str):
        # JSON's quoting is TOML's, but for the delete character, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def documentation(group: type) -> dict[str, str]:
    """The text below each field of a dataclass, on one line; empty where the source is not at hand."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(group))).body[0]
    except OSError:
        return {}
    lines = body.body if isinstance(body, ast.ClassDef) else []
    texts = {}
    for before, line in pairwise(lines):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
            text = _text_of(line)
            if text:
                texts[before.target.id] = " ".join(text.split())
    return texts


def _text_of(line: ast.stmt) -> str | None:
    if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
        return line.value.value if isinstance(line.value.value, str) else None
    return None
