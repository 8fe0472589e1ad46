"""From a table of a settings file to a frozen dataclass; what does not fit is said at once."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ...engine.errors import MicroauError

T = TypeVar("T")
NAMES: Mapping[type, str] = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}


def from_table(kind: type[T], table: object, where: str) -> T:
    """A `kind` with the values of a table, defaults for the rest.

    where  name of the table, for messages

    MicroauError where a key is unknown (the nearest one is named) or a value has the wrong type.
    """
    if not isinstance(table, Mapping):
        raise MicroauError(f"[{where}] must be a table of settings, found {table!r}")
    types_of = {f.name: get_type_hints(kind)[f.name] for f in fields(kind) if f.init}  # type: ignore[arg-type]
    for key in table:
        if key not in types_of:
            near = difflib.get_close_matches(str(key), types_of, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(types_of)}"
            raise MicroauError(f"unknown setting {where}.{key}; {hint}")
    return kind(**{key: _typed(f"{where}.{key}", value, types_of[key]) for key, value in table.items()})


def _typed(name: str, value: object, annotation: Any) -> Any:
    """The value as its field wants it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return None if value is None else _typed(name, value, next(k for k in inner if k is not type(None)))
    if origin is Literal:
        if value not in inner:
            raise MicroauError(f"{name} must be one of {', '.join(map(str, inner))}, found {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise MicroauError(f"{name} must be a list, found {value!r}")
        return tuple(_typed(name, one, inner[0]) for one in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise MicroauError(f"{name} must be a table, found {value!r}")
        return dict(value)
    if is_dataclass(annotation):
        return from_table(annotation, value, name)  # type: ignore[arg-type]
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, annotation) and (annotation is bool) == isinstance(value, bool):
        return value
    raise MicroauError(f"{name} must be {NAMES.get(annotation, annotation)}, found {value!r}")
