"""Does what was learned on one geometry hold on another? Train on one, judge on persons of the other.

Micro-expressions of real people move like neither the fields written for photographs nor the
sculpted 3D face; how much is lost from one to the other is the best available hint at what is lost
from both to the real thing. The other two ways to move borrow from both, and are no test of this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .default_recipe import DefaultRecipe, Say, judge
from .fit import fit
from .flow_samples import FlowSamples
from .quality import ask, calibrate
from .sources import geometry
from .splits import split

APART = ("face3d", "photo")
"""Geometries that know nothing of each other."""
RECORD = "transfer.json"
LEAST_AUC = 0.9
"""A unit that reaches less in either direction is left out of what is shipped."""


def transfer(samples: FlowSamples, recipe: DefaultRecipe, out: Path, say: Say) -> dict[str, Any]:
    """'photo to face3d' and the reverse -> figures on test persons; also written to `transfer.json`.

    Temperatures and thresholds come from validation persons of the geometry that was trained on.
    """
    people = split(samples.persons)
    found = {}
    for kind in APART:
        own = [name for name in people.train if geometry(name) == kind]
        say(f"transfer: {len(own)} persons of {kind}")
        model = fit(samples.of(own), recipe.fit, say)
        chosen = samples.of(name for name in people.validation if geometry(name) == kind)
        calibration = calibrate(ask(model, chosen, recipe.fit), model.layout)
        for other, judged in judge(model, samples, people.test, recipe.fit, calibration).items():
            if other != kind and other in APART:
                found[f"{kind} to {other}"] = judged
    out.mkdir(parents=True, exist_ok=True)
    (out / RECORD).write_text(json.dumps(found, indent=1) + "\n")
    return found


def left_out(found: Mapping[str, Any]) -> tuple[int, ...]:
    """Units whose AUC in the worse direction is below LEAST_AUC, or cannot be told.

    >>> left_out({"a to b": {"auc": {"1": 0.97, "5": 0.95}}, "b to a": {"auc": {"1": 0.93, "5": 0.85}}})
    (5,)
    """
    units = {unit for judged in found.values() for unit in judged["auc"]}
    worst = {unit: min(judged["auc"].get(unit, 0.0) for judged in found.values()) for unit in units}
    return tuple(sorted(int(unit) for unit, area in worst.items() if not area >= LEAST_AUC))
