"""Everything that meets the outside while running: sources, capture, spotting, events, sinks, commands."""
