"""Label files: Excel sheets and CSV as rows of cells, columns found by name.

Published label files differ from version to version: blank columns, notes above the header, spaces
in names, `.xls` or `.xlsx`. Here a header is the first row that names every wanted column.
"""

from __future__ import annotations

import csv
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine.errors import MicroauError

Cells = list[object]
Columns = Mapping[str, Sequence[str]]
"""Field -> accepted column names, lower-case letters and digits only, the best first."""

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".csv")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a label file."""

    path: Path
    name: str
    rows: list[Cells]


@dataclass(frozen=True, slots=True)
class Row:
    """One row under a header, by field."""

    source: str
    """File and row as Excel counts it, for messages."""
    index: int
    """Among the rows under the header, from 0."""
    cells: Mapping[str, object]

    def __getitem__(self, field: str) -> object:
        """The cell, or None where the file has no such column."""
        return self.cells.get(field)

    def text(self, field: str) -> str:
        """The cell as text without spaces around it; '' where empty. 4.0 becomes '4'."""
        value = self[field]
        if _empty(value):
            return ""
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()

    def number(self, field: str) -> int | None:
        """The cell as a whole number; None where empty or a mark for 'not coded'.

        Raises ValueError, naming the field, for anything else.
        """
        text = self.text(field)
        if text in ("", "/", "-", "?", "nan", "NaN", "None"):
            return None
        if not re.fullmatch(r"-?\d+(\.0+)?", text):
            raise ValueError(f"{field} is {text!r}, no frame number")
        return int(float(text))


def read_sheets(path: Path) -> list[Sheet]:
    """Every sheet of an Excel file, or the one table of a CSV file."""
    readers = {".csv": _csv, ".xls": _xls}
    return readers.get(path.suffix.lower(), _xlsx)(path)


def _csv(path: Path) -> list[Sheet]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="gb18030")  # as Chinese Excel saves it
    return [Sheet(path, "", [list(row) for row in csv.reader(text.splitlines())])]


def _xlsx(path: Path) -> list[Sheet]:
    try:
        import openpyxl
    except ImportError:
        raise MicroauError(
            f"{path.name}: reading Excel files needs openpyxl: pip install openpyxl"
        ) from None
    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise MicroauError(f"{path}: no readable Excel file ({error}); open it and save it again") from None
    return [
        Sheet(path, s.title, [list(row) for row in s.iter_rows(values_only=True)]) for s in book.worksheets
    ]


def _xls(path: Path) -> list[Sheet]:
    try:
        import xlrd
    except ImportError:
        raise MicroauError(
            f"{path.name}: old Excel files need xlrd: pip install xlrd, or save the file as .xlsx"
        ) from None
    try:
        book = xlrd.open_workbook(path)
    except xlrd.XLRDError as error:
        raise MicroauError(f"{path}: no readable Excel file ({error}); open it and save it again") from None
    sheets = book.sheets()
    return [
        Sheet(path, s.name, [_xls_cells(s.row(k), book.datemode) for k in range(s.nrows)]) for s in sheets
    ]


def _xls_cells(cells: Sequence[Any], datemode: int) -> Cells:
    import xlrd

    dates = xlrd.XL_CELL_DATE
    return [
        xlrd.xldate_as_datetime(cell.value, datemode) if cell.ctype == dates else cell.value
        for cell in cells
    ]


def rows_under_header(sheet: Sheet, wanted: Columns, optional: Columns) -> list[Row] | None:
    """The rows below the first row that names every wanted column; None where there is no such row.

    Rows that are empty in all wanted columns are passed over, and so is everything beside the named
    columns. Of two columns with the same name the first counts.
    """
    for place, cells in enumerate(sheet.rows):
        columns = _find(cells, {**wanted, **optional})
        if wanted.keys() <= columns.keys():
            return _rows(sheet, place + 1, columns, wanted)
    return None


def rows_without_header(sheet: Sheet, fields: Sequence[str]) -> list[Row]:
    """Every row, its cells named in order; empty rows are passed over."""
    return _rows(sheet, 0, {field: k for k, field in enumerate(fields)}, fields)


def _find(cells: Sequence[object], columns: Columns) -> dict[str, int]:
    names = [_plain(cell) for cell in cells]
    found = {field: next((n for n in accepted if n in names), None) for field, accepted in columns.items()}
    return {field: names.index(name) for field, name in found.items() if name is not None}


def _plain(cell: object) -> str:
    """A column name as it is compared: 'Onset Frame ' and 'OnsetFrame' are one."""
    return re.sub(r"[^a-z0-9]", "", str(cell).lower()) if cell is not None else ""


def _rows(
    sheet: Sheet, start: int, columns: Mapping[str, int], wanted: Columns | Sequence[str]
) -> list[Row]:
    rows: list[Row] = []
    for place, cells in enumerate(sheet.rows[start:], start + 1):
        named = {field: cells[k] for field, k in columns.items() if k < len(cells)}
        if not all(_empty(named.get(field)) for field in wanted):
            rows.append(Row(f"{sheet.path.name} row {place}", len(rows), named))
    return rows


def _empty(value: object) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return True
    return value is None or str(value).strip() == ""


def find_files(root: Path, pattern: str, depth: int = 3) -> list[Path]:
    """Label files below a folder whose name matches a regular expression, case ignored, nearest first.

    Lock files that Excel leaves (`~$...`) are passed over.
    """
    found: list[Path] = []
    level = [root]
    for _ in range(depth + 1):
        entries = sorted((entry for folder in level for entry in folder.iterdir()), key=lambda p: p.name)
        found += [e for e in entries if e.suffix.lower() in SUFFIXES and _named(e, pattern)]
        level = [entry for entry in entries if entry.is_dir()]
    return found


def _named(path: Path, pattern: str) -> bool:
    return not path.name.startswith("~$") and re.search(pattern, path.name, re.IGNORECASE) is not None
