"""Read a table: rows of cells, each with its place in the file, from CSV or Parquet; and numbers from them."""

import csv
import difflib
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaragua_models.errors import DataError
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.reading.extras import needs
from jaragua_models.own_data.reading.times import is_time, times_of
from jaragua_models.own_data.reading.windows import columns_of, windows_of
from jaragua_models.own_data.samples import Table, numbered

Row = dict[str, str]
Lines = list[tuple[int, Row]]
"""The rows of a table, each with the number of its line in the file."""

PARQUET = ".parquet"
LARGEST_NUMBER = 1e15
"""Largest magnitude of a cell: squares of larger ones overflow float32."""


def read(description: Description) -> Table:
    """A sample for each row, or for each window of rows (D7). Raises: DataError that names file and line."""
    path = description.path
    if path is None:
        return _without_rows(description)
    rows = _parquet_rows(path) if path.suffix.lower() == PARQUET else _csv_rows(path)
    columns = _features(description, rows[0][1])
    _check_filled(path, rows, columns)
    x = np.array([[_number(path, line, row, column) for column in columns] for line, row in rows])
    names = _names(path, rows, description.label)
    _check_numbers(path, sorted(set(names)))
    labels, classes = numbered(path, names, description.classes)
    devices, times = np.array(_names(path, rows, description.device)), times_of(path, rows, description.time or ())
    spans = None if times is None else np.stack([times, times], axis=1)
    table = Table(path, x, labels, classes, devices, columns, spans=spans, is_ordered=description.time != ())
    return windows_of(table, description) if description.window else table


def header_of(path: Path) -> tuple[str, ...]:
    """Names of a table's columns. Raises: DataError."""
    rows = _parquet_rows(path) if path.suffix.lower() == PARQUET else _csv_rows(path)
    return tuple(rows[0][1])


def _without_rows(description: Description) -> Table:
    """N5: what does not follow from rows has to be told. Raises: DataError that names what is not."""
    origin = description.origin
    told = {"features": description.features, "classes": description.classes, "held_out": description.held_out}
    missing = [name for name, values in told.items() if not values]
    if missing:
        hint = "Name the table (path = …), or add the keys: they do not follow from data that are not here."
        raise DataError(f"{origin}: [task] has no path, and no {' and no '.join(missing)}.", hint)
    columns = columns_of(description.features, description)
    inputs = len(columns) * (description.window if description.windows == "raw" and description.window else 1)
    labels, classes = numbered(origin, [], description.classes)
    nobody = np.array([], dtype=np.str_)
    return Table(origin, np.zeros((0, inputs)), labels, classes, nobody, columns, is_ordered=description.time != ())


def _features(description: Description, row: Row) -> tuple[str, ...]:
    """The columns to learn from, none of them the answer or without a name."""
    path, told = description.origin, (description.label, description.device)
    for column in (*told, *description.features, *(description.time or ())):
        _check_column(path, column, row)
    if description.label == description.device:
        raise DataError(f"{path}: label and device are both column {told[0]!r}.", "Name two columns.")
    if description.label in description.features:
        message = f"{path}: column {description.label!r} is the label, and in features, too: it would tell the answer."
        raise DataError(message, "Take it out of features.")
    columns = description.features or tuple(
        column for column in row if column not in (*told, *(description.time or ()))
    )
    if not columns:
        raise DataError(f"{path}: no column is left for features.", "Add columns of numbers.")
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} is in features twice.", "Name it once.")
    if "" in columns:
        place = list(row).index("") + 1
        message = f"{path}: column {place} has no name; many programs write the number of the row there."
        raise DataError(message, "Take it out, give it a name, or say what to learn from: features = [...].")
    return columns


def _csv_rows(path: Path) -> Lines:
    text = _csv_text(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        _check_names(path, names)
        reader.fieldnames = names
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        message = f"{path}, line {reader.line_num}: it is not CSV: {error}."
        raise DataError(message, "Look for a quotation mark that is not closed, there or above.") from error
    if not rows:
        raise DataError(f"{path}: it has no rows.", "Give a line of names and a line for each sample.")
    for line, row in rows:
        if None in row or None in row.values():
            raise DataError(
                f"{path}, line {line}: it does not have as many cells as the first line.", "Correct the line."
            )
    return rows


def _parquet_rows(path: Path) -> Lines:
    """Cells as text, as a CSV file would have them; the first row is line 1. An empty one is empty text."""
    parquet = needs("pyarrow.parquet", "parquet", path)
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path}: cannot be read as Parquet: {reason}.", "Check the file, or save it as CSV."
        ) from error
    names = [str(name).strip() for name in table.column_names]
    _check_names(path, names)
    columns = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in table.columns]
    if not names or not columns[0]:
        raise DataError(f"{path}: it has no rows.", "Give columns with a row for each sample.")
    return [(line, dict(zip(names, cells, strict=True))) for line, cells in enumerate(zip(*columns, strict=True), 1)]


def _csv_text(path: Path) -> str:
    hint = "Save it as CSV in UTF-8, with a line of names."
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        hint = "Check path; it is relative to the TOML file."
        raise DataError(f"{path}: cannot be read: {error.strerror}.", hint) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: it is not text in UTF-8.", hint) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path}, line {line}: there is a zero byte: it is UTF-16, or no text.", hint)
    return text


def _check_column(path: Path, column: str, row: Row) -> None:
    if column not in row:
        matches = difflib.get_close_matches(column, row, n=1)
        hint = f"Did you mean {matches[0]!r}? " if matches else ""
        raise DataError(f"{path}: there is no column {column!r}.", f"{hint}It has: {', '.join(row)}.")


def _check_names(path: Path, names: Sequence[str]) -> None:
    parted = next((mark for mark in (";", "\t", "|") if len(names) == 1 and mark in names[0]), None)
    if parted is not None:
        hint = "Save it with commas between the cells, and points in numbers."
        raise DataError(f"{path}: its cells are parted by {parted!r}, not by commas.", hint)
    twice = next((name for number, name in enumerate(names) if name and name in names[:number]), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are called {twice!r}.", "Give each column a name of its own.")


def _check_numbers(path: Path, classes: Sequence[str]) -> None:
    """1 and 1.0 would be two classes."""
    known: dict[float, str] = {}
    for name in classes:
        try:
            number = float(name)
        except ValueError:
            continue
        if number in known:
            message = f"{path}: {known[number]!r} and {name!r} would be two classes, and are one number."
            raise DataError(message, "Write it the same way in all rows.")
        known[number] = name


def _names(path: Path, rows: Lines, column: str) -> list[str]:
    """Class or device of each row. An empty cell is an error, not a class or device of its own."""
    names = [row[column].strip() for _, row in rows]
    if "" in names:
        first, count = names.index(""), names.count("")
        others = f", and {count - 1} more" if count > 1 else ""
        raise DataError(
            f"{path}, line {rows[first][0]}, column {column!r}: the cell is empty{others}.",
            "Fill it, or take the row out.",
        )
    return names


def _check_filled(path: Path, rows: Lines, columns: Sequence[str]) -> None:
    """Missing readings are not guessed. Raises: DataError that names the first and counts the others."""
    empty = [(line, column) for line, row in rows for column in columns if not row[column].strip()]
    if empty:
        line, column = empty[0]
        others = f", and {len(empty) - 1} more" if len(empty) > 1 else ""
        lines = len({line for line, _ in empty})
        raise DataError(
            f"{path}, line {line}, column {column!r}: the cell is empty{others}.",
            f"Fill the cells, take the {lines} rows out, or leave the column out of features."
            if lines > 1
            else "Fill the cell, take the row out, or leave the column out of features.",
        )


def _number(path: Path, line: int, row: Row, column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        hint = "Correct the cell, or name the columns to use as features = [...]."
        if is_time(row[column]):
            hint = f"If the column tells when a row was measured: time = {column!r}, or --time of `jaragua new`."
        raise DataError(f"{path}, line {line}, column {column!r}: {row[column]!r} is not a number.", hint)
    if abs(number) > LARGEST_NUMBER:
        raise DataError(
            f"{path}, line {line}, column {column!r}: {row[column]} is larger than {LARGEST_NUMBER:g}.",
            "Correct the cell, or give the column in a larger unit.",
        )
    return number
