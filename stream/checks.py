"""Refusing impossible settings, with the accepted values in the message."""

from __future__ import annotations

from ..engine.errors import MicroauError


def within(name: str, value: float | None, low: float, high: float) -> None:
    """Refuse a number outside low..high; not-a-number is outside. None passes."""
    if value is not None and not low <= value <= high:
        raise MicroauError(f"{name} must be from {low:g} to {high:g}, found {value:g}")
