"""The kinds of input, one file each; `stream.source.open_source` chooses."""
