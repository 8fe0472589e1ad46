"""Training and judging on labelled sets: folds by person, settings chosen inside them, runs that go on."""
