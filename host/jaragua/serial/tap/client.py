"""The monitor's side of a tap: the gateway's lines, checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from jaragua.serial.lines import Line
from jaragua.serial.tap.names import socket_paths
from jaragua.serial.tap.server import MOST_LINE_BYTES
from jaragua.wire.definitions import LogLevel

#: For how long a gateway may take to say hello; it does so at once unless it is stopped.
_HELLO_S: Final = 5.0


@dataclass
class TapConnection:
    """An attached monitor. `hello`: fields of the gateway's first line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    hello: dict[str, Any] = field(default_factory=dict)

    async def lines(self) -> AsyncIterator[Line]:
        """Each line as it comes, until the gateway lets go."""
        while line := await self._next():
            yield line

    async def greet(self, *, wants_bytes: bool) -> bool:
        """Asks for what is wanted and takes the first line; False if it is no gateway."""
        self.writer.write(json.dumps({"bytes": wants_bytes}).encode() + b"\n")
        with suppress(TimeoutError):
            line = await asyncio.wait_for(self._next(), _HELLO_S)
            if line is not None and line.kind == "hello":
                self.hello = line.fields
                return True
        return False

    async def close(self) -> None:
        """Lets go."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def _next(self) -> Line | None:
        try:
            data = await self.reader.readline()
        except (OSError, ValueError):  # ValueError: longer than a line may be
            return None
        return decoded(data) if data.endswith(b"\n") else None


async def attach(port: str, *, wants_bytes: bool = False) -> TapConnection | None:
    """The tap of the gateway that has this port, None if no gateway of this user has it."""
    for path in socket_paths(port):
        try:
            streams = await asyncio.open_unix_connection(str(path), limit=2 * MOST_LINE_BYTES)
        except OSError:  # of a gateway that was killed
            continue
        connection = TapConnection(*streams)
        if await connection.greet(wants_bytes=wants_bytes):
            return connection
        await connection.close()
    return None


def decoded(data: bytes) -> Line:
    """A line of a tap; one that cannot be read is a line of kind `malformed`."""
    try:
        document = json.loads(data)
        kind, text, fields = document["event"], document["text"], document["fields"]
        if not (isinstance(kind, str) and isinstance(text, str) and isinstance(fields, dict)):
            raise TypeError("a field has another type")
        return Line(kind, text, fields, LogLevel(document["level"]))
    except (ValueError, KeyError, TypeError) as error:
        reason = f"a line of the gateway cannot be read: {error}"
        return Line("malformed", reason, {"reason": reason, "payload": data[:100].hex()}, LogLevel.WARNING)
