"""The places that results go to, one file each; `..sink.Sink` is what they have in common."""
