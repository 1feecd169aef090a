"""The gateway: one node, one worker a port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from jaragua.errors import UsageError
from jaragua.gateway.board_trainer import BoardRequests
from jaragua.gateway.port import OpenBoard, PortSettings, PortWorker
from jaragua.node.node import Node, NodeSettings
from jaragua.node.program import ended, until_first_ends
from jaragua.serial.board import Board, BoardEvent
from jaragua.wire.topics import is_id


def open_board(url: str, on_event: Callable[[BoardEvent], None]) -> AbstractAsyncContextManager[BoardRequests]:
    """The real thing behind a port's URL."""
    return Board(url, on_event=on_event)


def port_settings(urls: Sequence[str], device_ids: Sequence[str]) -> list[PortSettings]:
    """Ports with their names; UsageError if names are given, but not one a port, or a port is given twice."""
    if len(set(urls)) != len(urls):
        raise UsageError("a port is given twice", "give each --port once")
    if not device_ids:
        return [PortSettings(url) for url in urls]
    if len(device_ids) != len(urls) or len(set(device_ids)) != len(device_ids):
        raise UsageError(
            f"{len(device_ids)} names for {len(urls)} ports",
            "give --id once a port, in the order of the ports, each another",
        )
    for name in device_ids:
        if not is_id(name):
            raise UsageError(f"--id {name!r} is no name", "use a-z, 0-9 and -, 1 to 32 characters")
    return [PortSettings(url, name) for url, name in zip(urls, device_ids, strict=True)]


async def run_gateway(settings: NodeSettings, ports: Sequence[PortSettings], opener: OpenBoard = open_board) -> None:
    """Put the boards on `ports` into the fleet until cancelled. Errors: those of Node; PortError at the start."""
    node = Node(settings)
    claimed: dict[str, str] = {}
    workers = [PortWorker(node, port, opener, claimed) for port in ports]
    await until_first_ends(node.run(), _all(workers))


async def _all(workers: Sequence[PortWorker]) -> None:
    """All ports at once; a worker that ends by itself (a stale board) does not end the others."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        await asyncio.gather(*tasks)
        await asyncio.Event().wait()
    finally:
        for task in tasks:
            task.cancel()  # all at once, then each to its end
        for task in tasks:
            await ended(task)
