"""M45, M54: a gateway that is killed during an upload leaves no upload behind, and ends it when it is started again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from flash_orders import flash_command, last_report, order, reports
from fleet_bench import Headquarters, until

from common.programmable import programmable
from forked import Forked, Forker
from images import built_image
from jaragua.emulate import EmulatedFleet
from jaragua.emulate.image import NATIVE
from jaragua.gateway.flashing.journal import Journal
from jaragua_broker import Broker


def uploads_to(port: str) -> list[str]:
    """Processes that put an image on the board of a port."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            found += [path.parent.name] if b"jaragua.upload" in words and port.encode() in words else []
    return found


def test_m45_m54_a_gateway_that_is_killed_during_an_upload_ends_it_after_its_restart(
    forker: Forker, broker: Broker, tmp_path: Path
) -> None:
    """The process gets SIGKILL while the board has no image; who asked is told how it ended."""
    image = built_image(NATIVE, "sine").read_bytes()
    began, is_over = asyncio.Event(), asyncio.Event()

    def gateway(port: str) -> Forked:
        words = ["gateway", "--broker", broker.url, "--fleet", "home", "--node", "gw", "--model", "digits"]
        return forker.start([*words, "--data-dir", str(tmp_path / "gw"), "--port", port, "--id", "left"])

    async def story(boards: EmulatedFleet) -> None:
        async def upload(url: str, path: Path) -> None:
            if not began.is_set():
                boards.boards[0].stop()
                began.set()
                await is_over.wait()
                return
            boards.program(url, path, tmp_path)

        (port,) = boards.urls
        async with programmable([(NATIVE, boards)], tmp_path, upload), Headquarters(broker.url) as headquarters:
            await headquarters.publish_blob(image)
            command = flash_command(image)
            killed = gateway(port)
            await headquarters.device_is("left", "ready")
            await order(headquarters, "gw", command)
            await began.wait()
            assert len(uploads_to(port)) == 1
            await asyncio.to_thread(killed.kill)
            await until(lambda: not uploads_to(port))
            is_over.set()
            assert [one.phase for one in reports(headquarters, command)][-1] == "uploading"
            (record,) = Journal(tmp_path / "gw" / "flash-home-gw").records()
            assert not record.failed
            again = gateway(port)
            try:
                told = await last_report(headquarters, command)
                assert (told.phase, (told.after or {})["model"]) == ("done", "sine"), told
                await until(lambda: not Journal(tmp_path / "gw" / "flash-home-gw").records())
            finally:
                again.terminate()
                await asyncio.to_thread(again.wait)

    with EmulatedFleet(built_image(NATIVE), 1, links=tmp_path) as boards:
        asyncio.run(story(boards))
