"""The broker alone, with nothing behind it: what it carries of an update one way, and of a round's three messages.

One way: every connection publishes an update, the next when that is acknowledged, and one client reads them all. A
round's messages: one client sends each device a command, the device answers with an update, and the client with an
acknowledgement and the next command. Neither decodes, checks or stores anything.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Final

from jaragua.experiments.load.packets import Connection, Message, connected

_AT_ONCE: Final = 100
_WARM_UP_SECONDS: Final = 1.0
#: Of a train-command and of an acknowledgement, about.
_COMMAND, _ACK = bytes(190), bytes(70)


class Reader:
    """The one client. answers: it sends commands and acknowledgements."""

    def __init__(self, *, answers: bool) -> None:
        self.messages = 0
        self._answers = answers

    def take(self, client: Connection, message: Message) -> None:
        """Of a connection."""
        self.messages += 1
        if self._answers:
            device = message.topic.split("/")[1]
            client.publish(f"ceiling/{device}/ack/run/1", _ACK)
            client.publish(f"ceiling/{device}/cmd/train", _COMMAND)


async def read(port: int, seconds: float, connections: int, *, answers: bool) -> None:
    """Subscribe, say so, and print updates a second once the first one has come."""
    reader = Reader(answers=answers)
    client = await connected(port, "ceiling-reader", reader.take)
    client.subscribe("ceiling/+/up/run/1")
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for number in range(connections if answers else 0):
        client.publish(f"ceiling/{number}/cmd/train", _COMMAND)
    while not reader.messages:
        await asyncio.sleep(0.01)
    await asyncio.sleep(_WARM_UP_SECONDS)
    before, began_s = reader.messages, time.monotonic()
    await asyncio.sleep(seconds)
    rate = (reader.messages - before) / (time.monotonic() - began_s)
    print(json.dumps({"a_second": rate, "messages": reader.messages}), flush=True)
    client.close()


class Devices:
    """Connections that send updates: on a command, or one after the other."""

    def __init__(self, payload_bytes: int, *, on_command: bool) -> None:
        self._payload = bytes(payload_bytes)
        self._on_command = on_command
        self._clients: list[Connection] = []
        self._going = True

    async def connect(self, port: int, count: int) -> None:
        """All of them, subscribed to their commands and acknowledgements."""
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(count, first + _AT_ONCE))
            made = (connected(port, f"{number}", self._command, self._again()) for number in numbers)
            self._clients += await asyncio.gather(*made)
        for client in self._clients:
            client.subscribe(f"ceiling/{client.identifier}/cmd/+", f"ceiling/{client.identifier}/ack/+/+")

    def begin(self) -> None:
        """The first update of each, if none waits for a command."""
        for client in [] if self._on_command else self._clients:
            self._send(client)

    def end(self) -> None:
        """Close all."""
        self._going = False
        for client in self._clients:
            client.close()

    def _again(self) -> Callable[[Connection], None]:
        return (lambda client: None) if self._on_command else self._send

    def _command(self, client: Connection, message: Message) -> None:
        if message.topic.endswith("/cmd/train"):
            self._send(client)

    def _send(self, client: Connection) -> None:
        if self._going:
            client.publish(f"ceiling/{client.identifier}/up/run/1", self._payload)


async def send(port: int, connections: int, payload_bytes: int, *, on_command: bool) -> None:
    """Connect, say so, publish until stdin is closed."""
    devices = Devices(payload_bytes, on_command=on_command)
    await devices.connect(port, connections)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    devices.begin()
    await loop.run_in_executor(None, sys.stdin.readline)
    devices.end()


def main() -> None:
    """`read WHAT PORT CONNECTIONS SECONDS` or `send WHAT PORT CONNECTIONS BYTES`; WHAT: one-way or round."""
    side, what, port, connections, number = sys.argv[1:]
    if side == "read":
        asyncio.run(read(int(port), float(number), int(connections), answers=what == "round"))
    else:
        asyncio.run(send(int(port), int(connections), int(number), on_command=what == "round"))


if __name__ == "__main__":
    main()
