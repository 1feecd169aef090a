"""Images over MQTT through a real gateway to real boards (processes): what goes well, and each thing that does not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flash_orders import flash_command, last_report, order, ordered, reports
from fleet_bench import Headquarters, digits_blob, run, running, settings, train_command, until
from test_gateway_emulated import update_of_reference

from common.programmable import programmable
from images import built_image
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.emulate import EmulatedFleet
from jaragua.emulate.image import NATIVE
from jaragua.errors import ToolError
from jaragua.gateway.flashing.journal import Journal
from jaragua.gateway.gateway import run_gateway
from jaragua.gateway.port import PortSettings
from jaragua.models import model_named
from jaragua.node.node import Node
from jaragua.serial import Board
from jaragua.trust.signing import Signer
from jaragua.wire.messages import FlashCommand, encode
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker

BLOB = digits_blob()
NAMES = ["left", "right"]
TRAINING = train_command(BLOB, "left", ways=5, shots=10, passes=4)
#: Longer than an idle machine needs to check an image.
LONG_TRAINING = train_command(BLOB, "left", ways=5, shots=10, passes=200)


@pytest.fixture(scope="module")
def sine() -> bytes:
    return built_image(NATIVE, "sine").read_bytes()


def boards_with_digits(folder: Path, count: int = 1) -> EmulatedFleet:
    return EmulatedFleet(built_image(NATIVE), count, links=folder)


async def gateway(broker: Broker, folder: Path, boards: EmulatedFleet) -> None:
    ports = [PortSettings(url, name) for url, name in zip(boards.urls, NAMES, strict=False)]
    await run_gateway(settings(broker.url, folder, "gw", kind="gateway"), ports)


@asynccontextmanager
async def at_work(broker: Broker, folder: Path, boards: EmulatedFleet) -> AsyncIterator[Headquarters]:
    """A gateway whose boards are ready; they take images."""
    async with Headquarters(broker.url) as headquarters, running(gateway(broker, folder, boards)):
        for name, _ in zip(NAMES, boards.urls, strict=False):
            await headquarters.device_is(name, "ready")
        yield headquarters


def test_m42_m43_an_image_comes_after_the_job_under_way_whose_update_is_not_lost(
    broker: Broker, sine: bytes, tmp_path: Path
) -> None:
    """The job of the round ends, then the image comes, then the weights sent with it; two boards, one at a time."""
    codec = ModelCodec(model_named("sine"))
    start = codec.pack(codec.initial(4))

    async def story(boards: EmulatedFleet) -> None:
        async with programmable([(NATIVE, boards)], tmp_path), at_work(broker, tmp_path, boards) as headquarters:
            for blob in (BLOB, start, sine):
                await headquarters.publish_blob(blob)
            left = flash_command(sine, start=hashlib.sha256(start).digest())
            right = flash_command(sine, "right")
            await headquarters.command("gw", "train", TRAINING)
            await headquarters.device_is("left", "training")
            await order(headquarters, "gw", left)
            await order(headquarters, "gw", right)
            done = [await last_report(headquarters, one) for one in (left, right)]
            assert [one.phase for one in done] == ["done", "done"], done
            models = [((one.before or {})["model"], (one.after or {})["model"]) for one in done]
            assert models == [("digits", "sine")] * 2
            assert (done[0].before or {})["uid"] == (done[0].after or {})["uid"]
            assert (await headquarters.update_number(1))[1] == update_of_reference(TRAINING)[0]
            assert [one.phase for one in reports(headquarters, left)][-2:] == ["checking", "done"]
            assert "sleeping" in [one.state for one in headquarters.device_states("left")]
            await until(lambda: headquarters.device_states("left")[-1].model == "sine")
            assert Journal(tmp_path / "flash-home-gw").records() == []
        async with Board(boards.urls[0]) as board:
            assert board.identity.working == hashlib.sha256(start).digest()

    with boards_with_digits(tmp_path, 2) as boards:
        run(story(boards))


def test_m40_m41_a_gateway_refuses_what_is_not_for_the_board_and_touches_nothing(
    broker: Broker, sine: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another environment, a wrong size, too large, damaged, no image on the broker, no such board."""
    monkeypatch.setattr("jaragua.gateway.flashing.flasher._FETCH_S", 0.5)
    damaged = sine[:16] + bytes(64)
    right = flash_command(sine)
    cases: list[tuple[bytes, FlashCommand, str]] = [
        (sine, replace(right, id=b"environ.", environment="qemu_m4"), "is for qemu_m4, the board is native"),
        (sine, replace(right, id=b"no-such.", environment="pcio"), "is for pcio, the board is native"),
        (sine, replace(right, id=b"no-size.", size=len(sine) - 1), "bytes, the command says"),
        (sine, replace(right, id=b"toolarge", size=6 * 2**20 + 1), "an image of 6,291,457 bytes is not possible"),
        (damaged, flash_command(damaged, id=b"damaged."), "is not one for native"),
        (b"", flash_command(b"nobody has it", id=b"missing."), "is not on the broker"),
        (sine, replace(right, id=b"no-board", device="middle"), "gateway gw has no board middle"),
    ]

    async def story(boards: EmulatedFleet) -> None:
        async with programmable([(NATIVE, boards)], tmp_path), at_work(broker, tmp_path, boards) as headquarters:
            for image, command, why in cases:
                told = await ordered(headquarters, image, command)
                assert told.phase == "refused"
                assert why in (told.reason or ""), told
            await headquarters.publish_blob(b"something else", name=hashlib.sha256(b"corrupt").hexdigest())
            await order(headquarters, "gw", corrupt := flash_command(b"corrupt", id=b"corrupt."))
            told = await last_report(headquarters, corrupt)
            assert "other bytes than its name says" in (told.reason or "")
            assert {one.state for one in headquarters.device_states("left")} <= {"init", "ready"}

    with boards_with_digits(tmp_path) as boards:
        run(story(boards))


def test_m44_a_command_is_carried_out_once_and_a_second_one_is_refused_meanwhile(
    broker: Broker, sine: bytes, tmp_path: Path
) -> None:
    """The same again gets the same answer; another for the board is refused; an image that is there is not uploaded."""
    uploads: list[str] = []
    proceed = asyncio.Event()

    async def story(boards: EmulatedFleet) -> None:
        async def upload(url: str, image: Path) -> None:
            uploads.append(url)
            await proceed.wait()
            boards.program(url, image, tmp_path)

        async with (
            programmable([(NATIVE, boards)], tmp_path, upload),
            at_work(broker, tmp_path, boards) as headquarters,
        ):
            await headquarters.publish_blob(sine)
            first, second, third = (flash_command(sine) for _ in range(3))
            await order(headquarters, "gw", first)
            await until(lambda: uploads)
            await order(headquarters, "gw", first)
            await order(headquarters, "gw", second)
            told = await last_report(headquarters, second)
            assert (told.phase, told.reason) == ("refused", "another image is on its way to it")
            proceed.set()
            done = await last_report(headquarters, first)
            assert done.phase == "done", done
            await order(headquarters, "gw", first)
            await until(lambda: [one.phase for one in reports(headquarters, first)].count("done") == 2)
            await headquarters.device_is("left", "ready")
            await order(headquarters, "gw", third)
            assert (await last_report(headquarters, third)).phase == "same"
            assert len(uploads) == 1
            await order(headquarters, "gw", forced := flash_command(sine, force=True))
            assert (await last_report(headquarters, forced)).phase == "done"
            assert len(uploads) == 2

    with boards_with_digits(tmp_path) as boards:
        run(story(boards))


def test_m42_a_job_that_does_not_end_in_time_stays_and_nothing_changes(
    broker: Broker, sine: bytes, tmp_path: Path
) -> None:
    """The job goes on, and its update has the bits that it would have had."""

    async def story(boards: EmulatedFleet) -> None:
        async with programmable([(NATIVE, boards)], tmp_path), at_work(broker, tmp_path, boards) as headquarters:
            await headquarters.publish_blob(BLOB)
            await headquarters.publish_blob(sine)
            await headquarters.command("gw", "train", LONG_TRAINING)
            await headquarters.device_is("left", "training")
            await order(headquarters, "gw", command := flash_command(sine, patience=0))
            told = await last_report(headquarters, command)
            assert (told.phase, told.reason) == ("refused", "its job did not end within 0 s; nothing was changed")
            assert (await headquarters.update_number(1))[1] == update_of_reference(LONG_TRAINING)[0]
            assert headquarters.device_states("left")[-1].model == "digits"

    with boards_with_digits(tmp_path) as boards:
        run(story(boards))


def test_m45_a_gateway_that_dies_over_an_upload_goes_on_when_it_is_started_again(
    broker: Broker, sine: bytes, tmp_path: Path
) -> None:
    """The board is off when the second gateway finds it: the upload was cut in the middle."""
    began, is_over = asyncio.Event(), asyncio.Event()

    async def story(boards: EmulatedFleet) -> None:
        async def upload(url: str, image: Path) -> None:
            boards.boards[0].stop()
            if not began.is_set():
                began.set()
                await is_over.wait()
                return
            boards.program(url, image, tmp_path)

        async with programmable([(NATIVE, boards)], tmp_path, upload), Headquarters(broker.url) as headquarters:
            await headquarters.publish_blob(sine)
            command = flash_command(sine)
            async with running(gateway(broker, tmp_path, boards)):
                await headquarters.device_is("left", "ready")
                await order(headquarters, "gw", command)
                await began.wait()
            assert [one.failed for one in Journal(tmp_path / "flash-home-gw").records()] == [False]
            is_over.set()
            async with running(gateway(broker, tmp_path, boards)):
                told = await last_report(headquarters, command)
                assert told.phase == "done", told
                assert (told.after or {})["model"] == "sine"
                await until(lambda: headquarters.device_states("left")[-1].state == "ready")

    with boards_with_digits(tmp_path) as boards:
        run(story(boards))


def test_m45_after_a_failed_upload_a_silent_board_keeps_its_name_and_is_flashed_again(
    broker: Broker, sine: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the tool fails, with its own words; then the board does not answer; then a new gateway mends it."""
    monkeypatch.setattr("jaragua.upload.verify._BACK_S", 0.01)

    async def story(boards: EmulatedFleet) -> None:
        board = boards.boards[0]
        faults = ["the probe sees no chip", "", ""]

        async def upload(url: str, image: Path) -> None:
            fault = faults.pop(0)
            if fault:
                raise ToolError(fault, "check the wires")
            board.stop()
            if not faults:
                boards.program(url, image, tmp_path)

        async with programmable([(NATIVE, boards)], tmp_path, upload), Headquarters(broker.url) as headquarters:
            async with running(gateway(broker, tmp_path, boards)):
                await headquarters.device_is("left", "ready")
                told = await ordered(headquarters, sine, flash_command(sine))
                assert (told.phase, told.reason) == ("failed", "the probe sees no chip (check the wires)")
                await headquarters.device_is("left", "ready")
                told = await ordered(headquarters, sine, flash_command(sine))
                assert told.phase == "failed"
                assert "the board does not answer after the upload" in (told.reason or "")
                await headquarters.device_is("left", "lost")
            monkeypatch.undo()
            async with running(gateway(broker, tmp_path, boards)):
                told = await ordered(headquarters, sine, flash_command(sine))
                assert told.phase == "done", told
            assert Journal(tmp_path / "flash-home-gw").records() == []

    with boards_with_digits(tmp_path) as boards:
        run(story(boards))


def test_g23_a_gateway_carries_out_what_the_coordinator_signed_and_nothing_twice(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger signs nothing, or with another key; a command that somebody kept comes after a restart."""
    secret, stranger = bytes(range(32)), bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    command = flash_command(b"image", "nobody")
    topic = build(TopicKind.COMMAND, "home", node="gw", verb="flash")
    kept = Signer(secret, 7).properties(topic, encode(command))

    async def story(boards: EmulatedFleet) -> None:
        where = settings(broker.url, tmp_path, "gw", kind="gateway", coordinator_key=public)
        ports = [PortSettings(boards.urls[0], "left")]
        async with Headquarters(broker.url) as headquarters:
            async with running(run_gateway(where, ports)):
                await order(headquarters, "gw", command)
                await until(lambda: "cmd/flash, signature: it is not signed" in caplog.text)
                forged = Signer(stranger, 9).properties(topic, encode(command))
                await order(headquarters, "gw", command, signed=forged)
                assert reports(headquarters, command) == []
                await order(headquarters, "gw", command, signed=kept)  # comes behind the forged one
                assert (await last_report(headquarters, command)).reason == "gateway gw has no board nobody"
                assert [one.phase for one in reports(headquarters, command)] == ["waiting", "refused"]
            count = len(reports(headquarters, command))
            async with running(run_gateway(where, ports)):
                await order(headquarters, "gw", command, signed=kept)
                await until(lambda: "cmd/flash, replay: it was signed as 7.1" in caplog.text)
                assert len(reports(headquarters, command)) == count

    with boards_with_digits(tmp_path) as boards:
        run(story(boards))


def test_m43_a_node_without_boards_refuses(broker: Broker, tmp_path: Path) -> None:
    """A Pi client; and a report topic that is none is counted."""

    async def story() -> None:
        node = Node(settings(broker.url, tmp_path, "gw", kind="pi", model="sine"))
        async with Headquarters(broker.url) as headquarters, running(node.run()):
            command = flash_command(b"image", "gw")
            await order(headquarters, "gw", command, topic="somewhere/else")
            await order(headquarters, "gw", command)
            told = await last_report(headquarters, command)
            assert told.reason == "gw has no boards that get images: it is no gateway"
            assert len(reports(headquarters, command)) == 1

    run(story())
