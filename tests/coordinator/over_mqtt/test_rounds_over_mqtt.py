"""Whole runs over a real broker with simulated nodes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from fleet_simulator import SimulatedNode, honest
from safetensors.numpy import load_file

import jaragua_models
from jaragua.config import RunConfig
from jaragua.coordinator import RunResult, run_coordinator
from jaragua.coordinator.events import RoundFinished, RunEvent, UpdateChecked, UpdateExcluded
from jaragua.errors import BrokerError, RunError
from jaragua.node.program import ended
from jaragua.store import open_run, read_run
from jaragua.strategies import TinyReptile
from jaragua.wire import messages
from jaragua_broker import Broker
from jaragua_compiler import exponents, plan
from jaragua_compiler.quantisation.blob import pack_integers, unpack_integers
from limits import GENEROUS_S

MakeConfig = Callable[..., RunConfig]
FOUR = ("board-1", "board-2", "board-3", "board-4")


@contextlib.asynccontextmanager
async def nodes_at_work(*nodes: SimulatedNode) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        for node in nodes:
            await asyncio.wait_for(node.ready.wait(), GENEROUS_S)
        yield
    finally:
        await ended(*tasks)
        # What a node failed with is not left to be logged when it is collected: formatting a traceback parses source
        # code, which CPython 3.11 cannot do while it converts another syntax tree.
        await asyncio.gather(*tasks, return_exceptions=True)


def two_nodes(config: RunConfig) -> tuple[SimulatedNode, SimulatedNode]:
    gateway = SimulatedNode(config.broker.url, config.run.fleet, "gateway-1", FOUR[:3])
    return gateway, SimulatedNode(config.broker.url, config.run.fleet, "pi-1", FOUR[3:])


def two_nodes_again(*before: SimulatedNode) -> tuple[SimulatedNode, ...]:
    """The same nodes on another event loop, with empty outboxes."""
    return tuple(
        SimulatedNode(one.url, one.fleet, one.node, one.devices, tamper=one.tamper, hold=one.hold) for one in before
    )


def run_to_end(
    config: RunConfig, nodes: tuple[SimulatedNode, ...], on_event: Callable[[RunEvent], None] = lambda event: None
) -> RunResult:
    async def everything() -> RunResult:
        with open_run(config.run.directory) as folder:
            async with nodes_at_work(*nodes), asyncio.timeout(240):
                return await run_coordinator(config, store=folder, on_event=on_event)

    return asyncio.run(everything())


def retained(config: RunConfig) -> dict[str, bytes]:
    """Everything the broker still has of the fleet."""

    async def collect() -> dict[str, bytes]:
        host, port = config.broker.url.removeprefix("mqtt://").split(":")
        found: dict[str, bytes] = {}
        async with aiomqtt.Client(host, int(port)) as client:
            await client.subscribe(f"jaragua/1/{config.run.fleet}/#")
            await client.subscribe("test/end")
            await client.publish("test/end", b"x")
            async for message in client.messages:
                if str(message.topic) == "test/end":
                    return found
                found[str(message.topic)] = bytes(message.payload)
        return found

    return asyncio.run(collect())


def test_a_run_ends_with_a_folder_that_tells_all(make_config: MakeConfig) -> None:
    config = make_config()
    result = run_to_end(config, two_nodes(config))

    folder = config.run.directory
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == [1, 2, 3]
    assert [line["alpha"] for line in lines] == pytest.approx([1.0, 2 / 3, 1 / 3])
    assert lines[-1]["model_hash"] == result.model_hash == hashlib.sha256(result.final_blob).hexdigest()
    initial, final = (load_file(folder / "weights" / f"{name}.safetensors") for name in ("initial", "final"))
    assert initial.keys() == final.keys()
    assert any((initial[name] != final[name]).any() for name in initial)
    summary = json.loads((folder / "run.json").read_text())
    assert (summary["status"], summary["rounds_done"], summary["seed"]) == ("finished", 3, 7)
    assert sum(one.updates for one in result.devices) == 9


def test_r11_bytes_up_and_down_are_the_payloads_that_crossed(make_config: MakeConfig) -> None:
    config = make_config(rounds=1, clients=4, quorum=4)
    seen: list[RunEvent] = []
    result = run_to_end(config, two_nodes(config), seen.append)
    assert result.bytes_up == sum(one.payload_bytes for one in seen if isinstance(one, UpdateChecked))
    assert result.bytes_down == 2 * len(result.final_blob)  # one for the gateway, one for the pi


def test_every_node_is_acknowledged_stored(make_config: MakeConfig) -> None:
    """M2."""
    config = make_config()
    nodes = two_nodes(config)

    async def everything() -> None:
        with open_run(config.run.directory) as folder:
            async with nodes_at_work(*nodes), asyncio.timeout(240):
                await run_coordinator(config, store=folder)
                while sum(len(node.acks) for node in nodes) < 9:
                    await asyncio.sleep(0.01)

    asyncio.run(everything())
    assert {ack.result for node in nodes for ack in node.acks} == {"stored"}


def test_two_runs_with_the_same_seed_end_with_the_same_model(make_config: MakeConfig, tmp_path: Path) -> None:
    """R1, R2, R5."""
    hashes = []
    for number in range(2):
        config = make_config(directory=tmp_path / f"run-{number}")
        hashes.append(run_to_end(config, two_nodes(config)).model_hash)
    assert hashes[0] == hashes[1]


def test_m3_devices_are_told_what_to_pass_over_and_how_much_to_hold(make_config: MakeConfig, tmp_path: Path) -> None:
    found = []
    for name, client in (
        ("plain", "passes = 3"),
        ("some", "passes = 3\nloss_threshold = 0.05\nreplay_buffer_size = 2"),
    ):
        config = make_config(client=client, directory=tmp_path / name)
        nodes = two_nodes(config)
        result = run_to_end(config, nodes)
        commands = [command for node in nodes for command in node.commands]
        found.append(
            ({(one.passes, one.loss_threshold, one.replay_buffer_size) for one in commands}, result.model_hash)
        )
    (plain, plain_hash), (some, some_hash) = found
    assert (plain, some) == ({(3, None, None)}, {(3, 0.05, 2)})
    assert plain_hash != some_hash


def test_only_the_final_blob_stays_on_the_broker(make_config: MakeConfig) -> None:
    config = make_config()
    result = run_to_end(config, two_nodes(config))
    left = retained(config)
    blobs = [topic.rpartition("/")[2] for topic in left if "/blob/" in topic]
    assert blobs == [result.model_hash]
    state = messages.decode(messages.RunState, left[f"jaragua/1/{config.run.fleet}/run"])
    assert (state.phase, state.hash.hex()) == ("finished", result.model_hash)
    host = messages.decode(messages.HostState, left[f"jaragua/1/{config.run.fleet}/host/$state"])
    assert not host.online


def test_the_next_run_clears_the_blob_of_the_one_before(make_config: MakeConfig, tmp_path: Path) -> None:
    for number in range(2):
        config = make_config(directory=tmp_path / f"run-{number}", rounds=1)
        run_to_end(config, two_nodes(config))
    assert len([topic for topic in retained(config) if "/blob/" in topic]) == 1


def test_an_update_with_broken_bytes_is_rejected_and_tried_again(make_config: MakeConfig) -> None:
    """R4, R8."""
    config = make_config(clients=4, quorum=4)
    gateway, client = two_nodes(config)

    def break_first_attempt(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
        if header.attempt > 1:
            return [messages.pack_update(header, blob)]
        return [messages.pack_update(header, blob[:-1] + bytes([blob[-1] ^ 1]))]

    gateway.tamper = break_first_attempt
    seen: list[RunEvent] = []
    result = run_to_end(config, (gateway, client), seen.append)
    rejected = [one for one in seen if isinstance(one, UpdateChecked) and one.result == "rejected"]
    assert len(rejected) == 9
    assert all("SHA-256" in one.reason for one in rejected)
    assert {one.device: one.updates for one in result.devices} == dict.fromkeys(FOUR, 3)


def spoiled(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
    """A well-formed blob with weights that nobody learned: board-1 lies, and is honest about its bytes."""
    if header.device != "board-1":
        return [messages.pack_update(header, blob)]
    layout = plan(jaragua_models.get("sine").network)
    lies = [(weights * 0 + 8_000, biases) for weights, biases in unpack_integers(layout, blob)]
    blob = pack_integers(layout, lies, exponents(layout, blob))
    return [messages.pack_update(replace(header, sha256=hashlib.sha256(blob).digest()), blob)]


@pytest.mark.parametrize(
    "robust",
    [
        "",
        "outlier_factor = 3.0",
        'outlier_factor = 0.0\ncombine = "median"',
        'outlier_factor = 0.0\ncombine = "trimmed-mean"\ntrim = 0.3',
    ],
)
def test_one_device_that_lies_does_not_spoil_the_fleet(make_config: MakeConfig, tmp_path: Path, robust: str) -> None:
    """R5: the model is as far from where it started as without the liar, not farther."""
    wanted = {"clients": 4, "quorum": 4, "rounds": 1}
    far, seen = {}, list[RunEvent]()
    for name, more, tamper in (
        ("honest", "", honest),
        ("lied to", "outlier_factor = 0.0", spoiled),
        ("robust", robust, spoiled),
    ):
        config = make_config(**wanted, directory=tmp_path / name, robust=more)
        nodes = two_nodes(config)
        nodes[0].tamper = tamper
        run_to_end(config, nodes, seen.append)
        first, last = (load_file(tmp_path / name / "weights" / f"{when}.safetensors") for when in ("initial", "final"))
        far[name] = max(float(abs(last[key] - first[key]).max()) for key in first)
    assert far["robust"] < 2 * far["honest"] < far["lied to"] / 2
    if "outlier_factor = 0.0" not in robust:
        excluded = [one for one in seen if isinstance(one, UpdateExcluded)]
        assert [(one.device, one.round_number) for one in excluded] == [("board-1", 1)]
        summary = read_run(tmp_path / "robust")
        assert summary["excluded"] == {"board-1": 1}
        assert f"{'3' if robust else '10'} times as far" in summary["last_round"]["excluded"]["board-1"]


def test_an_update_sent_twice_is_a_duplicate(make_config: MakeConfig) -> None:
    """R4, M2. R11: what came again has crossed the broker again, so it counts."""
    config = make_config(clients=4, quorum=4, rounds=1)
    gateway, client = two_nodes(config)
    gateway.tamper = lambda header, blob: 2 * [messages.pack_update(header, blob)]
    results: list[str] = []
    crossed: list[dict[str, int]] = []
    enough = asyncio.Event()

    def watch(event: RunEvent) -> None:
        if isinstance(event, UpdateChecked):
            results.append(event.result)
            crossed.append({"payload_bytes": event.payload_bytes})
            if results.count("duplicate") >= 2:
                enough.set()

    async def last_of_all(command: messages.TrainCommand) -> None:
        await enough.wait()

    client.hold = last_of_all
    result = run_to_end(config, (gateway, client), watch)
    assert results.count("stored") == 4
    assert results.count("duplicate") >= 2
    update_bytes = max(one["payload_bytes"] for one in crossed)
    assert update_bytes > len(result.final_blob)
    assert result.bytes_up == sum(one["payload_bytes"] for one in crossed)
    assert len(crossed) >= 6


def test_r20_2_an_update_of_a_round_closed_before_a_restart_is_a_duplicate(make_config: MakeConfig) -> None:
    """The machine does not know the round: the database does."""
    config = make_config(clients=4, quorum=4, rounds=3)
    gateway, client = two_nodes(config)
    first: dict[str, bytes] = {}
    answers: list[tuple[int, str]] = []
    enough = asyncio.Event()

    def again_in_the_last_round(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
        payload = messages.pack_update(header, blob)
        if header.round == 1:
            first[header.device] = payload
        return [first[header.device], payload] if header.round == 3 else [payload]

    def watch(event: RunEvent) -> None:
        if isinstance(event, RoundFinished) and event.round_number == 2:
            raise InterruptedError
        if isinstance(event, UpdateChecked):
            answers.append((event.round_number, event.result))
            if answers.count((1, "duplicate")) >= 3:
                enough.set()

    async def last_of_all(command: messages.TrainCommand) -> None:
        if command.round == 3:
            await enough.wait()

    gateway.tamper, client.hold = again_in_the_last_round, last_of_all
    with pytest.raises(InterruptedError):
        run_to_end(config, (gateway, client), watch)
    run_to_end(config, two_nodes_again(gateway, client), watch)
    assert {result for number, result in answers if number == 1} == {"stored", "duplicate"}
    assert [number for number, result in answers if result == "stored"] == [1] * 4 + [2] * 4 + [3] * 4


def test_messages_that_are_not_understood_change_nothing(make_config: MakeConfig) -> None:
    config = make_config()
    gateway, client = two_nodes(config)

    def noise(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
        other_run = messages.pack_update(replace(header, run="another-run"), blob)
        return [other_run, messages.pack_update(header, blob)]

    gateway.tamper = noise
    clean = run_to_end(config, (gateway, client))
    config = make_config(directory=config.run.directory.with_name("clean"))
    assert run_to_end(config, two_nodes(config)).model_hash == clean.model_hash


def test_an_excluded_device_never_trains(make_config: MakeConfig) -> None:
    config = make_config(exclude='["board-2"]', minimum=3)
    result = run_to_end(config, two_nodes(config))
    assert {one.device for one in result.devices} == set(FOUR) - {"board-2"}


def test_a_device_that_is_lost_and_comes_back_gets_another_attempt(make_config: MakeConfig) -> None:
    """R6, M7: its node is cut off in the middle of a round."""
    config = make_config(clients=4, quorum=4)
    gateway, client = two_nodes(config)
    cut: list[int] = []

    async def everything() -> RunResult:
        with open_run(config.run.directory) as folder:
            async with nodes_at_work(client):
                work = asyncio.create_task(gateway.run())

                def cut_once(header: messages.UpdateHeader, blob: bytes) -> list[bytes]:
                    if not cut:
                        cut.append(header.round)
                        work.cancel()
                    return [messages.pack_update(header, blob)]

                client.tamper = cut_once
                run = asyncio.create_task(run_coordinator(config, store=folder))
                await ended(work)
                again = SimulatedNode(gateway.url, gateway.fleet, gateway.node, gateway.devices, epoch=50)
                async with nodes_at_work(again), asyncio.timeout(240):
                    return await run

    result = asyncio.run(everything())
    assert cut
    config = make_config(directory=config.run.directory.with_name("undisturbed"), clients=4, quorum=4)
    assert run_to_end(config, two_nodes(config)).model_hash == result.model_hash


def test_too_few_devices_is_one_sentence(make_config: MakeConfig) -> None:
    """R3."""
    config = make_config(minimum=5, wait_s=0.3)
    with pytest.raises(
        RunError, match=r"4 of 5 devices were ready after 0\.3 s \(board-1, board-2, board-3, board-4\)"
    ):
        run_to_end(config, two_nodes(config))


def test_a_device_of_another_model_is_named_when_too_few_are_there(make_config: MakeConfig) -> None:
    """R3: it is started, so starting it is not what is to be done."""
    config = make_config(minimum=4, wait_s=0.3)
    gateway, _ = two_nodes(config)
    other = SimulatedNode(config.broker.url, config.run.fleet, "pi-1", FOUR[3:], model="digits")
    with pytest.raises(RunError, match="3 of 4 devices were ready") as caught:
        run_to_end(config, (gateway, other))
    assert f"there, but of another model: {FOUR[3]}; start clients and gateways with --model sine" in caught.value.hint


def test_the_round_that_a_strategy_fails_in_is_kept_for_when_it_is_mended(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(clients=4, quorum=4, rounds=3)
    with monkeypatch.context() as patch:
        patch.setattr(TinyReptile, "step_size", lambda self, number: 1 / (2 - number))
        with pytest.raises(RunError, match="the strategy TinyReptile failed in round 2: ZeroDivisionError"):
            run_to_end(config, two_nodes(config))
        patch.setattr(TinyReptile, "step_size", lambda self, number: 1.0)
        gone_on = run_to_end(config, two_nodes(config))
        config = make_config(directory=config.run.directory.with_name("undisturbed"), clients=4, quorum=4, rounds=3)
        assert run_to_end(config, two_nodes(config)).model_hash == gone_on.model_hash


def test_a_silent_device_costs_a_deadline_and_the_quorum_goes_on(make_config: MakeConfig) -> None:
    """R7."""
    config = make_config(clients=4, quorum=3, rounds=1, deadline_s=1.0)
    gateway, client = two_nodes(config)
    client.tamper = lambda header, blob: []
    seen: list[RunEvent] = []
    run_to_end(config, (gateway, client), seen.append)
    closed = next(one for one in seen if isinstance(one, RoundFinished))
    assert sorted(closed.metrics["devices"]) == list(FOUR[:3])


def test_no_quorum_after_four_deadlines_stops_the_run(make_config: MakeConfig) -> None:
    """R7; the run can be gone on with."""
    config = make_config(clients=4, quorum=4, rounds=1, deadline_s=0.4)
    gateway, client = two_nodes(config)
    client.tamper = lambda header, blob: []
    with pytest.raises(RunError, match="round 1 has 3 of the 4 updates it needs after 4 deadlines; missing: board-4"):
        run_to_end(config, (gateway, client))
    config = make_config(clients=4, quorum=4, rounds=1)
    assert run_to_end(config, two_nodes(config)).rounds == 1


def test_r7_a_run_that_stops_says_why_the_last_update_of_a_missing_device_was_rejected(make_config: MakeConfig) -> None:
    config = make_config(clients=4, quorum=4, rounds=1, deadline_s=0.4)
    gateway, client = two_nodes(config)
    client.tamper = lambda header, blob: [messages.pack_update(replace(header, loss=1e300), blob)]
    with pytest.raises(RunError, match=r"missing: board-4; of board-4: its loss is 1e\+300, outside 0 to 1e\+"):
        run_to_end(config, (gateway, client))


def test_r7_a_run_that_stops_says_what_a_missing_device_said_of_its_work(make_config: MakeConfig) -> None:
    config = make_config(clients=4, quorum=4, rounds=1, deadline_s=0.4)
    gateway, client = two_nodes(config)
    client.tamper = lambda header, blob: []
    client.reason = "the samples of this task\x1b are not there"
    with pytest.raises(RunError, match=r"of board-4: the samples of this task\\x1b are not there$"):
        run_to_end(config, (gateway, client))


def test_a_broker_that_is_not_there_is_one_sentence(make_config: MakeConfig) -> None:
    config = make_config(url="mqtt://127.0.0.1:1")
    with pytest.raises(BrokerError, match=r"no connection to the broker at mqtt://127\.0\.0\.1:1"):
        run_to_end(config, ())


def test_the_model_is_known_before_any_device_is_ready(make_config: MakeConfig) -> None:
    """A node that was given no model takes the run's."""
    config = make_config(wait_s=0.2)
    with pytest.raises(RunError, match="0 of 4 devices"):
        run_to_end(config, ())
    state = messages.decode(messages.RunState, retained(config)[f"jaragua/1/{config.run.fleet}/run"])
    assert (state.model, state.phase, state.round) == ("sine", "stopped", 1)


def test_a_broker_that_lost_everything_is_filled_again(make_config: MakeConfig, tmp_path: Path) -> None:
    """M6: the broker is disposable; the run goes on and ends with the same model."""
    undisturbed = make_config(rounds=6, directory=tmp_path / "undisturbed")
    wanted = run_to_end(undisturbed, two_nodes(undisturbed)).model_hash
    with Broker() as first:
        config = make_config(rounds=6, url=first.url)

        def wipe_in_the_middle(event: RunEvent) -> None:
            if isinstance(event, RoundFinished) and event.round_number == 3:
                first.stop()
                first.start()

        first._wanted_port = first.port
        result = run_to_end(config, two_nodes(config), wipe_in_the_middle)
    assert result.model_hash == wanted
