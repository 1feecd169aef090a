"""What a gateway tells monitors on the same machine (docs/reference/monitor.md, T6 to T10), with real boards."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fleet_bench import Headquarters, adapt_command, digits_blob, run, running, settings, train_command, until

from images import built_image
from jaragua import folders
from jaragua.cli.main import run as command_line
from jaragua.emulate import NativeBoard
from jaragua.emulate.image import NATIVE
from jaragua.gateway.gateway import run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.gateway.port_tap import PortTap
from jaragua.serial.lines import Line
from jaragua.serial.ports.discovery import Port
from jaragua.serial.ports.survey import survey
from jaragua.serial.tap import server
from jaragua.serial.tap.client import TapConnection, attach, decoded
from jaragua.serial.tap.names import socket_name, socket_paths
from jaragua.serial.tap.server import MOST_WAITING_BYTES, Tap
from jaragua.wire.messages import Health
from jaragua_broker import Broker
from limits import GENEROUS_S

BLOB = digits_blob()
Task: TypeAlias = "asyncio.Task[None]"


@asynccontextmanager
async def tapped(port: str) -> AsyncIterator[Tap]:
    tap = Tap(port, {"node": "gw", "fleet": "home"})
    await tap.open()
    try:
        yield tap
    finally:
        await tap.close()


async def attached(port: str) -> TapConnection:
    """Attaches as soon as the gateway listens."""
    while (tap := await attach(port)) is None:
        await asyncio.sleep(0.01)
    return tap


async def line_of(tap: TapConnection, kind: str) -> Line:
    """The next line of a kind."""
    async with asyncio.timeout(GENEROUS_S):
        async for line in tap.lines():
            if line.kind == kind:
                return line
    raise AssertionError(f"the gateway let go before a line of {kind}")


@asynccontextmanager
async def monitor_process(port: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`jaragua monitor --json` as a process of its own."""
    command = [sys.executable, "-m", "jaragua.cli.main", "monitor", "--port", port, "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def document_with(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(GENEROUS_S):
        while line := await process.stdout.readline():
            document: dict[str, Any] = json.loads(line)
            if document["event"] == event:
                return document
    raise AssertionError(f"the monitor ended before an event {event}")


@asynccontextmanager
async def gateway_with_a_board(broker: Broker, folder: Path) -> AsyncIterator[tuple[NativeBoard, Headquarters, Task]]:
    """A board, the coordinator's side, and the task of the gateway."""
    where = settings(broker.url, folder, "gw", kind="gateway")
    with NativeBoard(built_image(NATIVE)) as board:
        work = run_gateway(where, [PortSettings(board.url, "left")])
        async with Headquarters(broker.url) as headquarters, running(work) as task:
            await headquarters.device_is("left", "ready")
            await headquarters.publish_blob(BLOB)
            yield board, headquarters, task


def test_t7_t8_a_monitor_beside_a_gateway_shows_rounds_loss_and_accuracy(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Real board, real gateway, the verb itself; the board's port is the gateway's all the time."""
    caplog.set_level("INFO", "jaragua")

    async def story() -> None:
        async with gateway_with_a_board(broker, tmp_path) as (board, headquarters, _):
            async with monitor_process(board.url) as process:
                assert (await document_with(process, "hello"))["node"] == "gw"
                assert (await document_with(process, "identity"))["uid"] == board.uid.hex()
                await headquarters.publish_run()
                await headquarters.command("gw", "train", train_command(BLOB, "left"))
                told = await document_with(process, "round")
                header, _ = await headquarters.update_number(1)
                assert (told["round"], told["rounds"], told["device"]) == (1, 9, "left")
                assert (told["loss"], told["score"]) == (header.loss, header.score)
                answer = await headquarters.ask("gw", adapt_command(BLOB, "left"))
                adapted = await document_with(process, "adaptation")
                assert (adapted["before"], adapted["after"]) == (answer.before, answer.after)
            (found,) = await survey([Port(board.url, "usb")])
            assert (found.state, found.who["model"]) == ("in use", "digits")
            assert "Gateway gw" in found.why
            await headquarters.publish_run(number=2)
            await until(lambda: "adaptation 0: left, accuracy" in caplog.text)
            assert f"round 1 of 9: left, 12 samples, loss {header.loss:.4f}, accuracy" in caplog.text

    run(story())


def test_t7_k9_jaragua_boards_tells_the_wear_of_a_board_that_a_gateway_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the table's notes and in JSON."""
    port = str(tmp_path / "port")
    counters = (1, 900, *[0] * 11, 12, 40_000, 60, 120)
    monkeypatch.setattr("jaragua.cli.port_choice.all_ports", lambda: [Port(port, "usb")])

    async def story() -> None:
        async with tapped(port) as tap:
            port_tap = PortTap(tap)
            tap.say(Line("identity", "", {"model": "digits"}))
            port_tap.healthy(Health(*counters))
            assert await asyncio.to_thread(command_line, ["boards"]) == 0
            words = "flash saved 12 of 40,000 times, 500 erase operations in 1,000 jobs that train"
            assert words in capsys.readouterr().err
            assert await asyncio.to_thread(command_line, ["boards", "--json"]) == 0

    run(story())
    (entry,) = json.loads(capsys.readouterr().out)["data"]["boards"]
    assert (entry["model"], entry["flash"]["erases"], entry["flash"]["erases_per_1000_jobs"]) == ("digits", 60, 500)


def test_a_monitor_takes_the_port_when_the_gateway_ends(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with gateway_with_a_board(broker, tmp_path) as (board, _, task), monitor_process(board.url) as process:
            await document_with(process, "identity")
            task.cancel()
            await asyncio.wait([task])
            await document_with(process, "session")
            assert (await document_with(process, "identity"))["uid"] == board.uid.hex()

    run(story())


def test_a_monitor_lets_a_gateway_have_the_port(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        where = settings(broker.url, tmp_path, "gw", kind="gateway")
        with NativeBoard(built_image(NATIVE)) as board:
            async with monitor_process(board.url) as process:
                await document_with(process, "session")
                work = run_gateway(where, [PortSettings(board.url, "left")])
                async with Headquarters(broker.url) as headquarters, running(work):
                    await headquarters.device_is("left", "ready")
                    assert (await document_with(process, "hello"))["node"] == "gw"

    run(story())


def test_t6_the_socket_of_a_killed_gateway_keeps_no_monitor_from_its_board() -> None:
    async def story() -> None:
        with NativeBoard(built_image("native")) as board:
            left = folders.make_runtime_folder() / socket_name(board.url)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(left))
            try:
                async with monitor_process(board.url) as process:
                    assert (await document_with(process, "identity"))["uid"] == board.uid.hex()
            finally:
                left.unlink()

    run(story())


def test_t9_what_a_monitor_sends_reaches_no_board(broker: Broker, tmp_path: Path) -> None:
    """It asks for the bytes, which it gets, and then sends what would be frames; the round is the reference's."""
    from test_gateway_emulated import update_of_reference

    async def story() -> None:
        async with gateway_with_a_board(broker, tmp_path) as (board, headquarters, _):
            (path,) = socket_paths(board.url)
            reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 20)
            writer.write(b'{"bytes": true}\n' + b"\x00\x07garbage\x00" * 5000)
            command = train_command(BLOB, "left")
            await headquarters.command("gw", "train", command)
            _, update = await headquarters.update_number(1)
            assert update == update_of_reference(command)[0]
            sent = b""
            async with asyncio.timeout(GENEROUS_S):
                while (line := decoded(await reader.readline())).kind != "round":
                    if line.kind == "bytes" and line.fields["out"]:
                        sent += bytes.fromhex(line.fields["hex"])
            assert sent
            assert b"garbage" not in sent
            writer.close()

    run(story())


def test_t6_the_socket_is_for_its_user_alone() -> None:
    async def story() -> None:
        async with tapped("/dev/ttyACM0"):
            (path,) = socket_paths("/dev/ttyACM0")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            path.parent.chmod(0o777)
            try:
                assert socket_paths("/dev/ttyACM0") == []
                assert await attach("/dev/ttyACM0") is None
            finally:
                path.parent.chmod(0o700)

    run(story())


def test_t6_a_tap_is_found_by_any_name_of_its_port(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to("/dev/ttyACM0")
    assert socket_name(str(tmp_path / "by-id")) == socket_name("/dev/ttyACM0")
    assert socket_name("socket://127.0.0.1:1") != socket_name("socket://127.0.0.1:2")


def test_t7_who_comes_later_is_told_what_is_still_true() -> None:
    async def story() -> None:
        async with tapped("/dev/ttyACM0") as tap:
            for number in (1, 2):
                tap.say(Line("round", f"round {number}", {"round": number}))
            tap.say(Line("identity", "a board", {"model": "digits"}))
            watching = await attached("/dev/ttyACM0")
            assert watching.hello["process"] == os.getpid()
            assert (await line_of(watching, "identity")).fields == {"model": "digits"}
            assert (await line_of(watching, "round")).fields == {"round": 2}
            await watching.close()

    run(story())


def test_t10_a_monitor_that_reads_nothing_costs_the_gateway_a_bounded_buffer() -> None:
    async def story() -> None:
        async with tapped("/dev/ttyACM0") as tap:
            (path,) = socket_paths("/dev/ttyACM0")
            reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 16)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: tap.is_watched)
            line = Line("log", "x" * 1000)
            for _ in range(5000):
                tap.say(line)
            (watcher,) = tap._watchers
            assert watcher.lost > 3000
            assert watcher.writer.transport.get_write_buffer_size() <= MOST_WAITING_BYTES
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            lost = watcher.lost
            found = None
            async with asyncio.timeout(GENEROUS_S):
                while found is None:
                    tap.say(Line("log", "again"))
                    one = decoded(await reader.readline())
                    found = one if one.kind == "lost" else None
            assert found.fields["lines"] >= lost
            writer.close()

    run(story())


def test_t10_only_so_many_monitors_attach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_WATCHERS", 2)

    async def story() -> None:
        async with tapped("/dev/ttyACM0"):
            two = [await attached("/dev/ttyACM0") for _ in range(2)]
            assert await attach("/dev/ttyACM0") is None
            await two[0].close()
            third = await attached("/dev/ttyACM0")
            for one in (two[1], third):
                await one.close()

    run(story())


def test_a_gateway_does_not_take_the_tap_of_another(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with tapped("/dev/ttyACM0") as first, tapped("/dev/ttyACM0"):
            watching = await attached("/dev/ttyACM0")
            first.say(Line("log", "from the first"))
            assert (await line_of(watching, "log")).text == "from the first"
            await watching.close()
        assert "another gateway has this port" in caplog.text

    run(story())


@pytest.mark.parametrize("data", [b"\xff\n", b"[]\n", b'{"event": 1, "text": "", "fields": {}, "level": 3}\n', b"{}\n"])
def test_a_line_that_is_none_is_shown_as_malformed(data: bytes) -> None:
    assert decoded(data).kind == "malformed"
