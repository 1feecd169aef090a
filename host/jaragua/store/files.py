"""Files that are either whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader, or a kill, sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):  # what is half written takes room that is wanted
            draft.unlink(missing_ok=True)
        raise


def append_line(path: Path, text: str) -> None:
    """Add one line and have it on the disk."""
    with path.open("ab") as sink:
        sink.write(text.encode() + b"\n")
        sink.flush()
        os.fsync(sink.fileno())


def json_line(values: Mapping[str, Any]) -> str:
    """One JSON object in one line, keys in their order."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Replace a file of lines in one step."""
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())


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
