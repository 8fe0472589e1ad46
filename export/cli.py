"""microau-export: a checkpoint as a model bundle, and its variants in other number formats.

    microau-export runs/default --out model.onnx --samples .cache/flow --variants fp16 int8-static

Every file is compared with torch on real flow samples, and judged on persons that the model was not
trained on; ranges for static quantisation are measured on persons that it was trained on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.bundle import read_bundle
from ..engine.engines.torch import TorchEngine
from ..engine.errors import MicroauError
from ..engine.inference import INPUTS, OUTPUTS, open_engine
from ..engine.scorer import DEFAULT, load_scorer
from ..training.checkpoint import Trained, load
from ..training.command import run_command
from .bundle import Deployed, write_bundle
from .compare import (
    Figures,
    answers,
    as_json,
    gap_table,
    gaps,
    medians_ms,
    quality,
    table,
)
from .material import Material, read_material
from .quantise import VARIANTS, convert_file

Array = NDArray[np.float32]
ROWS = 64
"""Samples that torch computes at once."""
TIMED = ("fp32", "int8-dynamic", "int8-static")
"""Variants for CPUs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, export, report; the exit status."""
    return run_command(_parser(), argv)


def _run(args: argparse.Namespace) -> None:
    if args.variants and args.samples is None:
        raise MicroauError("--variants needs --samples: the folder of flow samples that microau-train made")
    trained = load(args.checkpoint)
    material = read_material(args.samples, trained) if args.samples else None
    bundle = write_bundle(trained, args.out, args.out.stem, load_scorer(args.spotter))
    print(f"{args.out}: {len(bundle.units)} units, {args.out.stat().st_size / 1e6:.2f} MB")
    if material is not None:
        _compare(args, trained, material)


def _compare(args: argparse.Namespace, trained: Trained, material: Material) -> None:
    """Write the variants and judge all files."""
    if args.calibration is not None:
        _save(args.calibration, material.calibration)
    paths = {"fp32": args.out} | _variants(args.out, args.variants, material)
    figures = _figures(paths, trained, material)
    print(table(figures))
    print(gap_table(figures))
    if args.report is not None:
        args.report.write_text(json.dumps(as_json(figures), indent=1) + "\n")


def _save(path: Path, inputs: Mapping[str, Array]) -> None:
    with path.open("wb") as file:  # a name without .npz stays as it is
        np.savez(file, allow_pickle=False, **inputs)


def _variants(out: Path, names: Sequence[str], material: Material) -> dict[str, Path]:
    paths = {name: out.with_name(f"{out.stem}.{name}.onnx") for name in names}
    for name, path in paths.items():
        convert_file(out, path, name, material.calibration)
    return paths


def _figures(paths: Mapping[str, Path], trained: Trained, material: Material) -> list[Figures]:
    wanted = _torch(trained, material.judged)
    timed = [variant for variant in paths if variant in TIMED]
    one = {name: array[:1] for name, array in material.judged.items()}
    speed = dict(zip(timed, medians_ms([paths[v] for v in timed], one), strict=True))
    return [
        _judge(variant, path, wanted, material, speed.get(variant, float("nan")))
        for variant, path in paths.items()
    ]


def _judge(
    variant: str, path: Path, wanted: Mapping[str, Array], material: Material, cpu_ms: float
) -> Figures:
    bundle = read_bundle(path)
    # ONNX Runtime computes half products in single precision on a CPU; torch rounds as a GPU does.
    with open_engine(path) if variant in TIMED else TorchEngine(path) as engine:
        got = answers(engine, material.judged)
    mean_f1, mean_auc = quality(got["probability"], material.labels, bundle)
    megabytes = path.stat().st_size / 1e6
    return Figures(variant, path.name, megabytes, gaps(got, wanted), mean_f1, mean_auc, cpu_ms)


def _torch(trained: Trained, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The answers of the model that was trained, in torch."""
    deployed = Deployed(trained).eval()
    parts = []
    for start in range(0, len(inputs["flow"]), ROWS):
        rows = [torch.from_numpy(inputs[name][start : start + ROWS]) for name in INPUTS]
        with torch.no_grad():
            parts.append([output.numpy() for output in deployed(*rows)])
    columns = zip(*parts, strict=True)
    return {name: np.concatenate(column) for name, column in zip(OUTPUTS, columns, strict=True)}


def _parser() -> argparse.ArgumentParser:
    caption = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="microau-export", description=caption)
    add = parser.add_argument
    add("checkpoint", type=Path, help="folder written by microau-train")
    add("--out", type=Path, required=True, help="bundle to write, .onnx")
    spotter = "scorer of candidate movements that goes with it (training.spot_scorer); the shipped one"
    add("--spotter", type=Path, default=DEFAULT, metavar="JSON", help=spotter)
    variants = "also write these beside it, as <name>.<variant>.onnx: %(choices)s"
    add("--variants", nargs="+", choices=VARIANTS[1:], default=[], metavar="VARIANT", help=variants)
    add(
        "--samples",
        type=Path,
        metavar="DIR",
        help="flow samples of microau-train (--cache), or a data set that microau-data prepared",
    )
    add("--calibration", type=Path, metavar="NPZ", help="keep the inputs that ranges were measured on")
    add("--report", type=Path, metavar="JSON", help="write the figures")
    parser.set_defaults(run=_run)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
