"""microau-build-trt: from an ONNX file to a TensorRT engine, with a card that says where it runs."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ...engine.engine_file import PRECISIONS, BuildOptions, card_path
from ...engine.errors import MicroauError
from ...engine.trt_flavour import FLAVOURS
from ...training.command import run_command
from .builder import Built, build, require
from .network import layer_table
from .options import HARDWARE, check_options

DEFAULTS = BuildOptions()


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, build, report; the exit status."""
    return run_command(_parser(), argv)


def _run(args: argparse.Namespace) -> None:
    options = _options(args)
    check_options(options, args.timing_cache)
    require(options, args.device)
    source = _source(args.onnx, args.out, options.precision, args.calibration)
    built = build(source, args.out, options, args.device, args.timing_cache, args.verbose)
    _report(args.out, built)


def _source(onnx: Path, out: Path, precision: str, calibration: Path | None) -> Path:
    """The ONNX file beside the engine that holds the precision: the one given, a copy, or converted."""
    from ..calibration import load_samples
    from ..onnx_graph import load
    from ..quantise import convert_file, variant_of

    _require_place(out)
    found = variant_of(load(onnx))
    if found == precision:
        return _beside(onnx, out)
    converted = out.with_name(f"{onnx.stem}.{precision}.onnx")
    samples = load_samples(calibration) if calibration else None
    convert_file(onnx, converted, precision, samples)
    print(f"{onnx} holds {found}: converted to {precision} as {converted}", file=sys.stderr)
    return converted


def _beside(onnx: Path, out: Path) -> Path:
    """A model in another folder is copied: the engine is rebuilt and refitted from beside it."""
    beside = out.with_name(onnx.name)
    if beside.resolve() != onnx.resolve():
        shutil.copyfile(onnx, beside)
        print(f"{onnx} copied beside the engine as {beside}", file=sys.stderr)
    return beside


def _require_place(out: Path) -> None:
    """A name that the runtime opens as an engine: the model itself must not be written over."""
    if out.suffix != ".plan":
        raise MicroauError(f"{out}: the name of an engine ends in .plan")
    if not out.parent.is_dir():
        raise MicroauError(f"{out}: the folder {out.parent} does not exist")


def _report(out: Path, built: Built) -> None:
    options, card = built.card.options, built.card
    where = card.gpu or ", ".join(options.targets) or "sm80 and newer"
    size = out.stat().st_size / 1e6
    print(f"{out}  {size:.1f} MB  {options.flavour} {card.version}  {options.precision}  for {where}")
    for name, (smallest, best, largest) in card.profile.items():
        print(f"  {name}: {_shape(smallest)} to {_shape(largest)}, best at {_shape(best)}")
    print(f"  {card_path(out).name}: onnx {card.onnx_sha256[:12]}, engine {card.engine_sha256[:12]}")
    print("layers of the network by type of result (strongly typed: the engine keeps these types)")
    print(layer_table(built.layers))
    if built.inspected:
        print("layers of the engine\n" + built.inspected)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _options(args: argparse.Namespace) -> BuildOptions:
    return BuildOptions(
        flavour=args.flavour,
        precision=args.precision,
        batch=tuple(args.batch),
        workspace_mib=args.workspace,
        optimization_level=args.optimization_level,
        version_compatible=args.version_compatible,
        hardware_compatible=args.hardware_compatible,
        targets=tuple(target.lower() for target in args.target),
        strip=args.strip,
        refit=args.refit,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="microau-build-trt", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--onnx", type=Path, required=True, help="model bundle, .onnx")
    add("--out", type=Path, required=True, help="engine to write, .plan; its card becomes <out>.json")
    add("--flavour", choices=FLAVOURS, default=DEFAULTS.flavour, help="default: %(default)s")
    add("--precision", choices=PRECISIONS, default=DEFAULTS.precision, help="default: %(default)s")
    batch = "smallest, most frequent and largest batch; default: 1 8 64"
    add("--batch", type=int, nargs=3, metavar=("MIN", "OPT", "MAX"), default=DEFAULTS.batch, help=batch)
    samples = "real inputs to measure ranges on (.npz), for int8 and fp8 from an fp32 model"
    add("--calibration", type=Path, metavar="NPZ", help=samples)
    add("--workspace", type=int, metavar="MIB", default=0, help="most scratch memory; 0: no limit")
    add("--timing-cache", type=Path, metavar="FILE", help="measured kernel times, kept between builds")
    add("--version-compatible", action="store_true", help="runs on newer TensorRT too")
    hardware = "runs on every GPU of the same compute capability, or on Ampere and newer"
    add("--hardware-compatible", choices=[w for w in HARDWARE if w], default="", help=hardware)
    target = "TensorRT-RTX: architectures, e.g. sm89 sm120, or current; default: Ampere and newer"
    add("--target", nargs="+", metavar="SM", default=(), help=target)
    add("--strip", action="store_true", help="no weights in the engine: read from the ONNX when opened")
    add("--refit", action="store_true", help="weights can be replaced later")
    level = "0 quick build to 5 long search; default: %(default)s"
    add("--optimization-level", type=int, default=DEFAULTS.optimization_level, help=level)
    add("--device", type=int, default=0, help="number of the GPU to build on")
    add("--verbose", action="store_true", help="the builder's log, and the engine's own layers")
    parser.set_defaults(run=_run)
    return parser
