"""The gateway's side of a tap."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jaragua import folders
from jaragua.errors import StoreError
from jaragua.serial.lines import Line
from jaragua.serial.tap.names import is_served, socket_name
from jaragua.wire.definitions import LogLevel

LOGGER = logging.getLogger(__name__)

#: T7, T10.
MOST_LINE_BYTES: Final = 64 * 1024
MOST_WAITING_BYTES: Final = 256 * 1024
MOST_WATCHERS: Final = 16
#: T7: the newest line of each of these is sent to who comes later.
_STILL_TRUE: Final = ("session", "identity", "health", "round", "adaptation")


@dataclass(eq=False)
class _Watcher:
    writer: asyncio.StreamWriter
    wants_bytes: bool = False
    lost: int = 0


class Tap:
    """Tells the monitors of a port what happens there. `open` makes the socket; `say` and `tell_bytes` never wait."""

    def __init__(self, port: str, hello: Mapping[str, Any]) -> None:
        """hello: what a monitor is told first, beside the port."""
        self._port = port
        self._hello = Line("hello", "", {"port": port, "process": os.getpid(), **hello})
        self._watchers: set[_Watcher] = set()
        self._still_true: dict[str, bytes] = {}
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    async def open(self) -> None:
        """Listens. A port without a tap works all the same; why there is none is logged."""
        try:
            path = folders.make_runtime_folder() / socket_name(self._port)
            if await is_served(path):
                LOGGER.warning("%s: another gateway has this port", self._port)
                return
            path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, str(path), limit=MOST_LINE_BYTES)
            path.chmod(0o600)
            self._path = path
        except (OSError, StoreError) as error:
            LOGGER.warning("%s: no monitor can attach to this gateway: %s", self._port, error)

    async def close(self) -> None:
        """Ends all watching."""
        if self._server is not None:
            self._server.close()
        for watcher in list(self._watchers):
            watcher.writer.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @property
    def is_watched(self) -> bool:
        """Whether a monitor is attached."""
        return bool(self._watchers)

    def say(self, line: Line) -> None:
        """Tells a line to all who watch, as far as they keep up (T10)."""
        if line.kind not in _STILL_TRUE and not self._watchers:
            return
        data = encoded(line)
        if line.kind in _STILL_TRUE:
            self._still_true[line.kind] = data
        for watcher in self._watchers:
            _send(watcher, data)

    def tell_bytes(self, data: bytes, *, out: bool) -> None:
        """Tells the bytes of the port to those who asked for them (T9)."""
        wanting = [watcher for watcher in self._watchers if watcher.wants_bytes]
        if wanting:
            line = encoded(Line("bytes", "", {"out": out, "hex": data.hex()}, LogLevel.DEBUG))
            for watcher in wanting:
                _send(watcher, line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._watchers) >= MOST_WATCHERS:
            writer.close()
            return
        watcher = _Watcher(writer)
        self._watchers.add(watcher)
        try:
            for line in (encoded(self._hello), *self._in_order()):
                _send(watcher, line)
            with suppress(ValueError, OSError):  # a line without an end, a monitor that was killed
                watcher.wants_bytes = _asks_for_bytes(await reader.readline())
                while await reader.read(MOST_LINE_BYTES):
                    pass
        finally:
            self._watchers.discard(watcher)
            writer.close()

    def _in_order(self) -> Sequence[bytes]:
        return [self._still_true[kind] for kind in _STILL_TRUE if kind in self._still_true]


def encoded(line: Line) -> bytes:
    """A line as it goes over a tap."""
    document = {"time": round(time.time(), 3), "event": line.kind, "level": int(line.level), "text": line.text}
    return json.dumps(document | {"fields": line.fields}).encode()[: MOST_LINE_BYTES - 1] + b"\n"


def _send(watcher: _Watcher, data: bytes) -> None:
    transport = watcher.writer.transport
    if watcher.writer.is_closing() or transport.get_write_buffer_size() + len(data) > MOST_WAITING_BYTES:
        watcher.lost += 1
        return
    if watcher.lost:
        text = f"{watcher.lost} lines were lost: this monitor is slower than the board"
        watcher.writer.write(encoded(Line("lost", text, {"lines": watcher.lost}, LogLevel.WARNING)))
        watcher.lost = 0
    watcher.writer.write(data)


def _asks_for_bytes(line: bytes) -> bool:
    try:
        request = json.loads(line or b"{}")
    except ValueError:
        return False
    return isinstance(request, dict) and request.get("bytes") is True
