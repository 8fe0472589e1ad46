"""Data, generated micro-expressions, models, training and evaluation."""
