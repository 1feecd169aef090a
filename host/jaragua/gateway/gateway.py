"""The gateway: one node, one worker a port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from jaragua.errors import DataError, UsageError
from jaragua.gateway.board_trainer import BoardRequests
from jaragua.gateway.flashing.flasher import Flasher
from jaragua.gateway.port import OpenBoard, PortSettings, PortWorker
from jaragua.gateway.port_tap import PortTap
from jaragua.node.node import Node, NodeSettings
from jaragua.node.program import ended, until_first_ends
from jaragua.node.reports import Report
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.serial.board import Board, BoardEvent, Listener
from jaragua.serial.patience import Patience, patience_of
from jaragua.serial.tap.server import Tap
from jaragua.serial.transport import check_port
from jaragua.wire.topics import is_id


def board_opener(patience: Patience) -> OpenBoard:
    """The real thing behind a port's URL."""

    def open_board(
        url: str, on_event: Callable[[BoardEvent], None], listener: Listener | None = None
    ) -> AbstractAsyncContextManager[BoardRequests]:
        return Board(url, on_event=on_event, patience=patience, listener=listener)

    return open_board


def port_settings(urls: Sequence[str], device_ids: Sequence[str], *, required: bool = False) -> list[PortSettings]:
    """Ports with their names. UsageError: names are given, but not one a port, or a port is given twice. PortNameError.

    required: a port that is absent at the start ends the gateway (exit code 4).
    """
    if len(set(urls)) != len(urls):
        raise UsageError("a port is given twice", "give each --port once")
    for url in urls:
        check_port(url)
    return [PortSettings(url, name, required) for url, name in zip(urls, _names(urls, device_ids), strict=True)]


def _names(urls: Sequence[str], device_ids: Sequence[str]) -> Sequence[str | None]:
    if not device_ids:
        return [None] * len(urls)
    if len(device_ids) != len(urls) or len(set(device_ids)) != len(device_ids):
        raise UsageError(
            f"{len(device_ids)} names for {len(urls)} ports",
            "give --id once a port, in the order of the ports, each another",
        )
    for name in device_ids:
        if not is_id(name):
            raise UsageError(f"--id {name!r} is not a name", "use a-z, 0-9 and -, 1 to 32 characters")
    return device_ids


async def run_gateway(settings: NodeSettings, ports: Sequence[PortSettings], opener: OpenBoard | None = None) -> None:
    """Put the boards on `ports` into the fleet until cancelled. Errors: those of Node; PortError of a required port.

    opener: None for real ports and the default patience (L5).
    """
    opener = opener or board_opener(patience_of(None))
    if settings.model is not None:
        _check_names(TaskSampler.of(settings.model), ports)
    taps = [PortTap(Tap(port.url, {"node": settings.node, "fleet": settings.fleet})) for port in ports]

    def tell(report: Report) -> None:
        for tap in taps:
            tap.report(report, node.round_log.rounds_of(report.run))

    node = Node(settings, tell)
    claimed: dict[str, str] = {}
    workers = [PortWorker(node, port, opener, claimed, tap) for port, tap in zip(ports, taps, strict=True)]
    flasher = Flasher(node, workers)
    try:
        for tap in taps:
            await tap.open()
        await until_first_ends(node.run(), _all(workers), flasher.run())
    finally:
        for tap in taps:
            await tap.close()


def _check_names(task_sampler: TaskSampler, ports: Sequence[PortSettings]) -> None:
    """Raises: DataError if no row of the node's own data is of a board (N4)."""
    for port in ports:
        refusal = task_sampler.refusal(port.device_id) if port.device_id else None
        if refusal is not None:
            raise DataError(refusal, "name each board with --id")


async def _all(workers: Sequence[PortWorker]) -> None:
    """All ports at once; a worker that ends by itself (a stale board) does not end the others."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        await asyncio.Event().wait()
    finally:
        await ended(*tasks)
