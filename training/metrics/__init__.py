"""What a prediction is worth: figures for action units, emotions and spotting, each with its formula."""

from .bootstrap import Estimate, bootstrap
from .emotion import class_f1, confusion, uar, uf1
from .floors import all_negative, chance
from .intervals import Interval, Pair, iou_matrix, match
from .presence import absence_f1, accuracy, auc, average_precision, counts, macro_f1, mean, presence_f1
from .spotting import SpottingScore, score_spotting, strs

__all__ = [
    "Estimate",
    "Interval",
    "Pair",
    "SpottingScore",
    "absence_f1",
    "accuracy",
    "all_negative",
    "auc",
    "average_precision",
    "bootstrap",
    "chance",
    "class_f1",
    "confusion",
    "counts",
    "iou_matrix",
    "macro_f1",
    "match",
    "mean",
    "presence_f1",
    "score_spotting",
    "strs",
    "uar",
    "uf1",
]
