"""The port that was watched last, for `--last`: it is found again under another name by its USB serial number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from jaragua import folders
from jaragua.errors import StoreError, UsageError
from jaragua.serial.ports.discovery import Port

_FILE: Final = "last-port.json"


def remember(path: str, ports: Sequence[Port]) -> None:
    """Keeps a port; one that is not there may be misspelt, and is not kept. Where nothing can be kept, nothing is."""
    if "://" not in path and not Path(path).exists():
        return
    serial_number = next((port.serial_number for port in ports if port.path == path), "")
    with suppress(OSError, StoreError):
        folder = folders.state_folder()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FILE).write_text(json.dumps({"port": path, "serial_number": serial_number}), encoding="utf-8")


def last_port(ports: Sequence[Port]) -> str:
    """The port of the last time, where that board is now. Raises: UsageError if there was none, StoreError."""
    file = Path(folders.state_folder()) / _FILE
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        path, serial_number = str(entry["port"]), str(entry["serial_number"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError("no port was watched before", "name one with --port") from None
    if serial_number:
        return next((port.path for port in ports if port.serial_number == serial_number), path)
    return path
