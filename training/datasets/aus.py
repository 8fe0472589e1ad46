"""Action-unit strings as coders write them: side, intensity, doubt and alternatives are kept.

    L12           the subject's left side alone
    R14A or 17A   either of the two, each at intensity A (trace) of A..E
    AU4+AU7(k)    the second one uncertain (4DME); a question mark says the same
    4.0           a number, by Excel
    12-Apr        '4-12', made a date by Excel: read as 4+12, and noted

Other readers keep the digits alone. What is not understood is an `AuError`, never a guess.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

SIDES = "LRUABT"
"""Left, right, unilateral, asymmetrical, bilateral (for lips also bottom), top (FACS manual)."""
NUMBERS = frozenset([*range(1, 47), *range(50, 75), *range(80, 86), 91, 92, 97, 98])
"""FACS numbers, head, eye and visibility codes included: so '47' is no unit, but a '4+7' mistyped."""

Reading = Literal["present", "absent", "unknown"]


class AuError(ValueError):
    """A string that is no list of action units; the message says which part."""


@dataclass(frozen=True, slots=True)
class UnitLabel:
    """One unit as coded."""

    au: int
    """FACS number."""
    side: str = ""
    """One of SIDES as written, '' where none was."""
    intensity: str = ""
    """A (trace) to E (maximum), '' where none was written."""
    uncertain: bool = False
    choice: int = 0
    """0: coded. Units that share a number above 0 are alternatives: one of them is present."""

    def __str__(self) -> str:
        return f"{self.side}{self.au}{self.intensity}{'?' if self.uncertain else ''}"


@dataclass(frozen=True, slots=True)
class AuCode:
    """The coding of one movement."""

    units: tuple[UnitLabel, ...] = ()
    """In the order written."""
    coded: bool = False
    """False: nobody coded units here (an empty cell, '?'); so the absent ones are not known either."""
    notes: tuple[str, ...] = ()
    """What a person should look at: a date by Excel, a stray sign."""

    def __str__(self) -> str:
        """Canonical form; `parse_aus` gives the same units back."""
        if not self.units:
            return "none" if self.coded else ""
        text = str(self.units[0])
        for before, unit in zip(self.units, self.units[1:], strict=False):
            text += (" or " if unit.choice and unit.choice == before.choice else "+") + str(unit)
        return text

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every unit that is mentioned, ascending, alternatives and doubtful ones too."""
        return tuple(sorted({unit.au for unit in self.units}))


def presence(code: AuCode, au: int, doubtful: Reading = "present") -> int:
    """1 present, 0 absent, -1 not known.

    doubtful  how a unit counts that is uncertain or one of several alternatives. 'present' is what
              the published counts do.

    >>> code = parse_aus("R14A or 17A + 4")
    >>> [presence(code, au, "unknown") for au in (4, 12, 14, 17)]
    [1, 0, -1, -1]
    """
    if not code.coded:
        return -1
    labels = [unit for unit in code.units if unit.au == au]
    if any(not unit.uncertain and not unit.choice for unit in labels):
        return 1
    return {"present": 1, "absent": 0, "unknown": -1}[doubtful] if labels else 0


def sides(code: AuCode, au: int) -> str:
    """'L' or 'R' where the unit was coded on that side alone, '' otherwise (both, or not said).

    >>> sides(parse_aus("L12+R14+L14"), 12), sides(parse_aus("L12+R14+L14"), 14)
    ('L', '')
    """
    found = {unit.side for unit in code.units if unit.au == au}
    return found.pop() if found in ({"L"}, {"R"}) else ""


def parse_aus(value: object) -> AuCode:
    """Read one cell of a label file: text, a number, a date, or nothing.

    Raises AuError where any part is not understood.

    >>> str(parse_aus("L1＋AU4b,R7(k)"))
    'L1+4B+R7?'
    >>> parse_aus("4+abc")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    microau.training.datasets.aus.AuError: action units '4+abc': 'ABC' is not understood
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return AuCode()
    if isinstance(value, date):  # a datetime is one too
        return _from_date(value)
    return _from_text(str(value))


NOT_CODED = ("", "?", "/", "-", "NAN", "UNKNOWN", "N/A")
NO_UNIT = ("0", "0.0", "NONE", "NO")  # FACS writes AU 0 for a neutral face


def _from_text(written: str) -> AuCode:
    text = unicodedata.normalize("NFKC", written).strip().upper()  # full-width signs become plain
    if text in NOT_CODED or text in NO_UNIT:
        return AuCode(coded=text in NO_UNIT)
    as_date = _date_in(text)
    if as_date:
        return _numbers(as_date, f"{written!r} is a date by Excel, read as {as_date[0]}+{as_date[1]}")
    return AuCode(tuple(_units(text, written)), coded=True, notes=tuple(_notes(text, written)))


_UNIT = re.compile(
    rf"(?:(?P<a>[{SIDES}])?\s*AU\s*(?P<b>[{SIDES}])?|(?P<c>[{SIDES}])?)\s*"
    r"(?P<number>\d{1,3})(?:\.0+)?(?P<intensity>[A-E])?(?P<d>[LR])?"
    r"(?P<doubt>\s*(?:\?|\(\s*[K?]\s*\)))?(?![A-Z0-9.(])"
)
_SEPARATOR = re.compile(r"\s*(?:\bOR\b|/|[+,;、&-]|\bAND\b)[\s+,;、&]*|\s+")
_EITHER = re.compile(r"\bOR\b|/")


def _units(text: str, written: str) -> Iterable[UnitLabel]:
    """Units one after the other; `or` and `/` bind the two beside them more closely than `+`."""
    units: list[UnitLabel] = []
    place, either = 0, False
    text = text.strip(" +,;、")
    while place < len(text):
        match = _UNIT.match(text, place)
        if match is None:
            raise AuError(f"action units {written!r}: {_rest(text, place)!r} is not understood")
        units.append(_label(match, written))
        if either:
            _bind(units)
        gap = _SEPARATOR.match(text, match.end())
        if gap is None and match.end() < len(text):
            raise AuError(f"action units {written!r}: {text[match.end() :]!r} is not understood")
        either = gap is not None and _EITHER.search(gap.group()) is not None
        place = gap.end() if gap else len(text)
    if either:
        raise AuError(f"action units {written!r}: nothing after the last 'or'")
    return units


def _rest(text: str, place: int) -> str:
    return re.split(r"[+,;\s]", text[place:], maxsplit=1)[0] or text[place:]


def _label(match: re.Match[str], written: str) -> UnitLabel:
    number = int(match["number"])
    if number not in NUMBERS:
        raise AuError(f"action units {written!r}: FACS has no unit {number}")
    letters = [letter for letter in match.group("a", "b", "c", "d") if letter]
    if len(letters) > 1:
        raise AuError(f"action units {written!r}: {match.group().strip()!r} has two side letters")
    return UnitLabel(number, "".join(letters), match["intensity"] or "", match["doubt"] is not None)


def _bind(units: list[UnitLabel]) -> None:
    """Make the last two units alternatives of one another."""
    choice = units[-2].choice or 1 + max(unit.choice for unit in units)
    for place in (-2, -1):
        unit = units[place]
        units[place] = UnitLabel(unit.au, unit.side, unit.intensity, unit.uncertain, choice)


def _notes(text: str, written: str) -> Iterable[str]:
    if text != text.strip(" +,;、"):
        yield f"{written!r} begins or ends with a sign; a unit may be missing"


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTH = "|".join(_MONTHS)
_DATES = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?: 00:00:00)?"),
    re.compile(rf"(?P<day>\d\d?)-(?P<month>{_MONTH})"),
    re.compile(rf"(?P<month>{_MONTH})-(?P<day>\d\d?)"),
    re.compile(r"(?P<month>\d\d?)月(?P<day>\d\d?)日"),
)


def _date_in(text: str) -> tuple[int, int] | None:
    found = next(filter(None, (pattern.fullmatch(text) for pattern in _DATES)), None)
    if found is None:
        return None
    parts = found.groupdict()
    month = int(parts["month"]) if parts["month"].isdigit() else 1 + _MONTHS.index(parts["month"])
    return _as_typed(int(parts.get("year") or 0), month, int(parts["day"]))


def _from_date(day: date) -> AuCode:
    pair = _as_typed(day.year, day.month, day.day)
    return _numbers(pair, f"{day:%Y-%m-%d} is a date by Excel, read as {pair[0]}+{pair[1]}")


def _as_typed(year: int, month: int, day: int) -> tuple[int, int]:
    """The two numbers that were typed: '4-12' becomes 12 April, '4-38' the 1st of April 1938."""
    return (month, year - 1900) if 1930 <= year < 2000 and day == 1 else (month, day)


def _numbers(pair: tuple[int, int], note: str) -> AuCode:
    return AuCode(tuple(UnitLabel(number) for number in pair), coded=True, notes=(note,))
