"""The numerical core: no torch, no threads, no files written."""
