"""Everything that decides the result of a run: a TOML file, or the `config.json` of an earlier run.

    [data]                                   [learner]
    caches = ["cache/casme2-0123456789ab"]   name = "paper"
                                             [learner.settings]
    [protocol]                               alpha = 0.6
    kind = "loso"
                                             [recipe]
    [select]                                 epochs = 80
    thresholds = "inner"

Where a run lies and on how many processes it works is said on the command line: it changes nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...engine.errors import MicroauError
from ..datasets.aus import Reading
from .samples import LEAST
from .tables import from_table


@dataclass(frozen=True, slots=True)
class Data:
    """What is learned from."""

    caches: tuple[str, ...] = ()
    """Folders that `microau-data prepare` wrote; relative ones count from the settings file."""
    units: tuple[int, ...] = ()
    """FACS numbers; none: those of the paper's Table I that more than `least` samples show."""
    least: int = LEAST
    doubtful: Reading = "present"
    """How an uncertain unit, or one of several alternatives, counts."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Who is trained on and who judges; see `folds`."""

    kind: Literal["loso", "kfold", "cross", "file"] = "loso"
    folds: int = 5
    """Of kfold."""
    test: tuple[str, ...] = ()
    """Data sets that cross judges on."""
    table: str = ""
    """Of file: CSV with the columns dataset, sample, fold."""
    first: int = 0
    """Run only so many of the folds, the first ones; 0: all."""


@dataclass(frozen=True, slots=True)
class LearnerChoice:
    """Which learner of the registry, and its own settings."""

    name: str = "paper"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained; the defaults are the paper's where it says them (Section IV-B)."""

    epochs: int = 80
    batch: int = 8
    tower_rate: float = 0.001
    """Learning rate of pretrained towers."""
    head_rate: float = 0.01
    """Learning rate of everything else."""
    drop_at: int = 40
    """Epochs after which both rates are divided by `drop_by`, once."""
    drop_by: float = 10.0
    momentum: float = 0.9
    """Of SGD; the paper does not say."""
    decay: float = 0.0
    """Weight decay; the paper does not say."""
    seed: int = 1
    frozen_cache: bool = True
    """Compute layers that are not trained once per sample; the result is kept beside the prepared files."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the products: half ones run under autocast, weights stay single."""
    device: str = "cpu"
    threads: int = 1
    """Of torch, per process; another number may round otherwise."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "drop_at", "threads"):
            if getattr(self, name) < 1:
                raise MicroauError(f"recipe.{name} is {getattr(self, name)}: give 1 or more")
        if self.device.split(":")[0] not in ("cpu", "cuda"):
            raise MicroauError(f"recipe.device {self.device}: give cpu, cuda or cuda:N")


@dataclass(frozen=True, slots=True)
class Select:
    """What is chosen inside each training fold, on persons held out of it once more."""

    thresholds: Literal["inner", "half"] = "inner"
    """Per unit, for the best F1 of `figure`; or 0.5."""
    epochs: Literal["inner", "fixed"] = "fixed"
    """The epoch with the best mean figure, or all of them as printed."""
    grid: Mapping[str, Any] = field(default_factory=dict)
    """Learner setting -> values to try, every combination, e.g. alpha = [0.2, 0.6, 1.0]."""
    figure: Literal["macro", "presence"] = "macro"
    share: float = 0.25
    """Of the training samples that are held out."""
    oracle: bool = False
    """Keep what every epoch says of the test persons, in `epochs.safetensors`. Nothing is chosen by it; it
    lets `--as-published` show what choosing the epoch on them would have given."""
    refit: bool = True
    """Train once more on the whole fold with what was chosen; else keep the model that was watched, which
    has seen fewer people and costs less than half as much."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise MicroauError(f"select.share is {self.share:g}: give a share between 0 and 1")
        if not all(isinstance(values, list | tuple) and values for values in self.grid.values()):
            raise MicroauError("select.grid: give a list of values for each setting")
        if not self.asks and not self.refit:
            raise MicroauError("select.refit = false keeps the model that chose settings: there is none")
        if self.epochs == "inner" and not self.refit:
            raise MicroauError(
                "select.epochs = inner needs refit: the watched model has trained beyond its best"
            )

    @property
    def asks(self) -> bool:
        """Is there anything to choose?"""
        return bool(self.grid) or self.thresholds == "inner" or self.epochs == "inner"


@dataclass(frozen=True, slots=True)
class Settings:
    """One run."""

    data: Data = field(default_factory=Data)
    protocol: Protocol = field(default_factory=Protocol)
    learner: LearnerChoice = field(default_factory=LearnerChoice)
    recipe: Recipe = field(default_factory=Recipe)
    select: Select = field(default_factory=Select)

    def record(self) -> dict[str, Any]:
        """As plain JSON; `settings_of` gives the same settings back."""
        return dict(json.loads(json.dumps(asdict(self))))


GROUPS = {"data": Data, "protocol": Protocol, "learner": LearnerChoice, "recipe": Recipe, "select": Select}


def settings_of(record: Mapping[str, object], where: str = "settings") -> Settings:
    """Settings from a table of tables; MicroauError names what is unknown or of the wrong type."""
    for name in record:
        if name not in GROUPS:
            raise MicroauError(f"{where}: unknown table [{name}]; there are {', '.join(GROUPS)}")
    groups: dict[str, Any] = {name: from_table(GROUPS[name], table, name) for name, table in record.items()}
    return Settings(**groups)


def read_settings(path: Path) -> Settings:
    """A TOML or JSON file; its relative folders count from where it lies."""
    try:
        text = path.read_text(encoding="utf-8")
        record = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise MicroauError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # of TOML and of JSON
        raise MicroauError(f"{path}: no settings: {error}") from None
    data = record.get("data")
    if isinstance(data, dict) and isinstance(data.get("caches"), list):
        data["caches"] = [str(path.parent.absolute() / str(one)) for one in data["caches"]]
    return settings_of(record, str(path))
