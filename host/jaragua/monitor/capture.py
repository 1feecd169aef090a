"""Captures: every byte of a port in both directions, as a text file (T11, T12)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from jaragua.bases.closing import Closing
from jaragua.errors import DataError

VERSION: Final = 1
_KEY: Final = "jaragua_capture"
_CHUNK_BYTES: Final = 4096


@dataclass(frozen=True)
class Chunk:
    """Bytes that went over the port together. `time_s`: since the capture began."""

    time_s: float
    out: bool
    data: bytes


class CaptureWriter(Closing):
    """Writes a capture. Raises: OSError as files do. clock: seconds of Unix time."""

    def __init__(self, path: Path, port: str, started_s: float) -> None:
        self._started_s = started_s
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._write({_KEY: VERSION, "port": port, "started": round(started_s, 3)})

    def add(self, data: bytes, out: bool, time_s: float) -> None:
        """Writes bytes; the file is complete up to here if the program is killed."""
        self._write({"t": round(time_s - self._started_s, 6), "out": out, "hex": data.hex()})

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()


@dataclass
class Capture:
    """A capture as it is read. `faults`: lines that could not be read, by number."""

    path: Path
    port: str = ""
    started_s: float = 0.0
    faults: dict[int, str] = field(default_factory=dict)
    has_time: bool = False

    def chunks(self) -> Iterator[Chunk]:
        """All bytes in their order. Raises: DataError if the file cannot be read."""
        try:
            if self.has_time:
                yield from self._of_lines()
            else:
                with self.path.open("rb") as file:
                    while data := file.read(_CHUNK_BYTES):
                        yield Chunk(0.0, False, data)
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _of_lines(self) -> Iterator[Chunk]:
        with self.path.open(encoding="utf-8", errors="replace") as file:
            next(file)
            for number, line in enumerate(file, 2):
                try:
                    entry = json.loads(line)
                    yield Chunk(float(entry["t"]), bool(entry["out"]), bytes.fromhex(entry["hex"]))
                except (ValueError, KeyError, TypeError) as error:
                    self.faults[number] = str(error)


def open_capture(path: Path) -> Capture:
    """The capture in a file, or the bytes of a board in it. Raises: DataError."""
    try:
        with path.open("rb") as file:
            first = file.readline(_CHUNK_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not first.startswith(b'{"' + _KEY.encode()):
        return Capture(path)
    try:
        head = json.loads(first)
        version, port, started_s = head[_KEY], str(head["port"]), float(head["started"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is a capture whose first line cannot be read", "record it again") from error
    if version != VERSION:
        raise DataError(f"{path} is a capture of version {version}; this program reads {VERSION}", "update Jaragua")
    return Capture(path, port, started_s, has_time=True)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror}", "give a file of `jaragua monitor --capture`")
