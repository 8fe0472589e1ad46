"""Which options go together, said before minutes are spent on a build."""

from __future__ import annotations

from pathlib import Path

from ...engine.engine_file import PRECISIONS, BuildOptions
from ...engine.errors import MicroauError
from ...engine.trt_flavour import flavour

LEVELS = range(6)
HARDWARE = {"": "NONE", "same": "SAME_COMPUTE_CAPABILITY", "ampere": "AMPERE_PLUS"}
"""Our word -> HardwareCompatibilityLevel."""


def check_options(options: BuildOptions, timing_cache: Path | None) -> None:
    """MicroauError where an option is impossible, or the chosen flavour does not have it."""
    flavour(options.flavour)
    _check_values(options)
    if options.flavour == "rtx":
        _check_rtx(options, timing_cache)
    elif options.targets:
        raise MicroauError("--target is of TensorRT-RTX: TensorRT builds for the GPU of this machine")
    elif timing_cache is not None and not timing_cache.parent.is_dir():
        raise MicroauError(f"--timing-cache: the folder {timing_cache.parent} does not exist")


def needs_gpu(options: BuildOptions) -> bool:
    """TensorRT tunes on the card; TensorRT-RTX asks it only to separate weights from kernels."""
    return (
        options.flavour == "tensorrt" or options.strip or options.refit or options.targets == ("current",)
    )


def _check_values(options: BuildOptions) -> None:
    batch = options.batch
    if len(batch) != 3 or not 1 <= batch[0] <= batch[1] <= batch[2]:
        raise MicroauError(f"--batch {' '.join(map(str, batch))}: give MIN OPT MAX, rising, from 1 on")
    if options.precision not in PRECISIONS:
        raise MicroauError(f"--precision {options.precision}: choose one of {', '.join(PRECISIONS)}")
    if options.optimization_level not in LEVELS:
        raise MicroauError(f"--optimization-level {options.optimization_level}: 0 to {LEVELS[-1]}")
    if options.hardware_compatible not in HARDWARE:
        raise MicroauError(f"--hardware-compatible {options.hardware_compatible}: 'same' or 'ampere'")
    if options.workspace_mib < 0:
        raise MicroauError(f"--workspace {options.workspace_mib}: MiB, 0 or more")


def _check_rtx(options: BuildOptions, timing_cache: Path | None) -> None:
    if options.hardware_compatible:
        raise MicroauError("TensorRT-RTX has no --hardware-compatible: name the architectures by --target")
    if options.version_compatible:
        raise MicroauError("TensorRT-RTX has no --version-compatible engines: build one per version")
    if timing_cache is not None:
        raise MicroauError("TensorRT-RTX has no --timing-cache: it times no kernels when it builds")
    if "current" in options.targets and len(options.targets) > 1:
        raise MicroauError("--target current stands alone: it is the GPU of this machine")
