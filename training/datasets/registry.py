"""Every data set that can be read, by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from ...engine.errors import MicroauError
from . import casme, casme2, casme3, casme_sq, errata, fourdme, layout, mmew, plain, samm, samm_lv, smic
from .layout import Layout
from .sample import Loaded

LAYOUTS: Mapping[str, Layout] = {
    one.name: one
    for one in (
        casme2.LAYOUT,
        samm.LAYOUT,
        smic.HS,
        smic.VIS,
        smic.NIR,
        casme_sq.LAYOUT,
        samm_lv.LAYOUT,
        casme3.LAYOUT,
        casme3.PART_C,
        casme.LAYOUT,
        mmew.LAYOUT,
        fourdme.LAYOUT,
        plain.LAYOUT,
    )
}

ALIASES = {
    "casmeii": "casme2", "smic": "smic-hs", "casmesq": "casme-sq", "cas(me)2": "casme-sq",
    "sammlv": "samm-lv", "sammlong": "samm-lv", "cas(me)3": "casme3", "4dme": "fourdme",
    "own": "plain",
}  # fmt: skip
"""Other spellings, lower-case, without spaces, hyphens, carets and underscores."""

PEOPLE = {"samm-lv": "samm", "smic-vis": "smic", "smic-nir": "smic", "smic-hs": "smic"}
"""Sets recorded from the same people: a subject of one is the same subject of the other."""


def find_layout(name: str) -> Layout:
    """The layout of a data set. MicroauError, with the nearest name, where there is none."""
    plain_name = re.sub(r"[\s_^-]", "", name.lower())
    by_plain = {key.replace("-", ""): key for key in LAYOUTS} | ALIASES
    if plain_name in by_plain:
        return LAYOUTS[by_plain[plain_name]]
    near = difflib.get_close_matches(plain_name, by_plain, 1)
    hint = f"did you mean {by_plain[near[0]]}? " if near else ""
    raise MicroauError(f"{name}: no such data set; {hint}There are {', '.join(LAYOUTS)}")


def load(name: str, root: Path, tree: str = "", switch: errata.Switch = None) -> Loaded:
    """Read a data set from the folder that it was unpacked into; see `layout.load`."""
    return layout.load(find_layout(name), root, tree, switch)


def person(dataset: str, subject: str) -> str:
    """Who it is: unique over all sets, equal for a person who is in several.

    >>> person("samm-lv", "006"), person("casme2", "sub01")
    ('samm/006', 'casme2/sub01')
    """
    return f"{PEOPLE.get(dataset, dataset)}/{subject}"
