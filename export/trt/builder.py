"""Build an engine from an ONNX file: for one GPU (TensorRT) or for named architectures (TensorRT-RTX)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine.bundle import split_model
from ...engine.cuda_driver import Device, Gpu
from ...engine.engine_file import BuildOptions, EngineCard, Profile, sha256, write_card
from ...engine.errors import MicroauError
from ...engine.trt_flavour import import_flavour
from .network import layer_types, parse, profile
from .options import HARDWARE, check_options, needs_gpu
from .session import Session

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Built:
    """What a build gave."""

    card: EngineCard
    layers: Counter[tuple[str, str]]
    """(kind of layer, data type) -> count, of the network as parsed."""
    inspected: str = ""
    """The finished engine's own list of layers; '' where it was not asked for or there is no GPU."""


def build(
    onnx: Path,
    out: Path,
    options: BuildOptions,
    device: int = 0,
    timing_cache: Path | None = None,
    verbose: bool = False,
) -> Built:
    """Build `out` from `onnx`, a file of the same folder that holds the precision of the options.

    device        number of the GPU to build on, where one is needed
    timing_cache  measured kernel times, read if it exists and written back: a second build is quick
    """
    check_options(options, timing_cache)
    if onnx.resolve().parent != out.resolve().parent:
        raise ValueError(f"{onnx} must lie beside {out}: the engine is built again from there")
    with _gpu(options, device) as gpu:
        session = Session(options.flavour, verbose)
        network = parse(session, onnx)
        shapes = profile(network, options.batch)
        config = _config(session, options, shapes, verbose)
        with _timed(config, timing_cache):
            plan = _serialise(session, network, config)
        inspected = _inspect(session, plan, options) if verbose and gpu else ""
    card = _card(onnx, session, options, shapes, gpu, plan)
    _write(out, plan, card)
    return Built(card, layer_types(network), inspected)


def require(options: BuildOptions, device: int = 0) -> None:
    """MicroauError where this machine lacks the package or the GPU that the build needs."""
    import_flavour(options.flavour)
    with _gpu(options, device):
        pass


@contextmanager
def _gpu(options: BuildOptions, index: int) -> Iterator[Gpu | None]:
    """Within, the card is the current one; None where none is needed."""
    if not needs_gpu(options):
        yield None
        return
    with closing(_device(options, index)) as device, device.current():
        yield device.gpu


def _device(options: BuildOptions, index: int) -> Device:
    try:
        return Device(index)
    except MicroauError as error:
        without = "--flavour rtx --target sm89, without --strip and --refit, builds without one"
        raise MicroauError(f"this {options.flavour} build needs the GPU: {error}. {without}") from error


def _config(session: Session, options: BuildOptions, shapes: Profile, verbose: bool) -> Any:
    trt, config = session.trt, session.builder.create_builder_config()
    config.builder_optimization_level = options.optimization_level
    if options.workspace_mib:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * MIB)
    for flag in _flags(options):
        config.set_flag(getattr(trt.BuilderFlag, flag))
    if options.hardware_compatible:
        level = getattr(trt.HardwareCompatibilityLevel, HARDWARE[options.hardware_compatible])
        config.hardware_compatibility_level = level
    if verbose:  # what the inspector can tell afterwards; it makes each launch a little slower
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    _set_targets(trt, config, options.targets)
    config.add_optimization_profile(_profile(session, shapes))
    return config


def _flags(options: BuildOptions) -> list[str]:
    flags = ["VERSION_COMPATIBLE"] if options.version_compatible else []
    # A stripped engine gets the very same weights back, so it may keep what was folded with them.
    flags += ["STRIP_PLAN", "REFIT" if options.refit else "REFIT_IDENTICAL"] if options.strip else []
    return flags + (["REFIT"] if options.refit and not options.strip else [])


def _set_targets(trt: Any, config: Any, targets: tuple[str, ...]) -> None:
    if not targets:
        return
    config.num_compute_capabilities = len(targets)
    for place, target in enumerate(targets):
        config.set_compute_capability(_capability(trt, target), place)


def _capability(trt: Any, target: str) -> Any:
    known = {name.lower(): value for name, value in trt.ComputeCapability.__members__.items()}
    known.pop("none", None)
    if target not in known:
        raise MicroauError(f"--target {target}: this TensorRT-RTX knows {', '.join(known)}")
    return known[target]


def _profile(session: Session, shapes: Profile) -> Any:
    profile = session.builder.create_optimization_profile()
    for name, (smallest, best, largest) in shapes.items():
        profile.set_shape(name, smallest, best, largest)
    return profile


@contextmanager
def _timed(config: Any, path: Path | None) -> Iterator[None]:
    """Within, kernel times are taken from the file and added to it."""
    if path is None:
        yield
        return
    try:
        cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
    except OSError as error:
        raise MicroauError(f"--timing-cache {path}: cannot be read: {error.strerror}") from error
    if cache is None or not config.set_timing_cache(cache, False):
        raise MicroauError(
            f"--timing-cache {path}: TensorRT refuses it, as of another GPU or version: name another file"
        )
    yield
    try:
        path.write_bytes(cache.serialize())
    except OSError as error:
        raise MicroauError(f"--timing-cache {path}: cannot be written: {error.strerror}") from error


def _serialise(session: Session, network: Any, config: Any) -> Any:
    """The plan in host memory."""
    plan = session.builder.build_serialized_network(network, config)
    if plan is None:
        reason = session.last_error() or "it says no reason; --verbose shows its log"
        raise MicroauError(f"TensorRT could not build the engine: {reason}")
    return plan


def _inspect(session: Session, plan: Any, options: BuildOptions) -> str:
    runtime = session.trt.Runtime(session.log)
    runtime.engine_host_code_allowed = options.version_compatible  # it was built just now, here
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise MicroauError(f"TensorRT cannot open the engine it built: {session.last_error()}")
    form = session.trt.LayerInformationFormat.ONELINE
    return str(engine.create_engine_inspector().get_engine_information(form))


def _card(
    onnx: Path, session: Session, options: BuildOptions, shapes: Profile, gpu: Gpu | None, plan: Any
) -> EngineCard:
    return EngineCard(
        engine_sha256=hashlib.sha256(plan).hexdigest(),
        onnx=onnx.name,
        onnx_sha256=sha256(onnx),
        version=session.version,
        gpu=gpu.name if gpu else "",
        compute_capability="{}.{}".format(*gpu.compute_capability) if gpu else "",
        options=options,
        profile=shapes,
        metadata=split_model(onnx.read_bytes())[1],
    )


def _write(out: Path, plan: Any, card: EngineCard) -> None:
    """Plan first: a plan without its card, or beside an old one, is refused, never run."""
    part = out.with_name(out.name + ".part")
    try:
        part.write_bytes(plan)
        part.replace(out)
        write_card(out, card)
    except OSError as error:
        raise MicroauError(f"{out}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
