"""Does what was learned on one geometry hold on another? Train on one, judge on persons of the other.

Micro-expressions of real people move like neither the fields written for photographs nor the
sculpted 3D face; how much is lost from one to the other is the best available hint at what is lost
from both to the real thing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .default_recipe import DefaultRecipe, Say, judge
from .fit import fit
from .flow_samples import FlowSamples
from .quality import ask, calibrate
from .sources import geometry
from .splits import split


def transfer(samples: FlowSamples, recipe: DefaultRecipe, out: Path, say: Say) -> dict[str, Any]:
    """'photo to face3d' and the reverse -> figures on test persons; also written to `transfer.json`.

    Temperatures and thresholds come from validation persons of the geometry that was trained on.
    """
    people = split(samples.persons)
    found = {}
    for kind in sorted({geometry(name) for name in samples.persons}):
        own = [name for name in people.train if geometry(name) == kind]
        say(f"transfer: {len(own)} persons of {kind}")
        model = fit(samples.of(own), recipe.fit, say)
        chosen = samples.of(name for name in people.validation if geometry(name) == kind)
        calibration = calibrate(ask(model, chosen, recipe.fit), model.layout)
        for other, judged in judge(model, samples, people.test, recipe.fit, calibration).items():
            if other != kind:
                found[f"{kind} to {other}"] = judged
    out.mkdir(parents=True, exist_ok=True)
    (out / "transfer.json").write_text(json.dumps(found, indent=1) + "\n")
    return found
