"""Flash-commands and their images on disk: what a gateway that is restarted goes on with (M45)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from jaragua.errors import ProtocolError
from jaragua.node.intake import FlashRequest
from jaragua.trust import private_files
from jaragua.wire.messages import FlashCommand, decode, encode

LOGGER = logging.getLogger(__name__)
_ENDING: Final = ".json"
_EXECUTABLE: Final = 0o700


@dataclass(frozen=True)
class Record:
    """A flash-command of the board on a port. failed: its upload has ended without an image that runs."""

    port: str
    request: FlashRequest
    failed: bool = False

    @property
    def device(self) -> str:
        """The board's name in the fleet."""
        return self.request.command.device


class Journal:
    """One record a device, in a folder of the gateway's own. Errors of writing: StoreError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, record: Record, image: bytes, start: bytes, form: str) -> Path:
        """Write what is needed to go on; returns the file of the image, whose name ends as its form wants."""
        private_files.private_folder(self._folder)
        path = self._image(record.device, form)
        private_files.write(path, image, _EXECUTABLE if form == "" else private_files.FILE_MODE)
        private_files.write(self._start(record.device), start)
        self._write(record)
        return path

    def fail(self, record: Record) -> None:
        """Keep which board is on the port."""
        self._write(replace(record, failed=True))
        self._remove_files(record.device)

    def end(self, device: str) -> None:
        """Nothing is left to do for a device."""
        self._remove_files(device)
        with suppress(OSError):
            self._path(device).unlink(missing_ok=True)

    def records(self) -> list[Record]:
        """All that is kept; what cannot be read is left out, and said."""
        paths = sorted(self._folder.glob(f"*{_ENDING}")) if self._folder.is_dir() else []
        return [record for path in paths if (record := _read(path)) is not None]

    def files(self, device: str, form: str) -> tuple[bytes, bytes]:
        """Image and start of a record. Raises: StoreError if they are not there."""
        image = private_files.read(self._image(device, form), "the image")
        return image, private_files.read(self._start(device), "the start")

    def _write(self, record: Record) -> None:
        request = record.request
        content = {
            "port": record.port,
            "failed": record.failed,
            "command": encode(request.command).hex(),
            "topic": request.response_topic,
            "correlation": None if request.correlation is None else request.correlation.hex(),
        }
        private_files.write(self._path(record.device), json.dumps(content).encode())

    def _remove_files(self, device: str) -> None:
        for path in self._folder.glob(f"{device}.image*"):
            with suppress(OSError):
                path.unlink()
        with suppress(OSError):
            self._start(device).unlink(missing_ok=True)

    def _path(self, device: str) -> Path:
        return self._folder / f"{device}{_ENDING}"

    def _start(self, device: str) -> Path:
        return self._folder / f"{device}.start"

    def _image(self, device: str, form: str) -> Path:
        return self._folder / (f"{device}.image.{form}" if form else f"{device}.image")


def _read(path: Path) -> Record | None:
    try:
        content: Mapping[str, Any] = json.loads(path.read_bytes())
        correlation = content["correlation"]
        request = FlashRequest(
            decode(FlashCommand, bytes.fromhex(content["command"])),
            str(content["topic"]),
            None if correlation is None else bytes.fromhex(correlation),
        )
        return Record(str(content["port"]), request, bool(content["failed"]))
    except (OSError, ValueError, KeyError, TypeError, ProtocolError) as error:
        LOGGER.warning("%s cannot be read and is left out: %s", path, error)
        return None
