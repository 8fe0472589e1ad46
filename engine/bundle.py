"""A model bundle: one .onnx file that carries everything the runtime must know about its model.

The knowledge is JSON under the key `microau` of the file's metadata: action units and their
landmarks, flow specification, sentences, emotion classes, thresholds, training data, licence. Under
`microau.spotter` lies the score that the spotter gives candidate movements (`engine/scorer.py`). The file
is read here as plain protocol-buffer fields (onnx.proto: ModelProto), so that every back end
can read it without the ONNX package, and the graph is checked against the hash in the metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MicroauError
from .flow_spec import FlowSpec
from .scorer import Scorer, read_scorer

KEY = "microau"
"""Of the metadata entry that makes an ONNX file a bundle."""
SPOTTER = "microau.spotter"
"""Of the metadata entry with the spotter's scorer; a bundle need not have one."""
FORMAT = 1
LIMIT = 2**31 - 1
"""Bytes: the largest protocol buffer. A larger file is no single-file model."""
_GRAPH, _METADATA = 7, 14  # field numbers in ModelProto
_NAME, _VALUE = 1, 2  # in StringStringEntryProto


@dataclass(frozen=True, slots=True)
class Unit:
    """One action unit of the model."""

    au: int
    """FACS number."""
    name: str
    right: tuple[int, ...]
    """Positions in `Bundle.landmarks` that belong to the subject's right half; empty: not sided."""
    left: tuple[int, ...]
    middle: tuple[int, ...]
    """Positions that belong to neither half; for a unit without sides, all of them."""
    threshold: float
    """Probability from which the unit is decided present; chosen on validation persons."""
    side_margin: float
    """Difference of the sides' log-odds from which one side alone is named."""
    positive: str
    """Sentence that says it moves, as the text tower was given it."""
    negative: str

    @property
    def code(self) -> str:
        return f"AU{self.au:02d}"

    @property
    def sided(self) -> bool:
        return bool(self.right)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Its positions in `Bundle.landmarks`, in the order of the attention output."""
        return self.right + self.left + self.middle


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a model file says about itself."""

    name: str
    path: Path
    units: tuple[Unit, ...]
    """In the order of the outputs."""
    landmarks: tuple[int, ...]
    """Points of the 478-point mesh that the model takes, in the order of its input."""
    grid: tuple[int, int]
    """Rows and columns of visual tokens."""
    flow: FlowSpec
    emotions: tuple[str, ...]
    """Classes in the order of the emotion output."""
    prototypes: Mapping[str, tuple[tuple[int, ...], ...]]
    """Class -> combinations of units that stand for it; the best one counts."""
    emotion_margin: float
    """A class must beat all others by this similarity, else the event is 'other'."""
    shapes: Mapping[str, tuple[int | None, ...]]
    """Input and output name -> shape; None is the batch."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """Training data, command, seed, scores, licence, attribution."""
    sha256: str = ""
    """Of the graph, hexadecimal."""
    scorer: Scorer | None = None
    """How sure it is that a candidate is a movement; None: the one that microau ships."""

    def positions(self) -> NDArray[np.intp]:
        """The model's landmarks as an index into the 478 points."""
        return np.array(self.landmarks, np.intp)

    def to_metadata(self) -> dict[str, str]:
        """The entries of the file's metadata; `bundle_from` is the way back."""
        entries = {KEY: json.dumps(self.to_json(), sort_keys=True)}
        return entries if self.scorer is None else entries | {SPOTTER: self.scorer.to_json()}

    def to_json(self) -> dict[str, Any]:
        """The record under KEY; `from_json` is the way back."""
        return {
            "format": FORMAT,
            "name": self.name,
            "units": [_unit_json(unit) for unit in self.units],
            "landmarks": list(self.landmarks),
            "grid": list(self.grid),
            "flow": self.flow.to_json(),
            "emotions": list(self.emotions),
            "prototypes": {name: [list(p) for p in sets] for name, sets in self.prototypes.items()},
            "emotion_margin": self.emotion_margin,
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "card": dict(self.card),
            "sha256": self.sha256,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any], path: Path) -> Bundle:
        if record.get("format") != FORMAT:
            raise MicroauError(
                f"{path}: bundle format {record.get('format')}, this version reads {FORMAT}."
                " Export the model again."
            )
        return cls(
            name=record["name"],
            path=path,
            units=tuple(_unit_from(unit) for unit in record["units"]),
            landmarks=tuple(record["landmarks"]),
            grid=(record["grid"][0], record["grid"][1]),
            flow=FlowSpec.from_json(record["flow"]),
            emotions=tuple(record["emotions"]),
            prototypes={n: tuple(tuple(p) for p in sets) for n, sets in record["prototypes"].items()},
            emotion_margin=record["emotion_margin"],
            shapes={name: tuple(shape) for name, shape in record["shapes"].items()},
            card=record["card"],
            sha256=record["sha256"],
        )


def read_bundle(path: str | Path) -> Bundle:
    """Read and check a bundle; whatever is wrong with the file is one line of `MicroauError`."""
    path = Path(path)
    graph, metadata = _open(path)
    bundle = bundle_from(metadata, path)
    if bundle.sha256 != graph_sha256(graph):
        raise MicroauError(f"{path}: the network does not match its recorded hash: damaged or altered.")
    return bundle


def bundle_from(metadata: Mapping[str, str], path: Path) -> Bundle:
    """What the metadata of a model, or of an engine built from it, say; MicroauError where they do not."""
    if KEY not in metadata:
        raise MicroauError(f"{path}: not a microau bundle (an ONNX file without '{KEY}' metadata).")
    try:
        bundle = Bundle.from_json(json.loads(metadata[KEY]), path)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise MicroauError(f"{path}: its '{KEY}' metadata cannot be read ({error!r}).") from error
    if SPOTTER not in metadata:
        return bundle
    return replace(bundle, scorer=read_scorer(metadata[SPOTTER], f"{path}, '{SPOTTER}'"))


def graph_sha256(graph: bytes) -> str:
    """Hash of the serialised GraphProto: network and weights, without the metadata."""
    return hashlib.sha256(graph).hexdigest()


def split_model(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Serialised GraphProto and metadata of an ONNX file; ValueError where it is none."""
    graph, metadata = b"", {}
    for number, value in _fields(data):
        if number == _GRAPH:
            graph = value
        elif number == _METADATA:
            entry = dict(_fields(value))
            metadata[entry[_NAME].decode()] = entry[_VALUE].decode()
    if not graph:
        raise ValueError("no graph")
    return graph, metadata


def _open(path: Path) -> tuple[bytes, dict[str, str]]:
    if not path.is_file():
        raise MicroauError(f"{path}: no such model file.")
    if path.stat().st_size > LIMIT:
        raise MicroauError(f"{path}: {path.stat().st_size} bytes, too large for a single-file model.")
    try:
        return split_model(path.read_bytes())
    except (ValueError, KeyError, IndexError) as error:
        raise MicroauError(f"{path}: not an ONNX file.") from error


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Field number and payload of each length-delimited field of a message; numbers are skipped."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("field runs over the end")
            yield tag >> 3, data[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that starts at a byte, and where the next field begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _unit_json(unit: Unit) -> dict[str, Any]:
    return {name: getattr(unit, name) for name in Unit.__slots__}


def _unit_from(record: Mapping[str, Any]) -> Unit:
    lists = {name: tuple(record[name]) for name in ("right", "left", "middle")}
    return Unit(**(dict(record) | lists))
