"""Tables as plain text: the first column to the left, figures to the right, nan as a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence


def figure(value: object, digits: int = 3) -> str:
    """A cell: floats with that many digits.

    >>> figure(0.5), figure(float("nan")), figure(12), figure("AU12")
    ('0.500', '-', '12', 'AU12')
    """
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.{digits}f}"
    return str(value)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]], digits: int = 3) -> str:
    """Lines of a table under its title; the title and a dash where there are no rows.

    >>> print(table("F1", ["unit", "f1"], [["AU1", 0.5], ["AU12", 1.0]], 2))
    F1
      unit    f1
      AU1   0.50
      AU12  1.00
    """
    if not rows:
        return f"{title}\n  -"
    cells = [list(head), *([figure(cell, digits) for cell in row] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    lines = (
        "  ".join(
            cell.rjust(w) if k else cell.ljust(w)
            for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])
