"""`python -m microau.training.generate`: the same as `microau-generate`."""

from .cli import main

raise SystemExit(main())
