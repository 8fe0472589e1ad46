"""Figures 5 to 7 of Micro-AU CLIP from a model's own outputs: attention, similarity, t-SNE."""

from .attention import FacePanel, attention_figure, attention_map
from .embedding import embed, embedding_figure
from .similarity import similarity_figure, similarity_matrix

__all__ = [
    "FacePanel",
    "attention_figure",
    "attention_map",
    "embed",
    "embedding_figure",
    "similarity_figure",
    "similarity_matrix",
]
