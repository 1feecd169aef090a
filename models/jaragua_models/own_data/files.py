"""Read one's own files: a CSV table, a folder of WAV files, a folder of PNG images."""

import csv
import difflib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaragua_models.data import png, wav
from jaragua_models.data.area import area_sums
from jaragua_models.errors import DataError
from jaragua_models.keywords import tables
from jaragua_models.keywords.features import EXPONENT, clip_features
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.samples import Table, numbered

Row = dict[str, str]
Lines = list[tuple[int, Row]]
"""The rows of a table, each with the number of its line in the file."""

LARGEST_NUMBER = 1e15
"""Largest magnitude of a cell: squares of larger ones overflow float32."""


def read(description: Description) -> Table:
    """All samples. Raises: DataError that names file and line, or the file in the folder."""
    readers = {"table": _table, "audio": _audio, "images": _images}
    return readers[description.kind](description)


def _table(description: Description) -> Table:
    path = description.path
    rows = _csv_rows(path)
    columns = _features(description, rows[0][1])
    x = np.array([[_number(path, line, row, column) for column in columns] for line, row in rows])
    labels, classes = numbered(path, _names(path, rows, description.label))
    _check_numbers(path, classes)
    with np.errstate(under="ignore"):
        rounded = x.astype(np.float32)
    return Table(path, rounded, labels, classes, np.array(_names(path, rows, description.device)), x)


def _features(description: Description, row: Row) -> tuple[str, ...]:
    """The columns to learn from, none of them the answer or without a name."""
    path, told = description.path, (description.label, description.device)
    for column in (*told, *description.features):
        _check_column(path, column, row)
    if description.label == description.device:
        raise DataError(f"{path}: label and device are both column {told[0]!r}.", "Name two columns.")
    if description.label in description.features:
        message = f"{path}: column {description.label!r} is the label, and in features, too: it would tell the answer."
        raise DataError(message, "Take it out of features.")
    columns = description.features or tuple(column for column in row if column not in told)
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


def _number(path: Path, line: int, row: Row, column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{path}, line {line}, column {column!r}: {row[column]!r} is not a number.",
            "Correct the cell, or name the columns to use as features = [...].",
        )
    if abs(number) > LARGEST_NUMBER:
        raise DataError(
            f"{path}, line {line}, column {column!r}: {row[column]} is larger than {LARGEST_NUMBER:g}.",
            "Correct the cell, or give the column in a larger unit.",
        )
    return number


def _audio(description: Description) -> Table:
    """<path>/<speaker>/<word>/<file>.wav"""
    folder = description.path
    files = [
        (speaker, word, file)
        for speaker in _folders(folder)
        for word in _folders(speaker)
        for file in _files(word, ".wav")
    ]
    _check_speakers(folder, files)
    _check_none_empty(folder, (word for speaker in _folders(folder) for word in _folders(speaker)), files, ".wav")
    _check_any(folder, files, "<speaker>/<word>/<file>.wav")
    x = np.stack([_clip(file) for _, _, file in files]).astype(np.float32) / np.float32(1 << EXPONENT)
    labels, classes = numbered(folder, [word.name for _, word, _ in files])
    return Table(folder, x, labels, classes, np.array([speaker.name for speaker, _, _ in files]))


def _clip(file: Path) -> NDArray[np.int16]:
    """Features of a recording; one shorter than a second is followed by silence."""
    try:
        samples = wav.decode(file.read_bytes(), tables.RATE_HZ)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}.", "Check the file, or the link.") from error
    except wav.WavError as error:
        raise DataError(f"{file}: {error}.", "Convert it to WAV: PCM, mono, 16 bits, 16 kHz.") from error
    if not len(samples):
        raise DataError(f"{file}: there are no samples in it.", "Record it again, or take it away.")
    if len(samples) > tables.CLIP_SAMPLES:
        message = f"{file}: it lasts {len(samples) / tables.RATE_HZ:.2f} s ({len(samples)} samples)."
        raise DataError(message, f"Cut it to one second at most: {tables.CLIP_SAMPLES} samples.")
    return clip_features(np.pad(samples, (0, tables.CLIP_SAMPLES - len(samples))))


def _images(description: Description) -> Table:
    """<path>/<class>/<file>.png"""
    folder = description.path
    files = [(kind, file) for kind in _folders(folder) for file in _files(kind, ".png")]
    _check_none_empty(folder, _folders(folder), files, ".png")
    _check_any(folder, files, "<class>/<file>.png")
    x = np.stack([_image(file, description) for _, file in files])
    labels, classes = numbered(folder, [kind.name for kind, _ in files])
    return Table(folder, x, labels, classes, np.full(len(files), ""))


def _image(file: Path, description: Description) -> NDArray[np.float32]:
    try:
        pixels, white = png.decode(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}.", "Check the file, or the link.") from error
    except png.PngError as error:
        raise DataError(f"{file}: {error}.", "Convert it to a greyscale PNG.") from error
    sums, whole = area_sums(pixels, description.side, description.side)
    bright = sums.ravel() / (whole * white)
    return (1 - bright if description.dark_on_light else bright).astype(np.float32)


def _folders(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder.", "Check path; it is relative to the TOML file.")
    return (path for path in sorted(folder.iterdir()) if path.is_dir() and not _is_hidden(path))


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    """A link to nowhere is one, too: left out silently, its sample would be missing."""
    found = (path for path in sorted(folder.iterdir()) if path.suffix.lower() == suffix and not _is_hidden(path))
    return (path for path in found if not path.is_dir())


def _is_hidden(path: Path) -> bool:
    """What programs leave beside the data: ._take.wav, .ipynb_checkpoints."""
    return path.name.startswith(".")


def _check_none_empty(root: Path, classes: Iterable[Path], files: Sequence[Sequence[Path]], suffix: str) -> None:
    """A class without a file would go unnoticed; if there is no file at all, the layout is what is wrong."""
    full = {file[-2] for file in files}
    for folder in classes if full else ():
        if folder not in full:
            others = sorted({path.suffix for path in folder.iterdir() if path.is_file() and not _is_hidden(path)})
            instead = f" (but {', '.join(others)})" if others else ""
            raise DataError(
                f"{folder}: there is no {suffix} file in it{instead}.", "Add or convert some, or remove the folder."
            )


def _check_speakers(root: Path, files: Sequence[Sequence[Path]]) -> None:
    """A speaker whose files lie beside the folders of words would go unnoticed."""
    for speaker in _folders(root) if files else ():
        if not any(_folders(speaker)):
            raise DataError(
                f"{speaker}: there is no folder of a word in it.",
                "Lay its files out as <speaker>/<word>/<file>.wav, or remove the folder.",
            )


def _check_any(folder: Path, files: Sequence[object], form: str) -> None:
    if not files:
        raise DataError(f"{folder}: there is no file {form} in it.", "Arrange the files like this.")
