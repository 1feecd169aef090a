"""Bar 3: a board is unplugged in mid-round and plugged in again: the round completes, with the same bits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fleet_bench import Headquarters, digits_blob, run, running, settings, train_command
from test_equals_a_fleet import gateway, programs, run_of_a_fleet
from test_gateway_emulated import update_of_reference
from test_tap import attached, line_of

from common.plain_simulation import PLAIN
from forked import Forker
from images import built_image
from jaragua.emulate import EmulatedBoard, EmulatedFleet, NativeBoard, QemuBoard
from jaragua.emulate.image import NATIVE, QEMU
from jaragua.gateway.gateway import run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.serial import open_transport
from jaragua.simulation import device_names, simulate
from jaragua_broker import Broker
from limits import GENEROUS_S

BLOB = digits_blob()
#: A job that takes long enough on either board, so that it is cut in the middle.
COMMAND = train_command(BLOB, "left", ways=5, shots=10, passes=4)


class Cable:
    """A port that is a socket, between a host and a board that keeps its power; it can be unplugged."""

    def __init__(self, board: str) -> None:
        self._board = board
        self._server: asyncio.Server | None = None
        self._number = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"socket://127.0.0.1:{self._number}"

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._number)
        self._number = self._server.sockets[0].getsockname()[1]

    async def unplug(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        board = await open_transport(self._board)

        async def up() -> None:
            while data := await board.read():
                writer.write(data)

        pump = asyncio.create_task(up())
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                board.write(data)
        pump.cancel()
        await board.close()
        self._writers.discard(writer)
        writer.close()


@contextlib.asynccontextmanager
async def cable_to(board: str) -> AsyncIterator[Cable]:
    cable = Cable(board)
    await cable.plug()
    try:
        yield cable
    finally:
        await cable.unplug()


async def round_with_an_interruption(broker: Broker, folder: Path, port: str, away: Callable[[], object]) -> bytes:
    """The update of a round during which `away` takes the port away and puts it back; a monitor watches it all."""
    where = settings(broker.url, folder, "gw", kind="gateway")
    async with Headquarters(broker.url) as headquarters, running(run_gateway(where, [PortSettings(port, "left")])):
        await headquarters.device_is("left", "ready")
        watching = await attached(port)
        await headquarters.publish_blob(BLOB)
        await headquarters.command("gw", "train", COMMAND)
        await line_of(watching, "progress")
        interruption = away()
        if asyncio.iscoroutine(interruption):
            await interruption
        _, update = await headquarters.update_number(1)
        assert (await line_of(watching, "round")).fields["round"] == 1
        await watching.close()
        return update


def test_a_board_that_loses_its_power_and_its_port_completes_the_round(broker: Broker, tmp_path: Path) -> None:
    port = tmp_path / "ttyACM0"
    with NativeBoard(built_image(NATIVE), link=port) as board:

        def away() -> None:
            board.stop()
            assert not port.is_symlink()
            board.start()

        update = run(round_with_an_interruption(broker, tmp_path, str(port), away))
    assert update == update_of_reference(COMMAND)[0]


@pytest.mark.board
def test_a_board_whose_cable_is_pulled_completes_the_round(broker: Broker, tmp_path: Path) -> None:
    """The emulated Cortex-M4 keeps its power, as one with a supply of its own."""

    async def story() -> bytes:
        with QemuBoard(built_image(QEMU)) as board:
            async with cable_to(board.url) as cable:

                async def away() -> None:
                    await cable.unplug()
                    await asyncio.sleep(0.5)  # for a while nobody can connect
                    await cable.plug()

                return await round_with_an_interruption(broker, tmp_path, cable.url, away)

    assert run(story()) == update_of_reference(COMMAND)[0]


async def unplug_in_rounds(board: EmulatedBoard, numbers: tuple[int, ...]) -> None:
    """Unplugs a board in the middle of its work, as soon as a monitor sees it."""
    for number in numbers:
        watching = await attached(board.url)
        while (await line_of(watching, "device")).fields.get("round") != number:
            pass
        await line_of(watching, "progress")
        await watching.close()
        board.stop()
        board.start()


def test_a_run_with_a_board_unplugged_in_three_rounds_has_the_simulations_hash(
    forker: Forker, broker: Broker, tmp_path: Path
) -> None:
    work = {"ways": 5, "shots": 10, "passes": 4, "learning_rate": 0.1}
    wanted = replace(PLAIN, task="digits", clients=2, devices=device_names(2), **work)  # type: ignore[arg-type]

    async def story(board: EmulatedBoard) -> dict[str, Any]:
        fleet = asyncio.create_task(asyncio.to_thread(run_of_a_fleet, forker, wanted, broker.url, tmp_path))
        async with asyncio.timeout(GENEROUS_S):
            await unplug_in_rounds(board, (2, 3, 5))
        return await fleet

    with (
        EmulatedFleet(built_image(NATIVE), 2, links=tmp_path) as boards,
        programs(forker, [gateway(wanted, broker.url, tmp_path, boards.urls)]),
    ):
        data = asyncio.run(story(boards.boards[0]))
    assert data["model_hash"] == simulate(wanted).final_hash
