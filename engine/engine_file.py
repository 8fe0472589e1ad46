"""A TensorRT engine on disk: the plan, and beside it a card that says what it is and where it runs.

An engine is executable code for one kind of GPU and one version of TensorRT. So it is opened only
where the user named it, only when its bytes are those that the card records, and only on the card,
version and flavour that it was built for; every refusal says which of these differs. The card also
carries the metadata of the model, which a plan has no place for, and the name and hash of the ONNX
file beside it, from which the engine can be built again.

The hash tells a damaged or mixed-up file, not a forged one: who can write the plan can write the card.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import MicroauError
from .trt_flavour import version_tuple

FORMAT = 1
PRECISIONS = ("fp32", "fp16", "int8", "fp8")
Shape = tuple[int, ...]
Profile = dict[str, tuple[Shape, Shape, Shape]]
"""Input name -> smallest, best and largest shape."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How an engine is built, apart from the model: recorded, so that it can be built again alike."""

    flavour: str = "tensorrt"
    precision: str = "fp16"
    """What the matrix products run in: it must be what the ONNX file holds."""
    batch: Shape = (1, 8, 64)
    """Smallest, most frequent and largest batch."""
    workspace_mib: int = 0
    """Upper bound of scratch memory in MiB; 0: what the builder takes."""
    optimization_level: int = 3
    """0 (quickest build) to 5 (longest search)."""
    version_compatible: bool = False
    hardware_compatible: str = ""
    """'': this GPU; 'same': any GPU of the same compute capability; 'ampere': Ampere or newer."""
    targets: tuple[str, ...] = ()
    """TensorRT-RTX: architectures such as 'sm89'; empty: its own default, Ampere and newer."""
    strip: bool = False
    """Leave the weights out; they are read from the ONNX file beside when the engine is opened."""
    refit: bool = False
    """Let weights be replaced later."""

    def arguments(self) -> list[str]:
        """The same options as arguments of `microau-build-trt`."""
        words = ["--flavour", self.flavour, "--precision", self.precision]
        words += ["--batch", *map(str, self.batch)]
        words += ["--workspace", str(self.workspace_mib)] if self.workspace_mib else []
        words += ["--optimization-level", str(self.optimization_level)]
        words += ["--version-compatible"] if self.version_compatible else []
        words += ["--hardware-compatible", self.hardware_compatible] if self.hardware_compatible else []
        words += ["--target", *self.targets] if self.targets else []
        words += ["--strip"] if self.strip else []
        return words + (["--refit"] if self.refit else [])


@dataclass(frozen=True, slots=True)
class EngineCard:
    """What is written beside an engine, as `<engine>.json`."""

    engine_sha256: str
    onnx: str
    """Name of the ONNX file in the same folder."""
    onnx_sha256: str
    version: str
    """Of the TensorRT package that built it."""
    gpu: str
    """Name of the card it was built on; '' without one."""
    compute_capability: str
    """Of that card, e.g. '9.0'; '' without one."""
    options: BuildOptions
    profile: Profile
    metadata: dict[str, str] = field(default_factory=dict)
    """Of the ONNX file: the model bundle's own record."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Machine:
    """Where an engine is about to run."""

    version: str
    gpu: str
    compute_capability: tuple[int, int]


class EngineRefused(MicroauError):
    """An engine that does not fit this place: it must be built again."""


def card_path(plan: Path) -> Path:
    """`face.plan` -> `face.plan.json`."""
    return plan.with_name(plan.name + ".json")


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_card(plan: Path, card: EngineCard) -> None:
    """Write the card beside its plan."""
    text = json.dumps(dataclasses.asdict(card), indent=1)
    card_path(plan).write_text(text + "\n", encoding="utf-8")


def read_card(plan: Path) -> EngineCard:
    """The card beside a plan; EngineRefused where it is missing or not one of ours."""
    path = card_path(plan)
    if not path.is_file():
        raise EngineRefused(f"{plan}: no {path.name} beside it, so nothing says what it was built for")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("format") != FORMAT:
            raise EngineRefused(f"{path}: format {record.get('format')}, this version reads {FORMAT}")
        return _card_from(record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineRefused(f"{path}: cannot be read as an engine's card ({error})") from error


def _card_from(record: dict[str, Any]) -> EngineCard:
    options = dict(record["options"])
    options |= {name: tuple(options[name]) for name in ("batch", "targets")}
    profile = {name: _three(shapes) for name, shapes in record["profile"].items()}
    return EngineCard(**(record | {"options": BuildOptions(**options), "profile": profile}))


def _three(shapes: list[list[int]]) -> tuple[Shape, Shape, Shape]:
    smallest, best, largest = (tuple(map(int, shape)) for shape in shapes)
    return smallest, best, largest


def read_plan(plan: Path, card: EngineCard) -> bytes:
    """The engine's bytes, read once and compared with the card's hash: these bytes are the ones to load."""
    if not plan.is_file():
        raise MicroauError(f"{plan}: no such engine file")
    data = plan.read_bytes()
    if hashlib.sha256(data).hexdigest() != card.engine_sha256:
        raise EngineRefused(f"{plan}: not the file that its card describes (the sha256 differs)")
    return data


def onnx_beside(plan: Path, card: EngineCard) -> Path:
    """The ONNX file that the engine was built from; EngineRefused where it is gone or another one."""
    if Path(card.onnx).name != card.onnx:
        raise EngineRefused(f"{card_path(plan)}: names an ONNX file outside its folder ({card.onnx})")
    path = plan.with_name(card.onnx)
    if not path.is_file():
        raise EngineRefused(f"{plan}: {card.onnx}, which it was built from, is not beside it")
    if sha256(path) != card.onnx_sha256:
        raise EngineRefused(f"{plan}: {card.onnx} beside it is not the file it was built from (sha256)")
    return path


def check_fit(plan: Path, card: EngineCard, machine: Machine) -> None:
    """EngineRefused unless the engine was built for this version of TensorRT and this GPU."""
    for misfit in (_version_misfit(card, machine), _gpu_misfit(card, machine)):
        if misfit:
            raise EngineRefused(f"{plan}: {misfit}")


def _version_misfit(card: EngineCard, machine: Machine) -> str:
    built, here = version_tuple(card.version), version_tuple(machine.version)
    if card.options.version_compatible and here >= built:
        return ""
    if built == here:
        return ""
    package = "TensorRT-RTX" if card.options.flavour == "rtx" else "TensorRT"
    return f"was built by {package} {card.version}, here is {machine.version}"


def _gpu_misfit(card: EngineCard, machine: Machine) -> str:
    misfit = _target_misfit if card.options.flavour == "rtx" else _tuned_misfit
    return misfit(card, machine)


def _target_misfit(card: EngineCard, machine: Machine) -> str:
    """TensorRT-RTX engines run on the architectures they name, or from Ampere on."""
    here = "sm{}{}".format(*machine.compute_capability)
    targets = card.options.targets
    if targets == ("current",):
        return _same_capability(card, machine)
    oldest = (8, 9) if card.options.precision == "fp8" else (8, 0)
    if here in targets or (not targets and machine.compute_capability >= oldest):
        return ""
    built_for = ", ".join(targets) or "sm{}{} and newer".format(*oldest)
    return f"was built for {built_for}, here is {machine.gpu} ({here})"


def _tuned_misfit(card: EngineCard, machine: Machine) -> str:
    """TensorRT engines run on the card they were tuned on, unless they were built more widely."""
    if card.options.hardware_compatible == "ampere" and machine.compute_capability >= (8, 0):
        return ""
    if card.options.hardware_compatible == "same" or card.gpu == machine.gpu:
        return _same_capability(card, machine)
    return f"was built for {card.gpu}, here is {machine.gpu}"


def _same_capability(card: EngineCard, machine: Machine) -> str:
    here = "{}.{}".format(*machine.compute_capability)
    if card.compute_capability == here:
        return ""
    return f"was built for compute capability {card.compute_capability}, here is {here} ({machine.gpu})"
