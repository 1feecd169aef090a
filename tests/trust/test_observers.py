"""G22 on real mosquitto: an observer reads what is shown of a fleet, and writes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiomqtt
import pytest

from jaragua.cli.main import run
from jaragua.directory.service import Directory
from jaragua.errors import UsageError
from jaragua.node.connection.tls import context_of
from jaragua.node.connection.url import BrokerUrl
from jaragua.observe.observer import Observer
from jaragua.semantics.graph.facts import device_records
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.things.affordances import Address, readable, record
from jaragua.semantics.things.device_facts import typed_facts
from jaragua.semantics.things.thing_description import Thing, as_json, thing_description
from jaragua.trust.access_list import access_list, guest_identity
from jaragua.trust.authority import AuthorityFolder, now_utc
from jaragua.wire.messages import DeviceState, NodeState, encode
from jaragua.wire.topics import ACCESS, CHECK_FILTER, Party, TopicKind, build, pattern
from jaragua_broker import Broker
from jaragua_broker.audit import AccessRules
from trust.fleet_authority import FLEET, Log, address, make_authority, secured_broker, until

NAME: Final = "viewer"
IDENTITY: Final = guest_identity(NAME, "observer")
ASKER: Final = "a"
PARTS: Final = {
    "node": "pi-1",
    "device": "pi-1",
    "run": "r",
    "round": 1,
    "verb": "train",
    "asker": ASKER,
    "since": "1",
    "call": "c1",
    "name": "memory",
    "sha256": "ab" * 32,
}
READ: Final = [kind for kind in TopicKind if Party.OBSERVER in ACCESS[kind].readers]
UNREAD: Final = [kind for kind in TopicKind if Party.OBSERVER not in ACCESS[kind].readers]


@dataclass
class Fleet:
    authority: AuthorityFolder
    broker: Broker
    log: Log

    def address(self, name: str) -> BrokerUrl:
        return address(self.authority, name, self.broker.url)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("observed")
    authority = make_authority(folder / "trust", "pi-1")
    authority.issue(NAME, (), now_utc(), guest="observer")
    authority.issue(ASKER, (), now_utc(), guest="asker")
    with secured_broker(authority, folder / "data") as broker:
        yield Fleet(authority, broker, Log(folder / "data" / "mosquitto.log"))


def client_of(url: BrokerUrl) -> aiomqtt.Client:
    version = aiomqtt.ProtocolVersion.V5
    return aiomqtt.Client(url.host, url.port, protocol=version, tls_context=context_of(url), timeout=10)


def topic_of(kind: TopicKind, **changes: str) -> str:
    template = kind.value
    return build(kind, FLEET, **{name: one for name, one in (PARTS | changes).items() if f"{{{name}}}" in template})


def test_g22_the_list_lets_an_observer_write_nothing() -> None:
    text = access_list(FLEET, {NAME: "observer"})
    block = text.partition(f"user {IDENTITY}\n")[2]
    assert block.splitlines() == [f"topic read {pattern(kind, FLEET)}" for kind in READ]
    assert all(Party.OBSERVER not in access.writers for access in ACCESS.values())
    rules = AccessRules(text)
    assert rules.may_read(IDENTITY, pattern(TopicKind.DEVICE_STATE, FLEET))
    assert not rules.may_read(IDENTITY, pattern(TopicKind.COMMAND, FLEET))
    assert not rules.may_read(IDENTITY, pattern(TopicKind.COMMAND, FLEET, node=NAME))


@pytest.mark.parametrize("kind", TopicKind)
def test_g22_what_an_observer_writes_is_refused(fleet: Fleet, kind: TopicKind) -> None:
    """As pi-1's, and below its own name, where a node of that name could write."""
    topics = {topic_of(kind), topic_of(kind, node=NAME)}

    async def forged() -> None:
        async with client_of(fleet.address(NAME)) as observer:
            for topic in topics:
                await observer.publish(topic, b"forged", qos=1, retain=True)
        for topic in topics:
            await fleet.log.says(f"refused: {IDENTITY} may not write", topic)

    asyncio.run(forged())
    assert asyncio.run(kept(fleet, *topics)) == []


async def kept(fleet: Fleet, *topics: str) -> list[str]:
    """Retained messages of these topics, as the coordinator reads them."""
    mark, found = CHECK_FILTER.replace("+", "mark"), []
    async with client_of(fleet.address("coordinator")) as coordinator:
        for topic in (*topics, mark):
            await coordinator.subscribe(topic, qos=1)
        await coordinator.publish(mark, b"", qos=1)
        async for message in coordinator.messages:
            if str(message.topic) == mark:
                break
            found.append(str(message.topic))
    return found


def test_g22_not_even_a_check_is_written(fleet: Fleet, capfd: pytest.CaptureFixture[str]) -> None:
    async def checked() -> None:
        async with client_of(fleet.address(NAME)) as observer:
            await observer.publish(CHECK_FILTER.replace("+", "of-viewer"), b"", qos=1)
        await fleet.log.says(f"refused: {IDENTITY} may not write", "check/of-viewer")

    asyncio.run(checked())


def test_g22_an_observer_reads_what_is_shown_and_no_commands(fleet: Fleet) -> None:
    async def read() -> list[str]:
        got: list[str] = []
        async with (
            client_of(fleet.address(NAME)) as observer,
            client_of(fleet.address("coordinator")) as coordinator,
            client_of(fleet.address("pi-1")) as node,
            client_of(fleet.address(ASKER)) as asker,
        ):
            for kind in TopicKind:
                await observer.subscribe(pattern(kind, FLEET), qos=1)
            writers = {Party.COORDINATOR: coordinator, Party.NODE: node, Party.ASKER: asker}
            for kind in (*UNREAD, *READ):
                client = writers[next(iter(ACCESS[kind].writers))]
                await client.publish(topic_of(kind), b"x", qos=1)
            async for message in observer.messages:
                got.append(str(message.topic))
                if set(got) >= {topic_of(kind) for kind in READ}:
                    return got
        return got

    got = asyncio.run(asyncio.wait_for(read(), 60))
    assert not {topic_of(kind) for kind in UNREAD} & set(got)
    assert TopicKind.COMMAND in UNREAD
    asyncio.run(fleet.log.says(f"refused: {IDENTITY} may not read", pattern(TopicKind.COMMAND, FLEET)))


def described(device: str) -> bytes:
    facts = {"kind": "pi", "fleet": FLEET, "node": device, "device": device, **typed_facts("raspberry_pi_5")}
    topic = build(TopicKind.DEVICE_STATE, FLEET, node=device, device=device)
    state = readable("State", record(), Address("mqtts://localhost:8883", topic))
    return as_json(thing_description(Thing(f"{FLEET}/{device}", device, facts, {"state": state})))


def test_g22_dashboard_and_graph_work_as_an_observer(
    fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def shown() -> None:
        observer = Observer(fleet.address(NAME), FLEET)
        with GraphStore(tmp_path / "graph") as store:
            directory = Directory(store, FLEET)
            working = [asyncio.create_task(observer.run()), asyncio.create_task(directory.run(fleet.address(NAME)))]
            try:
                async with client_of(fleet.address("pi-1")) as node:
                    for kind, payload in (
                        (TopicKind.NODE_STATE, encode(NodeState(state="ready", epoch=1, kind="pi"))),
                        (TopicKind.DEVICE_STATE, encode(DeviceState("ready", 1, "pi", "sine", bytes(8), None, None))),
                        (TopicKind.DEVICE_DESCRIPTION, described("pi-1")),
                    ):
                        await node.publish(topic_of(kind), payload, qos=1, retain=True)
                await until(lambda: bool(observer.view.devices) and "pi-1" in observer.view.nodes, 60)
                await until(lambda: directory.counters.taken > 0, 60)
            finally:
                for task in working:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
            assert [one.id for one in device_records(store)] == ["pi-1"]
            assert observer.view.devices["pi-1"].state == "ready"

    before = fleet.log.text().count("may not")
    asyncio.run(shown())
    assert fleet.log.text().count("may not") == before  # nothing was asked for that is refused
    assert not caplog.records


def test_g22_an_observer_is_no_member_and_has_no_devices(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    authority = make_authority(tmp_path / "trust", "pi-1")
    words = ["pki", "issue", NAME, "--observer", "--folder", str(authority.folder)]
    assert run(words) == 0
    assert run(["pki", "list", "--folder", str(authority.folder)]) == 0
    assert "observer" in capfd.readouterr().out
    assert NAME not in authority.members.read_text(encoding="utf-8")
    assert f"user {IDENTITY}\n" in authority.access_list.read_text(encoding="utf-8")
    authority.renew(NAME, now_utc())
    assert authority.registry().guests() == {NAME: "observer"}
    authority.withdraw(NAME, now_utc())
    assert f"user {IDENTITY}\n" not in authority.access_list.read_text(encoding="utf-8")
    assert run([*words, "--device", "board-1"]) == UsageError.exit_code
    assert "an observer has no devices" in capfd.readouterr().err
