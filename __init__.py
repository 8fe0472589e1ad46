"""microau: facial micro-expressions in video, with onset, apex, offset and action units."""

__version__ = "0.1.0"
