"""The back ends, one file each, chosen by the ending of the model file."""

from __future__ import annotations

from .base import Engine
from .onnxruntime import OnnxRuntimeEngine
from .tensorrt import TensorRtEngine

ENGINES: dict[str, type[Engine]] = {".onnx": OnnxRuntimeEngine, ".plan": TensorRtEngine}
"""File ending -> back end."""
