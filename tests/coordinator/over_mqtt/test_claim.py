"""R10: one coordinator serves a fleet. The dialogue alone, and over a real broker."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_killed_and_resumed import begin, line_of
from test_rounds_over_mqtt import nodes_at_work, two_nodes

from jaragua.config import RunConfig
from jaragua.coordinator.connection import fleet as fleet_module
from jaragua.coordinator.connection.claim import Claim, Role
from jaragua.coordinator.connection.fleet import Fleet
from jaragua.errors import RunError
from jaragua.node.connection.session import Session
from jaragua.wire.messages import HostClaim, HostState, decode, encode
from jaragua_broker import Broker
from limits import GENEROUS_S

TOKENS = st.sampled_from([bytes([number]) * 8 for number in range(4)])
CLAIMS = st.builds(
    HostClaim,
    says=st.sampled_from(["ask", "serve", "take", "yield"]),
    who=TOKENS,
    since=st.integers(0, 2**53 - 1),
    nonce=TOKENS,
    to=st.none() | TOKENS | st.just(b"\x09" * 8),
    key=st.none() | TOKENS,
)


def serving(since: int = 1, *, take_over: bool = False) -> Claim:
    """Its tokens are 9, 10, 11 …, which strangers cannot know."""
    numbers = itertools.count(9)
    claim = Claim(since, take_over=take_over, token=lambda count: bytes([next(numbers)]) * count)
    claim.serve()
    return claim


def between(first: Claim, second: Claim, said: list[HostClaim]) -> None:
    """Everyone hears everything until all is said."""
    while said:
        message = said.pop(0)
        said += first.take(message) + second.take(message)


@given(st.lists(CLAIMS, max_size=30))
def test_r10_3_no_messages_of_strangers_end_a_coordinator_that_was_not_asked_by_them(said: list[HostClaim]) -> None:
    """They know its name from what it said, and no key that it gave to another."""
    claim = serving()
    for message in said:
        claim.take(message)
    assert claim.role is Role.SERVING


def test_r10_1_a_newcomer_is_refused() -> None:
    first, second = serving(1), Claim(2, take_over=False)
    between(first, second, [second.ask()])
    assert (first.role, second.role) == (Role.SERVING, Role.REFUSED)


def test_r10_1_a_newcomer_whose_questions_are_answered_twice_is_refused() -> None:
    first, second = serving(1), Claim(2, take_over=False)
    between(first, second, [second.ask(), second.ask()])
    assert (first.role, second.role) == (Role.SERVING, Role.REFUSED)


def test_r10_3_a_newcomer_that_takes_over_ends_the_first() -> None:
    first, second = serving(1), Claim(2, take_over=True)
    between(first, second, [second.ask()])
    assert (first.role, second.is_free) == (Role.SUPERSEDED, True)


@pytest.mark.parametrize("asks", [0, 1])
def test_r10_4_of_two_that_serve_the_one_that_serves_longer_stays(asks: int) -> None:
    both = Claim(1, take_over=False), Claim(2, take_over=False)
    for one in both:
        one.serve()
    between(*both, [both[asks].ask()])
    assert [one.role for one in both] == [Role.SERVING, Role.SUPERSEDED]


@pytest.mark.parametrize("asks", [0, 1])
def test_r10_4_who_was_taken_for_gone_and_comes_back_has_to_go(asks: int) -> None:
    back, instead = serving(1), Claim(2, take_over=False)
    instead.serve(instead_of=1)
    between(back, instead, [(back, instead)[asks].ask()])
    assert (back.role, instead.role) == (Role.SUPERSEDED, Role.SERVING)


def test_r10_1_a_second_coordinator_is_refused_and_the_first_goes_on(broker: Broker, fleet: str) -> None:
    async def both() -> None:
        async with Fleet(broker.url, fleet) as first:
            with pytest.raises(RunError, match=f"another coordinator serves the fleet '{fleet}'") as caught:
                async with Fleet(broker.url, fleet):
                    pass
            assert "--take-over" in caught.value.hint
            first.raise_if_broken()
            assert await retained_state(broker, fleet)

    asyncio.run(both())


def test_r10_3_take_over_ends_the_first_with_a_sentence(broker: Broker, fleet: str) -> None:
    async def both() -> None:
        async with Fleet(broker.url, fleet) as first, Fleet(broker.url, fleet, take_over=True) as second:
            with pytest.raises(RunError, match="another coordinator has taken over the fleet"):
                await until_broken(first)
            second.raise_if_broken()

    asyncio.run(both())


async def until_broken(fleet: Fleet) -> None:
    async with asyncio.timeout(GENEROUS_S):
        while True:
            fleet.raise_if_broken()
            await asyncio.sleep(0.01)


async def retained_state(broker: Broker, fleet: str) -> bool:
    """Whether the broker says that a coordinator serves."""
    topic = f"jaragua/1/{fleet}/host/$state"
    async with aiomqtt.Client("127.0.0.1", broker.port) as watcher, asyncio.timeout(GENEROUS_S):
        await watcher.subscribe(topic)
        async for message in watcher.messages:
            return decode(HostState, bytes(message.payload)).online
    return False


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("epoch", [0, 1, 2**53 - 1])
def test_r10_a_forged_host_state_stops_nobody_and_is_put_right(
    broker: Broker, fleet: str, online: bool, epoch: int
) -> None:
    topic = f"jaragua/1/{fleet}/host/$state"
    forged = encode(HostState(online=online, ts=1, epoch=epoch, since=epoch))

    async def everything() -> None:
        async with Fleet(broker.url, fleet) as serving, aiomqtt.Client("127.0.0.1", broker.port) as stranger:
            await stranger.publish(topic, forged, qos=1, retain=True)
            async with asyncio.timeout(GENEROUS_S):
                while serving.rejections.counts().get("impostor", 0) == 0:
                    await asyncio.sleep(0.01)
            serving.raise_if_broken()
            await stranger.subscribe(topic)
            async with asyncio.timeout(GENEROUS_S):
                async for message in stranger.messages:
                    state = decode(HostState, bytes(message.payload))
                    if state.online and state.epoch != epoch:
                        return

    asyncio.run(everything())


@pytest.mark.parametrize("epoch", [1, 2**53 - 1])
def test_r10_a_state_of_someone_who_does_not_answer_delays_and_does_not_refuse(
    broker: Broker, fleet: str, epoch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R10.2: forged, or of a coordinator whose machine lost its power; it is waited for for ten seconds."""
    assert fleet_module._CLAIM_SECONDS == 10
    monkeypatch.setattr(fleet_module, "_CLAIM_SECONDS", 0.5)
    state = encode(HostState(online=True, ts=1, epoch=epoch, since=epoch))

    async def everything() -> None:
        async with aiomqtt.Client("127.0.0.1", broker.port) as stranger:
            await stranger.publish(f"jaragua/1/{fleet}/host/$state", state, qos=1, retain=True)
        async with Fleet(broker.url, fleet) as serving:
            serving.raise_if_broken()
            assert await retained_state(broker, fleet)

    asyncio.run(everything())


def test_r10_jaragua_run_refuses_takes_over_and_needs_no_flag_after_a_crash(
    make_config: Callable[..., RunConfig], config_text: Callable[..., str], tmp_path: Path
) -> None:
    """R10.1 to R10.3: a second is refused, with --take-over it ends the first; after a kill -9 no flag is needed."""
    config = make_config(rounds=5000)
    paths = [tmp_path / f"{name}.toml" for name in ("first", "second")]
    for path in paths:
        path.write_text(config_text(rounds=5000, directory=tmp_path / f"run-{path.stem}"))

    async def started(path: Path, *options: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "jaragua.cli.main", "run", str(path), *options]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)

    async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
        async with asyncio.timeout(60):
            _, stderr = await process.communicate()
        return process.returncode, stderr.decode()

    async def everything() -> None:
        async with nodes_at_work(*two_nodes(config)):
            first = await begin(paths[0])
            await line_of(first, "round 1/")
            code, said = await ended(await started(paths[1]))
            assert (code, "another coordinator serves the fleet" in said) == (9, True)
            assert not (tmp_path / "run-second" / "metrics.jsonl").exists()
            second = await started(paths[1], "--take-over")
            code, said = await ended(first)
            assert (code, "another coordinator has taken over the fleet" in said) == (9, True)
            await line_of(second, "round 1/")
            second.send_signal(signal.SIGKILL)
            await ended(second)
            third = await started(paths[0], "--resume")
            await line_of(third, "round ")
            third.send_signal(signal.SIGTERM)
            assert (await ended(third))[0] == 130

    asyncio.run(everything())


def test_a_fleet_is_left_though_a_cancellation_is_lost(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python before 3.12 loses a cancellation that meets the end of a `wait_for`: the task goes on."""
    write, lost = Session._write, []

    async def write_and_lose_one(session: Session, client: aiomqtt.Client, attempts: Any) -> None:
        try:
            await write(session, client, attempts)
        except asyncio.CancelledError:
            lost.append(True)
        await asyncio.Event().wait()

    monkeypatch.setattr(Session, "_write", write_and_lose_one)

    async def story() -> None:
        async with asyncio.timeout(GENEROUS_S), Fleet(broker.url, "lost-cancellation"):
            pass

    asyncio.run(story())
    assert lost
