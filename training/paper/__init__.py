"""Micro-AU CLIP as published, on CLIP's two towers: options, model, losses, zero-shot emotion."""

from ..towers import ClipSizes
from .emotion import emotion_of
from .landmarks import CASME2_UNITS, SAMM_UNITS, paper_layout
from .loss import paper_loss, parameter_groups
from .network import PaperModel, paper_model
from .options import PaperOptions
from .rows import FIGURES, ROWS, Row, rows

__all__ = [
    "CASME2_UNITS",
    "FIGURES",
    "ROWS",
    "SAMM_UNITS",
    "ClipSizes",
    "PaperModel",
    "PaperOptions",
    "Row",
    "emotion_of",
    "paper_layout",
    "paper_loss",
    "paper_model",
    "parameter_groups",
    "rows",
]
