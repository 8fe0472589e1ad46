"""Stored predictions and found movements against the truth."""
