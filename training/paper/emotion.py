"""Emotion without emotion labels (Eq 13): the class whose label texts the units' features resemble most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ..emotion import one_list
from ..model import EmotionByText, Prediction
from .network import PaperModel


def emotion_of(
    model: PaperModel, prediction: Prediction, classes: Mapping[str, Sequence[Sequence[int]]]
) -> Tensor:
    """Similarity of every sample with every class (B, R); the class is its argmax.

    classes  name -> combinations of units, in the order of the columns (`training.emotion.class_table`)

    With `options.emotion` 'list' the combinations of a class are made one list, as Eq 13 is printed.
    """
    table = one_list(classes) if model.options.emotion == "list" else classes
    text = model.text_features().detach()  # (N, 2, D)
    similarity: Tensor = EmotionByText(model.layout.aus, text, table).to(text.device)(prediction.features)
    return similarity
