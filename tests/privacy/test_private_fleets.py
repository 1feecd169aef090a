"""Private updates of real clients over the real broker (docs/design/private-updates.md)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleet import Fleet, coordinate

from images import built_image
from jaragua.coordinator.events import RunEvent, UpdateChecked
from jaragua.emulate.fleet import EmulatedFleet
from jaragua.emulate.image import NATIVE
from jaragua.node.secure_answers import SecureAnswers
from jaragua.node.training import private
from jaragua.privacy.errors import SecureError
from jaragua.privacy.numbers import Summed
from jaragua.privacy.words import Integers
from jaragua.simulation import simulate
from jaragua.simulation.rounds.private_sums import PrivateSums
from jaragua.simulation.settings import simulation_of
from jaragua.store import read_run
from jaragua.wire.messages import SecureCommand, UpdateHeader

SECURE = "secure_aggregation = true"


def rounds_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("strategy", ["tinyreptile", "fedavg"])
def test_the_hash_with_secure_aggregation_is_that_without(
    fleet: Fleet, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """U1.4, U2.2, U4.3, G30: a run without [privacy], masked, and simulated; and nothing of an update in the folder."""
    fleet = replace(fleet, strategy=strategy)
    added: list[Integers] = []
    original = Summed.contribution

    def noted(self: Summed, moved: Integers, samples: int) -> Integers:
        added.append(original(self, moved, samples))
        return added[-1]

    async def everything() -> list[str]:
        hashes = []
        for name, privacy in (("plain", ""), ("masked", SECURE)):
            monkeypatch.setattr(private.Summed, "contribution", noted)
            async with fleet.clients():
                hashes.append((await coordinate(fleet.config(name, privacy))).model_hash)
        return hashes

    plain, masked = asyncio.run(everything())
    assert masked == plain
    monkeypatch.undo()
    wanted = simulation_of(fleet.config("simulated", SECURE))
    assert simulate(wanted, workers=1).final_hash == masked
    assert len(added) == fleet.count * fleet.rounds
    _require_hidden(fleet.folder / "masked", added)


def test_boards_behind_a_gateway_are_masked_and_the_hash_stays(fleet: Fleet) -> None:
    """U1.4, U2.1, U4.2: the gateway masks for each of its boards, the firmware as processes on pseudo terminals."""
    fleet = replace(fleet, count=3, quorum=3, rounds=2)

    async def masked(urls: list[str]) -> str:
        async with fleet.gateway(urls):
            return (await coordinate(fleet.config("masked", SECURE))).model_hash

    with EmulatedFleet(built_image(NATIVE, "sine"), fleet.count) as boards:
        found = asyncio.run(masked(boards.urls))
    assert simulate(simulation_of(fleet.config("simulated", SECURE)), workers=1).final_hash == found
    with sqlite3.connect(fleet.folder / "masked" / "run.sqlite") as database:
        rows = database.execute("SELECT DISTINCT device FROM sums WHERE stage = 'masked' AND device <> ''").fetchall()
    database.close()
    assert {row[0] for row in rows} == set(fleet.devices)


def _require_hidden(folder: Path, updates: list[Integers]) -> None:
    """No piece of an update as integers of any width, and what is kept of a device is uniform (χ² of bytes)."""
    content = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    for numbers in updates:
        start = int(np.argmax(np.abs(numbers) > 0))
        for kind in ("<i2", "<i4", "<i8"):
            piece = numbers[start : start + 8].astype(kind).tobytes()
            assert piece not in content
    with sqlite3.connect(folder / "run.sqlite") as database:
        rows = database.execute("SELECT content FROM sums WHERE stage = 'masked' AND device <> ''").fetchall()
    database.close()
    assert rows
    joined = np.frombuffer(b"".join(row[0] for row in rows), np.uint8)
    counts, expected = np.bincount(joined, minlength=256), len(joined) / 256
    assert abs(float(((counts - expected) ** 2 / expected).sum()) - 255) < 8 * 22.6


def test_a_run_completes_when_devices_drop_out(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """U5.1, U5.3, U7.1: of ten devices one never answers after its keys, another not after its shares."""
    fleet = replace(fleet, count=10, quorum=7, rounds=2, deadline_s=12.0)
    found = SecureAnswers._found

    async def dropping(self: SecureAnswers, command: SecureCommand) -> tuple[UpdateHeader, bytes]:
        if (command.round, command.device) == (1, "device-1") or (
            (command.round, command.device) == (2, "device-2") and command.stage != "sealed"
        ):
            raise SecureError("this device is gone")
        return await found(self, command)

    monkeypatch.setattr(SecureAnswers, "_found", dropping)

    async def everything() -> str:
        async with fleet.clients():
            return (await coordinate(fleet.config("dropping", SECURE))).model_hash

    found_hash = asyncio.run(everything())
    first, second = rounds_of(fleet.folder / "dropping")
    assert first["excluded"] == {"device-1": "it dropped out of the secure sum (U5.3)"}
    assert second["excluded"] == {"device-2": "it dropped out of the secure sum (U5.3)"}
    monkeypatch.undo()
    assert found_hash == _hash_of_the_survivors(fleet, monkeypatch)


def _hash_of_the_survivors(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a simulation in which the dropped devices are left out of the sums (U1.4, U5.3)."""
    gone = {1: 0, 2: 2}  # places in the order of names: device-1, device-10, device-2
    combined = PrivateSums.combined

    def without(self: PrivateSums, number: int, vector: Any, start: bytes, learned: Any, samples: Any) -> Any:
        kept = np.delete(np.arange(len(samples)), gone[number])
        return combined(self, number, vector, start, learned[kept], [samples[place] for place in kept])

    monkeypatch.setattr(PrivateSums, "combined", without)
    return simulate(simulation_of(fleet.config("simulated", SECURE)), workers=1).final_hash


def test_noise_of_devices_and_of_the_coordinator_is_reported(fleet: Fleet) -> None:
    """U9.4, U10.2, U10.3, U11.3, U11.4, G31: ε in every line and in the summary; the key goes with the last round."""
    noisy = f"{SECURE}\nclip = 0.5\nnoise_multiplier = 2.0\n"
    fleet = replace(fleet, rounds=2)

    async def everything() -> None:
        for name, where in (("of-devices", "devices"), ("of-coordinator", "coordinator")):
            async with fleet.clients():
                await coordinate(fleet.config(name, f'{noisy}noise_on = "{where}"'))

    asyncio.run(everything())
    for name in ("of-devices", "of-coordinator"):
        lines = rounds_of(fleet.folder / name)
        spent = [one["privacy"] for one in lines]
        assert [one["rounds"] for one in spent] == [1, 2]
        assert 0 < spent[0]["epsilon"] < spent[1]["epsilon"] < 10
        assert read_run(fleet.folder / name)["privacy"] == spent[1]
        with sqlite3.connect(fleet.folder / name / "run.sqlite") as database:
            assert database.execute("SELECT count(*) FROM sums WHERE round = 0").fetchone() == (0,)
        database.close()


def test_u9_4_clipping_by_nodes_and_by_the_coordinator_is_the_same(fleet: Fleet) -> None:
    """U9.3: and the simulation's."""
    fleet = replace(fleet, rounds=2)

    async def everything() -> set[str]:
        hashes = set()
        for name, privacy in (("nodes", f"{SECURE}\nclip = 0.3"), ("coordinator", "clip = 0.3")):
            async with fleet.clients():
                hashes.add((await coordinate(fleet.config(name, privacy))).model_hash)
        return hashes

    hashes = asyncio.run(everything())
    hashes.add(simulate(simulation_of(fleet.config("simulated", "clip = 0.3")), workers=1).final_hash)
    assert len(hashes) == 1
    unclipped = simulate(simulation_of(fleet.config("unclipped", "")), workers=1).final_hash
    assert unclipped not in hashes


def test_u7_2_a_stopped_coordinator_and_a_restarted_client_change_nothing(fleet: Fleet) -> None:
    """Stopped when the last keys of a round are in; a client is restarted before the run goes on."""
    fleet = replace(fleet, rounds=3)
    config = fleet.config("stopped", SECURE)

    async def stopped() -> None:
        """Until the sum of round 2 has begun."""
        work = asyncio.create_task(coordinate(config, on_event))

        def cancel() -> None:
            work.cancel()

        stop.append(cancel)
        with pytest.raises(asyncio.CancelledError):
            await work

    stop: list[Any] = []
    seen: list[str] = []

    def on_event(event: RunEvent) -> None:
        if isinstance(event, UpdateChecked) and event.round_number == 2:
            seen.append(event.device)
            if len(seen) == fleet.count:
                stop[0]()

    async def everything() -> str:
        async with fleet.clients() as running:
            await stopped()
            running["device-3"].cancel()
            await asyncio.wait([running["device-3"]])
            again = asyncio.create_task(fleet.client("device-3"))
            try:
                return (await coordinate(config)).model_hash
            finally:
                again.cancel()
                await asyncio.wait([again])

    found = asyncio.run(everything())
    assert len(seen) == fleet.count
    assert found == simulate(simulation_of(fleet.config("simulated", SECURE)), workers=1).final_hash
