"""The gateway's side of boards: one at a time per board, boards in parallel, faults mended, stale boards left out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_board import FakeBoard, FakePorts
from fleet_bench import Headquarters, adapt_command, beside, digits_blob, run, running, settings, train_command, until

from jaragua.errors import PortError, UsageError
from jaragua.gateway.gateway import port_settings, run_gateway
from jaragua.gateway.port import PortSettings, device_id_of, device_id_of_port
from jaragua.node.node import NodeSettings
from jaragua.serial.failures import BoardRestarted, BoardSilent, version_error
from jaragua.serial.transport import PortNameError
from jaragua.wire.definitions import JobKind
from jaragua.wire.link.link import SessionEnded
from jaragua.wire.messages import JobState, Telemetry, decode
from jaragua.wire.topics import TopicKind, check_id
from jaragua_broker import Broker

BLOB = digits_blob()
UID_A, UID_B = bytes.fromhex("a1b2c3d4e5f60718"), bytes.fromhex("0011223344556677")
ONE, TWO = "gw-a1b2c3d4", "gw-00112233"


def gateway(url: str, folder: Path, **changes: Any) -> NodeSettings:
    return settings(url, folder, "gw", kind="gateway", **changes)


def two_boards() -> FakePorts:
    return FakePorts({"/dev/a": FakeBoard(UID_A), "/dev/b": FakeBoard(UID_B)})


def work(where: NodeSettings, ports: FakePorts) -> Any:
    return run_gateway(where, [PortSettings(url) for url in ports.boards], ports.open)


@asynccontextmanager
async def two_ready(broker: Broker, folder: Path) -> AsyncIterator[tuple[Headquarters, FakePorts]]:
    """A gateway with two boards that are ready, and the blob on its broker."""
    ports = two_boards()
    async with beside(broker.url, work(gateway(broker.url, folder), ports)) as headquarters:
        await headquarters.device_is(ONE, "ready")
        await headquarters.device_is(TWO, "ready")
        await headquarters.publish_blob(BLOB)
        yield headquarters, ports


def test_m1_every_board_is_a_device_named_after_its_unique_id(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with Headquarters(broker.url) as headquarters:
            async with running(work(gateway(broker.url, tmp_path), two_boards())):
                for name in (ONE, TWO):
                    state = await headquarters.device_is(name, "ready")
                    assert (state.kind, state.model) == ("board", "digits")
                assert (await headquarters.node_is("gw", "ready")).kind == "gateway"
            for name in (ONE, TWO):
                await headquarters.device_is(name, "disconnected")
            await headquarters.node_is("gw", "disconnected")

    run(story())


def test_l4_1_description_comes_from_the_identity(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with Headquarters(broker.url) as headquarters:
            async with running(work(gateway(broker.url, tmp_path), two_boards())):
                await until(lambda: headquarters.of(TopicKind.DEVICE_DESCRIPTION)[1:])
            things = {
                seen.topic.device: json.loads(seen.payload) for seen in headquarters.of(TopicKind.DEVICE_DESCRIPTION)
            }
            assert things[ONE]["jrg:uid"] == UID_A.hex()
            assert things[ONE]["jrg:usedRamBytes"] == 262144
            assert things[ONE]["id"] != things[TWO]["id"]

    run(story())


def test_two_boards_train_and_a_staged_blob_is_not_sent_again(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, ports):
            for number in (1, 2):
                for name in (ONE, TWO):
                    await headquarters.command("gw", "train", train_command(BLOB, name, number, passes=3))
            await until(lambda: len({(h.device, h.round) for h, _ in headquarters.updates()}) == 4)
            for board in ports.boards.values():
                assert board.uploads == 1
                assert [(kind, count) for _, kind, count in board.jobs] == [(JobKind.TRAIN, 36)] * 2
            header = headquarters.updates()[0][0]
            assert (header.samples, header.instructions) == (36, 9000)

    run(story())


def test_m4_board_is_evaluated_before_and_after(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, ports):
            result = await headquarters.ask("gw", adapt_command(BLOB, ONE, passes=8))
            assert result.ok
            assert result.after > result.before + 0.2
            jobs = [(kind, count) for _, kind, count in ports.boards["/dev/a"].jobs]
            assert jobs == [(JobKind.EVALUATE, 30), (JobKind.TRAIN, 120), (JobKind.INFER, 30)]

    run(story())


def test_a11_8_a_board_is_given_the_loss_threshold_in_the_unit_of_its_losses(broker: Broker, tmp_path: Path) -> None:
    """Nats in the command, 2^-11 nats in the board's job; the next job that has none is given 0."""

    def updates(headquarters: Headquarters) -> dict[int, bytes]:
        return {header.round: update for header, update in headquarters.updates()}

    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, ports):
            for number, loss_threshold in enumerate((1.5, None, 0.0001), start=1):
                command = train_command(
                    BLOB, ONE, number, passes=2, replay_buffer_size=3, loss_threshold=loss_threshold
                )
                await headquarters.command("gw", "train", command)
                await until(lambda number=number: number in updates(headquarters))  # type: ignore[misc]
            assert (await headquarters.ask("gw", adapt_command(BLOB, ONE, loss_threshold=2.0))).ok
            assert ports.boards["/dev/a"].loss_thresholds == [3072, 0, 1, 4096]
            some, every, almost_every = (updates(headquarters)[number] for number in (1, 2, 3))
            assert some != every == almost_every

    run(story())


@pytest.mark.parametrize(
    "fault",
    [BoardRestarted("the board was restarted"), BoardSilent("the board is silent"), PortError("the port went away")],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("requests_before", [0, 1, 2])
def test_work_is_begun_again_after_a_fault(
    broker: Broker, tmp_path: Path, fault: Exception, requests_before: int
) -> None:
    """L4.3, L4.5: wherever the board is lost within an evaluation, the figures are those of an undisturbed one."""

    class FaultLater(FakeBoard):
        requests = 0

        def _meet_fault(self) -> None:
            type(self).requests += 1
            if type(self).requests == requests_before + 1:
                self.faults.append(fault)
            super()._meet_fault()

    async def story() -> None:
        calm, disturbed = FakePorts({"/dev/a": FakeBoard(UID_A)}), FakePorts({"/dev/a": FaultLater(UID_A)})
        answers = []
        for folder, ports in (("calm", calm), ("disturbed", disturbed)):
            async with (
                Headquarters(broker.url) as headquarters,
                running(work(gateway(broker.url, tmp_path / folder), ports)),
            ):
                await headquarters.device_is(ONE, "ready")
                await headquarters.publish_blob(BLOB)
                answers.append(await headquarters.ask("gw", adapt_command(BLOB, ONE)))
        assert answers[0] == answers[1]
        assert answers[0].ok

    run(story())


def test_unplugged_board_is_lost_and_comes_back(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, ports):
            ports.plugged.discard("/dev/a")
            ports.boards["/dev/a"].faults.append(PortError("the port went away"))
            await headquarters.command("gw", "train", train_command(BLOB, ONE))
            await headquarters.device_is(ONE, "lost")
            await headquarters.command("gw", "train", train_command(BLOB, TWO))
            assert (await headquarters.update_number(1))[0].device == TWO  # the other board goes on
            ports.plugged.add("/dev/a")
            await until(lambda: headquarters.updates()[-1][0].device == ONE)

    run(story())


def test_idle_board_that_restarts_is_lost_and_ready_again(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, ports):
            ports.boards["/dev/a"].answers.clear()
            ports.boards["/dev/a"].on_event(SessionEnded(1))
            await headquarters.device_is(ONE, "lost")
            ports.boards["/dev/a"].answers.set()
            await headquarters.device_is(ONE, "ready")

    run(story())


def test_a_board_whose_image_has_no_sums_says_what_it_needs(broker: Broker, tmp_path: Path) -> None:
    """A11.1: it is asked for steps of five samples."""

    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, _):
            await headquarters.command("gw", "train", train_command(BLOB, ONE, batch=5))
            await until(lambda: "JARAGUA_ACCUMULATE=1" in (headquarters.device_states(ONE)[-1].reason or ""))
            await headquarters.command("gw", "train", train_command(BLOB, ONE, number=2))
            assert (await headquarters.update_number(1))[0].round == 2

    run(story())


def test_a_board_whose_image_has_no_room_for_prototypes_says_what_it_needs(broker: Broker, tmp_path: Path) -> None:
    """L4.13, M18: its own labels decide, which go up to 9 here."""

    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, _):
            await headquarters.command("gw", "train", train_command(BLOB, ONE, temperature=0.05))
            await until(lambda: "room for the prototypes of 0" in (headquarters.device_states(ONE)[-1].reason or ""))
            assert "JARAGUA_PROTOTYPES=" in (headquarters.device_states(ONE)[-1].reason or "")
            await headquarters.command("gw", "train", train_command(BLOB, ONE, number=2))
            assert (await headquarters.update_number(1))[0].round == 2

    run(story())


def test_m18_2_a_board_without_gradients_of_prototypes_says_what_it_needs(broker: Broker, tmp_path: Path) -> None:
    boards = {
        f"/dev/{name}": FakeBoard(uid, prototypes=12, gradients=False) for name, uid in (("a", UID_A), ("b", UID_B))
    }

    async def story() -> None:
        async with beside(broker.url, work(gateway(broker.url, tmp_path), FakePorts(boards))) as headquarters:
            await headquarters.device_is(ONE, "ready")
            await headquarters.publish_blob(BLOB)
            wanted = train_command(BLOB, ONE, temperature=0.05, enrolled_shots=1, episode_queries=1)
            await headquarters.command("gw", "train", wanted)
            await until(lambda: "no gradients of prototypes" in (headquarters.device_states(ONE)[-1].reason or ""))
            assert "without JARAGUA_ACCUMULATE" in (headquarters.device_states(ONE)[-1].reason or "")

    run(story())


def test_a_board_that_restarts_between_enrolment_and_training_begins_again(broker: Broker, tmp_path: Path) -> None:
    """M18: a restart forgets the classes with the weights; the update is that of a board that did not restart."""
    boards = {f"/dev/{name}": FakeBoard(uid, prototypes=12) for name, uid in (("a", UID_A), ("b", UID_B))}
    ports = FakePorts(boards)
    enrol, train = JobKind.ENROL, JobKind.TRAIN

    async def story() -> None:
        async with beside(broker.url, work(gateway(broker.url, tmp_path), ports)) as headquarters:
            await headquarters.device_is(ONE, "ready")
            await headquarters.publish_blob(BLOB)
            wanted = train_command(BLOB, ONE, temperature=0.05, enrolled_shots=1, passes=2)
            await headquarters.command("gw", "train", wanted)
            undisturbed = await headquarters.update_number(1)
            board = ports.boards["/dev/a"]
            assert [(kind, count) for _, kind, count in board.jobs] == [(enrol, 3), (train, 9)] * 2
            board.jobs.clear()
            board.fail_after(1, BoardRestarted("/dev/a: it was restarted"))
            await headquarters.command("gw", "train", replace(wanted, attempt=1))
            # An update that nobody acknowledges comes again: the second attempt's is the one to look at.
            second = await until(lambda: next((one for one in headquarters.updates() if one[0].attempt == 1), None))
            assert second[1] == undisturbed[1] != BLOB
            assert [kind for _, kind, _ in board.jobs] == [enrol, enrol, train, enrol, train]

    run(story())


def test_m18_2_a_board_that_restarts_within_an_episode_begins_again(broker: Broker, tmp_path: Path) -> None:
    """Three jobs an episode; the restart forgets classes and gradients, so all episodes are done again."""
    boards = {f"/dev/{name}": FakeBoard(uid, prototypes=12) for name, uid in (("a", UID_A), ("b", UID_B))}
    ports = FakePorts(boards)
    episode = [(JobKind.ENROL, 3), (JobKind.TRAIN, 3), (JobKind.TRAIN_ENROLLED, 3)]

    async def story() -> None:
        async with beside(broker.url, work(gateway(broker.url, tmp_path), ports)) as headquarters:
            await headquarters.device_is(ONE, "ready")
            await headquarters.publish_blob(BLOB)
            wanted = train_command(BLOB, ONE, temperature=0.05, enrolled_shots=1, episode_queries=1, passes=1)
            await headquarters.command("gw", "train", wanted)
            undisturbed = await headquarters.update_number(1)
            board = ports.boards["/dev/a"]
            assert [(kind, count) for _, kind, count in board.jobs] == episode * 2
            board.jobs.clear()
            board.fail_after(2, BoardRestarted("/dev/a: it was restarted"))
            await headquarters.command("gw", "train", replace(wanted, attempt=1))
            second = await until(lambda: next((one for one in headquarters.updates() if one[0].attempt == 1), None))
            assert second[1] == undisturbed[1] != BLOB
            assert [kind for _, kind, _ in board.jobs][-6:] == [kind for kind, _ in episode] * 2

    run(story())


def test_board_of_another_architecture_is_stale_until_the_run_fits(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        ports = FakePorts({"/dev/a": FakeBoard(UID_A), "/dev/b": FakeBoard(UID_B, "sine")})
        async with beside(broker.url, work(gateway(broker.url, tmp_path), ports)) as headquarters:
            await headquarters.device_is(TWO, "ready")  # nobody has said yet what the run computes
            await headquarters.publish_run("digits")
            stale = await headquarters.device_is(TWO, "stale")
            assert "update it: jaragua flash --port " in (stale.reason or "")
            assert (stale.reason or "").endswith(" --model digits")
            answer = await headquarters.ask("gw", adapt_command(BLOB, TWO))
            assert not answer.ok
            await headquarters.publish_run("sine")
            await headquarters.device_is(TWO, "ready")
            await headquarters.device_is(ONE, "stale")

    run(story())


def test_r14_boards_of_both_formats_train_behind_one_gateway(broker: Broker, tmp_path: Path) -> None:
    small = digits_blob(name="digits@w8")

    async def story() -> None:
        ports = FakePorts({"/dev/a": FakeBoard(UID_A), "/dev/b": FakeBoard(UID_B, "digits@w8")})
        async with beside(broker.url, work(gateway(broker.url, tmp_path), ports)) as headquarters:
            await headquarters.publish_run("digits")
            for name, blob in ((ONE, BLOB), (TWO, small)):
                await headquarters.device_is(name, "ready")
                await headquarters.publish_blob(blob)
                await headquarters.command("gw", "train", train_command(blob, name))

            def sizes() -> dict[str, int]:
                """One that nobody acknowledges comes again."""
                return {header.device: len(weights) for header, weights in headquarters.updates()}

            await until(lambda: len(sizes()) == 2)
        assert sizes() == {ONE: len(BLOB), TWO: len(small)}
        assert len(small) < len(BLOB)

    run(story())


def test_l2_4_board_of_another_protocol_is_stale_and_let_be(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        ports = two_boards()
        ports.refusals["/dev/a"] = version_error("/dev/a", "the board speaks protocol 2.0, this host 1.0")
        async with beside(broker.url, work(gateway(broker.url, tmp_path), ports)) as headquarters:
            stale = await headquarters.device_is("gw-dev-a", "stale")
            assert "protocol 2.0" in (stale.reason or "")
            assert "jaragua flash --port /dev/a" in (stale.reason or "")
            await headquarters.device_is(TWO, "ready")
            assert ports.opened.count("/dev/a") == 1
        assert len([record for record in caplog.records if "protocol 2.0" in record.getMessage()]) == 1

    run(story())


def test_a_required_port_that_does_not_exist_ends_the_gateway_at_the_start(broker: Broker, tmp_path: Path) -> None:
    ports = two_boards()
    ports.plugged.discard("/dev/b")
    required = port_settings(list(ports.boards), [], required=True)
    with pytest.raises(PortError, match="/dev/b"):
        run(run_gateway(gateway(broker.url, tmp_path), required, ports.open))


def test_a_port_that_does_not_exist_is_said_once_and_tried_until_it_is_there(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        ports = two_boards()
        ports.plugged.discard("/dev/b")
        async with beside(broker.url, work(gateway(broker.url, tmp_path), ports)) as headquarters:
            await headquarters.device_is(ONE, "ready")
            await until(lambda: ports.opened.count("/dev/b") >= 3)
            assert caplog.text.count("there is no port /dev/b") == 1
            ports.plugged.add("/dev/b")
            await headquarters.device_is(TWO, "ready")

    run(story())


@pytest.mark.parametrize("url", ["foo://bar", "socket://nowhere", "socket://host:port", "", "unix://", "/dev/\0"])
def test_what_can_never_be_a_port_is_told_at_the_start(url: str) -> None:
    with pytest.raises(PortNameError) as caught:
        port_settings(["/dev/a", url], [])
    assert caught.value.exit_code == 4
    assert caught.value.hint


def test_two_boards_of_one_name_are_told_apart_or_said(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        ports = FakePorts({"/dev/a": FakeBoard(UID_A), "/dev/b": FakeBoard(UID_A)})
        async with running(work(gateway(broker.url, tmp_path / "1"), ports)):
            await until(lambda: "both go by the name" in caplog.text)
        named = port_settings(["/dev/a", "/dev/b"], ["left", "right"])
        async with (
            Headquarters(broker.url) as headquarters,
            running(run_gateway(gateway(broker.url, tmp_path / "2"), named, ports.open)),
        ):
            await headquarters.device_is("left", "ready")
            await headquarters.device_is("right", "ready")

    run(story())


def test_gateway_trains_on_without_the_broker(tmp_path: Path) -> None:
    async def story() -> None:
        gate = asyncio.Event()

        class Slow(FakeBoard):
            async def read_update(self, state: JobState) -> bytes:
                await gate.wait()
                return await super().read_update(state)

        ports = FakePorts({"/dev/a": Slow(UID_A)})
        with Broker() as first:
            gateway_task = asyncio.create_task(work(gateway(first.url, tmp_path), ports))
            async with Headquarters(first.url) as headquarters:
                await headquarters.device_is(ONE, "ready")
                await headquarters.publish_blob(BLOB)
                await headquarters.command("gw", "train", train_command(BLOB, ONE))
                await until(lambda: ports.boards["/dev/a"].jobs)
        gate.set()
        with Broker(port=first.port) as second:
            async with Headquarters(second.url) as headquarters:
                assert (await headquarters.update_number(1))[0].device == ONE
                await headquarters.device_is(ONE, "ready")
            gateway_task.cancel()
            await asyncio.wait([gateway_task])

    run(story())


def test_telemetry_has_progress_and_health(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with two_ready(broker, tmp_path) as (headquarters, ports):
            ports.boards["/dev/a"].on_event(await ports.boards["/dev/a"].health())
            seen = await until(lambda: headquarters.of(TopicKind.TELEMETRY))
            health = decode(Telemetry, seen[0].payload).health
            assert health is not None
            assert health["uptime_ms"] == 10
            assert "id" not in health

    run(story())


@pytest.mark.parametrize(
    ("urls", "names"),
    [
        (["/dev/a", "/dev/a"], []),
        (["/dev/a", "/dev/b"], ["x"]),
        (["/dev/a", "/dev/b"], ["x", "x"]),
        (["/dev/a"], ["No Name"]),
    ],
)
def test_ports_and_names_that_do_not_fit_are_refused(urls: list[str], names: list[str]) -> None:
    with pytest.raises(UsageError):
        port_settings(urls, names)


@pytest.mark.parametrize("node", ["g", "a" * 32])
def test_names_made_from_boards_and_ports_are_ids(node: str) -> None:
    check_id(device_id_of(node, UID_A))
    for url in ("/dev/ttyACM0", "socket://127.0.0.1:4001", "/dev/serial/by-id/usb-Arduino_Nano_33_BLE_0123-if00"):
        check_id(device_id_of_port(node, url))
