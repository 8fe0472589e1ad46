"""Put the spotter's scorer into a bundle, in place of the one that is there: the network stays as it is.

    python -m microau.export.spotter model.onnx scorer.json

`microau.training.spot_scorer` writes the scorer.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from ..engine.bundle import read_bundle
from ..engine.scorer import Scorer, load_scorer
from ..training.command import run_command


def put_scorer(path: Path, scorer: Scorer) -> None:
    """Give a bundle this scorer; the file is changed only when the new one is whole."""
    bundle = replace(read_bundle(path), scorer=scorer)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, bundle.to_metadata())
    partial = path.with_name(f"{path.stem}.partial.onnx")
    try:
        partial.write_bytes(model.SerializeToString())
        read_bundle(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _run(args: argparse.Namespace) -> None:
    put_scorer(args.bundle, load_scorer(args.scorer))
    size = args.bundle.stat().st_size / 1e6
    print(f"{args.bundle}: the network as before, the scorer of {args.scorer}, {size:.2f} MB")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    caption = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m microau.export.spotter", description=caption)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="an .onnx file, changed in place")
    parser.add_argument("scorer", type=Path, metavar="SCORER", help="a scorer's .json file")
    parser.set_defaults(run=_run)
    return run_command(parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
