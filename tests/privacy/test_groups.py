"""A round that is several secure sums (docs/design/private-updates.md, U12)."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, replace

import numpy as np
import pytest
from fleet import Fleet, coordinate
from sums import DEADLINE_MS, Sum, key_of

from jaragua.privacy.errors import SecureError
from jaragua.privacy.exchange import Kept
from jaragua.privacy.groups import GroupedExchange, groups_of
from jaragua.privacy.lists import LEAST_DEVICES, Roster
from jaragua.privacy.participant import Stage


@dataclass
class GroupedSum(Sum):
    """The same devices in groups."""

    group: int = 6

    @property
    def rosters(self) -> list[Roster]:
        keys = {one: self.roster.keys(one) for one in self.roster.devices}
        return [Roster({one: keys[one] for one in group}) for group in groups_of(self.roster.devices, self.group)]

    def exchange(self, kept: tuple[Kept, ...] | list[Kept] = ()) -> GroupedExchange:  # type: ignore[override]
        return GroupedExchange(key_of(""), self.rosters, self.layout, DEADLINE_MS, kept)


def test_u12_1_groups_are_as_few_as_hold_the_devices_and_hardly_differ() -> None:
    for count in range(3, 200):
        devices = [f"d{number:03}" for number in range(count)]
        assert groups_of(devices, 0) == [tuple(devices)]
        for most in (6, 7, 50):
            found = groups_of(devices, most)
            sizes = [len(one) for one in found]
            assert [device for one in found for device in one] == devices
            assert len(sizes) == -(-count // most)
            assert max(sizes) <= most
            assert max(sizes) - min(sizes) <= 1
            assert min(sizes) >= LEAST_DEVICES


@pytest.mark.parametrize("count", [5, 13, 20])
def test_u12_2_the_sum_of_all_groups_is_that_of_all_devices(generator: np.random.Generator, count: int) -> None:
    """A device answers a list of its group alone."""
    world = GroupedSum(count, generator)
    found = world.play(world.exchange())
    assert found is not None
    assert np.array_equal(found.total, world.total(world.roster.devices))
    assert found.survivors == world.roster.devices
    groups = groups_of(world.roster.devices, 6)
    for group in groups:
        for device in group:
            sealed = next(one.content for one in world.kept if (one.stage, one.device) == (Stage.SHARES, device))
            assert len(sealed) % max(1, len(group) - 1) == 0
    ends = [one for one in world.kept if one.device.startswith("/") or not one.device]
    assert len(ends) == 2 * len(groups)


@pytest.mark.parametrize("count", [5, 13])
def test_u12_2_the_sum_is_told_once(generator: np.random.Generator, count: int) -> None:
    """An answer that comes again, in the batch of the last one, completes nothing."""
    world = GroupedSum(count, generator)
    exchange = world.exchange()
    assert world.play(exchange) is not None
    for one in world.kept:
        if one.stage == Stage.OPENED and not one.device.startswith("/"):
            assert exchange.answer(one.device, one.stage, one.content, 0) == []
    assert exchange.tick(10**9) == []


def test_u12_2_devices_that_drop_out_are_not_in_the_sum(generator: np.random.Generator) -> None:
    """One of each group, at another stage each."""
    gone = {"d000": Stage.SHARES, "d007": Stage.MASKED, "d013": Stage.OPENED}
    world = GroupedSum(20, generator, lost=lambda device, stage: stage == gone.get(device))
    found = world.play(world.exchange())
    assert found is not None
    assert set(world.roster.devices) - set(found.survivors) == {"d000", "d007"}
    assert np.array_equal(found.total, world.total(found.survivors))


def test_u12_3_a_group_with_too_few_answers_is_excluded(generator: np.random.Generator) -> None:
    """The first of four groups of five; its devices count as dropped, also after a restart."""
    first = {f"d{number:03}" for number in range(5)}
    world = GroupedSum(20, generator, lost=lambda device, stage: device in first and stage is Stage.MASKED)
    found = world.play(world.exchange())
    assert found is not None
    assert set(found.survivors) == set(world.roster.devices) - first
    assert np.array_equal(found.total, world.total(found.survivors))
    again = replace(world, kept=[]).play(world.exchange(world.kept))
    assert again is not None
    assert again.survivors == found.survivors
    exchange = world.exchange(world.kept)
    assert exchange.connected("d000") == exchange.answer("d000", Stage.MASKED, b"", 0) == []


def test_u12_3_with_too_few_devices_in_other_groups_the_run_stops(generator: np.random.Generator) -> None:
    lost = {f"d{number:03}" for number in range(10)}
    world = GroupedSum(20, generator, lost=lambda device, stage: device in lost)
    with pytest.raises(SecureError, match="has 0 of the 4 answers"):
        world.play(world.exchange())


@pytest.mark.parametrize("count", [4, 13])
def test_u7_2_groups_that_are_killed_anywhere_end_with_the_same_sum(generator: np.random.Generator, count: int) -> None:
    world = GroupedSum(count, generator)
    whole = world.play(world.exchange())
    assert whole is not None
    kept = list(world.kept)
    for stop in range(1, len(kept) + 1):
        world.kept = []
        assert world.play(world.exchange(), stop) is None
        again = world.play(world.exchange(world.kept))
        assert again is not None
        assert np.array_equal(again.total, whole.total)
        assert again.survivors == whole.survivors


def test_u6_5_who_is_in_no_group_is_refused(generator: np.random.Generator) -> None:
    exchange = GroupedSum(13, generator).exchange()
    exchange.start(0)
    with pytest.raises(SecureError, match="nobody asked stranger"):
        exchange.answer("stranger", Stage.SHARES, b"", 0)
    assert exchange.connected("stranger") == []


def test_u12_a_run_in_groups_has_the_hash_of_one_without(fleet: Fleet) -> None:
    """U1.4; and every device is sealed in a group of its own."""
    fleet = replace(fleet, count=13, quorum=10, rounds=2)

    async def everything() -> list[str]:
        hashes = []
        for name, privacy in (("plain", ""), ("grouped", "secure_aggregation = true\ngroup = 6")):
            async with fleet.clients():
                hashes.append((await coordinate(fleet.config(name, privacy))).model_hash)
        return hashes

    plain, grouped = asyncio.run(everything())
    assert grouped == plain
    with sqlite3.connect(fleet.folder / "grouped" / "run.sqlite") as database:
        rows = database.execute(
            "SELECT device, content FROM sums WHERE stage = 'sealed' AND device LIKE '/%'"
        ).fetchall()
    database.close()
    groups = {device: content.decode().split(",") for device, content in rows}
    assert sorted(map(len, groups.values())) == [4, 4, 5]
    assert sorted(device for one in groups.values() for device in one) == sorted(fleet.devices)
