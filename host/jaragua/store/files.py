"""Files that are either whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jaragua.errors import StoreError
from jaragua.reasons import reason_of


def write_whole(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Replace a file in one step: a reader, or a kill, sees the old content or the new, never a part.

    content: all of it, or its parts, of which one after the other is asked for.

    When it returns, the new content is on the disk under its name. Raises: StoreError if it cannot be written.
    """
    draft = path.with_name(f".{path.name}.new")
    with _named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("wb") as sink:
                sink.writelines([content] if isinstance(content, bytes) else content)
                sink.flush()
                os.fsync(sink.fileno())
            draft.replace(path)
            _sync_folder(path.parent)
        except OSError:
            with suppress(OSError):  # what is half written takes room that is wanted
                draft.unlink(missing_ok=True)
            raise


def append_line(path: Path, text: str) -> None:
    """Add one line and have it on the disk. Raises: StoreError if it cannot be written."""
    with _named_errors(path), path.open("ab") as sink:
        sink.write(text.encode() + b"\n")
        sink.flush()
        os.fsync(sink.fileno())


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "make room on that disk, or correct its permissions, and repeat the command; nothing stored is lost"
        raise StoreError(f"{path} cannot be written: {reason_of(error)}", hint) from error


def _sync_folder(folder: Path) -> None:
    """A name is on the disk once its folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def json_line(values: Mapping[str, Any]) -> str:
    """One JSON object in one line, keys in their order."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Replace a file of lines in one step."""
    write_whole(path, (f"{line}\n".encode() for line in lines))


def to_toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """TOML of tables of plain values, lists, and tables of plain values."""
    parts = []
    for name, table in sections.items():
        lines = [f"{key} = {_toml_value(value)}" for key, value in table.items()]
        parts.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _toml_value(value: Any) -> str:
    """A JSON string is a TOML basic string, and so are JSON's numbers; a table is written inline."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
