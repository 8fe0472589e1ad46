"""CLIP's two towers, each split into the layers that stay as they are and the last few that are trained."""

from .text import TextTower
from .visual import VisualTower
from .weights import ClipSizes, clip_model

__all__ = ["ClipSizes", "TextTower", "VisualTower", "clip_model"]
