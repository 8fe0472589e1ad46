"""The one kind of error that a user can mend; every other exception is our bug and keeps its traceback."""


class MicroauError(Exception):
    """What failed, what was found, what to do: one line, shown without a traceback, exit status 2."""
