"""What each choice of the default model gives: a short training per setting, judged on validation persons.

    python benchmarks/explore.py --cache .cache/flow --epochs 3 --share 0.5 [--only NAME ...]

Needs the flow samples that `microau-train --recipe default` keeps in its cache. Every setting sees the
same samples, the same number of steps and the same seed; test persons are not looked at. With --flow NAME
--media FOLDER the same pairs are measured by another flow of `engine.flow` first. Prints a row of
a Markdown table as soon as it is known: mean F1 of the paper's eight units per way to move; the share of
real smiles, made smaller to 1.5 to 4 % and as they are, in which AU12 is found.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from microau.engine.flow import FLOWS
from microau.training.augment import Variation
from microau.training.default_recipe import judge, smiles
from microau.training.fit import Recipe, fit
from microau.training.flow_samples import FlowSamples, read_shards
from microau.training.make_samples import Making, make_shards
from microau.training.model import CompactSizes
from microau.training.quality import PAPER_AUS, ask, calibrate
from microau.training.sources import SMILE, all_sources, geometry
from microau.training.splits import split

WAYS = ("photo", "face3d", "mixed", "sparse")


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice: how it changes the recipe and the samples."""

    name: str
    recipe: Callable[[Recipe], Recipe] = lambda recipe: recipe
    samples: Callable[[FlowSamples], FlowSamples] = lambda samples: samples
    trained_on: tuple[str, ...] = (*WAYS, SMILE)


STILL_VARIATION = Variation(**{entry.name: 0.0 for entry in fields(Variation)})


def sizes(**changes: int) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, sizes=replace(CompactSizes(), **changes))


def without_strain(samples: FlowSamples) -> FlowSamples:
    """The strain channel made nothing."""
    return replace(samples, spec=replace(samples.spec, strain_unit=1e9))


def halved(samples: FlowSamples) -> FlowSamples:
    """Flow at half the size, for a grid of 14 x 14."""
    size = samples.spec.size // 2
    small = [
        cv2.resize(f.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) for f in samples.flow
    ]
    return replace(samples, flow=np.stack(small).astype(np.float16), spec=replace(samples.spec, size=size))


def eight_units(samples: FlowSamples) -> FlowSamples:
    """The paper's units alone; the others move too, but nobody asks."""
    kept = np.isin(samples.aus, PAPER_AUS)
    return replace(samples, amplitude=samples.amplitude[:, kept], aus=PAPER_AUS)


SETTINGS = (
    Setting("as shipped, short training"),
    Setting("token grid 14 x 14", sizes(image=56, grid=14), halved),
    Setting("width 32", sizes(width=32)),
    Setting("width 96", sizes(width=96)),
    Setting("two blocks", sizes(blocks=2)),
    Setting("depthwise kernel 3", sizes(kernel=3)),
    Setting("without the strain channel", samples=without_strain),
    Setting("the paper's eight units alone", samples=eight_units),
    Setting("no MiAUCL (alpha 0)", lambda r: replace(r, alpha=0.0)),
    Setting("no GD loss (beta 0)", lambda r: replace(r, beta=0.0)),
    Setting("sides not trained", lambda r: replace(r, sides=0.0)),
    Setting("no blending of two movements", lambda r: replace(r, together=0.0)),
    Setting("no variation of the samples", lambda r: replace(r, variation=STILL_VARIATION)),
    Setting("no smooth noise, residue and blots",
            lambda r: replace(r, variation=replace(Variation(), noise=0, residue=0, blot=0))),
    Setting("nothing made loud, nothing spread",
            lambda r: replace(r, variation=replace(Variation(), loud=0, spread=0))),
    Setting("blended with movements of the same person alone", lambda r: replace(r, strangers=False)),
    Setting("no turn left over, no backdrop",
            lambda r: replace(r, variation=replace(Variation(), depth=0, backdrop=0))),
    Setting("without real smiles", trained_on=WAYS),
    Setting("photographs and 3D face alone", trained_on=("photo", "face3d")),
    Setting("without the sparse way", trained_on=("photo", "face3d", "mixed", SMILE)),
)  # fmt: skip


def main() -> int:
    options = _parser().parse_args()
    torch.set_num_threads(1)
    samples = read_shards(shards(options))
    columns = ("setting", *WAYS, "side", "still pairs with a unit", "real smiles", "weights", "minutes")
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|")
    for setting in SETTINGS:
        if not options.only or setting.name in options.only:
            print("| " + " | ".join(row(setting, samples, options)) + " |", flush=True)
    return 0


def shards(options: argparse.Namespace) -> list[Path]:
    """The samples that are there, or the same pairs measured by another flow."""
    if options.flow is None:
        return sorted(options.cache.rglob("*.safetensors"))
    faces = options.media / "london"
    sources = all_sources(
        faces / "neutral_front", options.media / "face3d" / "ict_facekit.npz", 40, faces / "smiling_front"
    )
    say = functools.partial(print, file=sys.stderr)
    return make_shards(sources, Making(flow=options.flow), options.cache, say, options.workers)


def row(setting: Setting, samples: FlowSamples, options: argparse.Namespace) -> Iterator[str]:
    """Cells of one line: mean F1 of the paper's eight units per way to move, and the rest."""
    began = time.perf_counter()
    samples = setting.samples(samples)
    people = split(samples.persons)
    recipe = setting.recipe(replace(Recipe(), epochs=options.epochs))
    trained = samples.of(name for name in people.train if geometry(name) in setting.trained_on)
    kept = np.random.default_rng(0).random(len(trained)) < steps_share(
        trained, samples, people.train, options
    )
    model = fit(trained.take(kept), recipe)
    chosen = samples.of(people.validation)
    calibration = calibrate(ask(model, chosen, recipe), model.layout)
    judged = judge(model, samples, people.validation, recipe, calibration)
    yield setting.name
    yield from (f"{judged[way]['mean_f1_paper_units'][0]:.3f}" for way in WAYS)
    yield f"{np.mean([judged[way]['side_accuracy'] for way in WAYS]):.3f}"
    yield f"{100 * np.mean([judged[way]['still_pairs_with_a_unit'] for way in WAYS]):.1f} %"
    yield real_smiles(smiles(model, samples, people.validation, recipe, calibration))
    yield f"{sum(p.numel() for p in model.parameters()) // 1000} k"
    yield f"{(time.perf_counter() - began) / 60:.0f}"


def real_smiles(found: dict[str, float]) -> str:
    """Share with AU12 decided, from micro-expressions on."""
    return " / ".join(f"{100 * share:.0f} %" for name, share in found.items() if name[0] != "0")


def steps_share(
    trained: FlowSamples, samples: FlowSamples, train: tuple[str, ...], options: argparse.Namespace
) -> float:
    """Share of samples to keep, so that every setting makes the same number of steps."""
    return min(options.share * len(samples.of(train)) / len(trained), 1.0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="flow samples of the default recipe")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.5, help="of the training samples (%(default)s)")
    parser.add_argument("--flow", choices=FLOWS, help="measure the same pairs by this flow")
    parser.add_argument("--media", type=Path, help="with --flow: folder of london/ and face3d/")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="settings by name; all without it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
