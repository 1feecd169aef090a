"""M50, M51, S2.2, S2.8, G28: a client that is given a Thing Description alone, on three kinds of broker."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import aiomqtt
import pytest
from fleet_bench import run
from live_fleet import ASKER, BLOB, BROKERS, OTHER, SAMPLE, LiveFleet, Reader, live_fleet, simulated_outputs
from thing_client import Credentials, ThingClient

from jaragua.emulate.image import NATIVE


def client_of(fleet: LiveFleet, reader: Reader | None = None) -> ThingClient:
    reader = reader or fleet.place.reader
    return ThingClient(fleet.description, Credentials(reader.user, reader.password, reader.tls()))


@pytest.mark.parametrize("kind", BROKERS)
def test_m50_m51_g28_a_client_with_the_description_alone_reads_observes_and_asks(kind: str, tmp_path: Path) -> None:
    async def story() -> None:
        with BROKERS[kind](tmp_path) as place:
            async with live_fleet(place, tmp_path, NATIVE) as fleet, client_of(fleet) as client:
                await reads(client)
                await hears_of_progress(client, fleet)
                await gets_answers(client)

    run(story())


async def reads(client: ThingClient) -> None:
    state = await client.observe("state")
    assert state["state"] in ("init", "ready", "training")
    assert (await client.read("nodeState"))["state"] == "ready"
    assert (await client.read("model"))["model"] == "digits"
    memory = await client.read("memory")
    assert memory["blobBytes"] == len(BLOB)
    assert memory["arenaBytes"] > 0
    assert (await client.observe("health"))["framesIn"] > 0


async def hears_of_progress(client: ThingClient, fleet: LiveFleet) -> None:
    progress = await client.subscribe("progress")
    await fleet.train(1)
    found = await progress.next()
    assert (found["run"], found["round"], found["rounds"], found["samples"]) == ("r1", 1, 9, 40)
    while found["done"] < 40:
        found = await progress.next()


async def gets_answers(client: ThingClient) -> None:
    answers = await client.subscribe("inferred", asker=ASKER, call="c1")
    rejected = await client.subscribe("rejected")
    await client.invoke("infer", {"inputs": SAMPLE}, asker=ASKER, call="c1")
    answer, wanted = await answers.next(), simulated_outputs(SAMPLE)
    assert answer["outputs"] == wanted
    assert answer["label"] == wanted.index(max(wanted))
    assert (answer["status"], answer["model"], answer["weights"]) == ("ok", "digits", sha256(BLOB).hexdigest()[:16])
    await client.invoke("infer", {"inputs": [3e38] * 64}, asker=ASKER, call="c1")
    assert (await answers.next())["status"] == "ok"  # out of the format's range: the nearest end (A2.2)
    refused = await client.subscribe("inferred", asker=ASKER, call="c2")
    await client.invoke_unchecked("infer", {"inputs": [0.0] * 63 + [True]}, asker=ASKER, call="c2")
    assert "which is no finite number" in (await refused.next())["why"]
    found = await rejected.next()
    assert (found["reason"], found["count"]) == ("format", 1)


@pytest.mark.parametrize("kind", ["password", "certificates"])
def test_g28_nobody_asks_or_hears_under_another_name(kind: str, tmp_path: Path) -> None:
    """A question under another's name does not arrive, and the other's answers reach the other alone."""

    async def story() -> None:
        with BROKERS[kind](tmp_path) as place:
            async with (
                live_fleet(place, tmp_path, NATIVE) as fleet,
                client_of(fleet) as client,
                client_of(fleet, place.other) as other,
            ):
                theirs = await other.subscribe("inferred", asker=OTHER, call="c1")
                stolen = await client.subscribe("inferred", asker=OTHER, call="c1")
                await client.invoke("infer", {"inputs": SAMPLE}, asker=OTHER, call="c1")
                for _ in range(2):
                    own = await client.subscribe("inferred", asker=ASKER, call="c1")
                    await client.invoke("infer", {"inputs": SAMPLE}, asker=ASKER, call="c1")
                    assert (await own.next())["status"] == "ok"
                    await other.invoke("infer", {"inputs": SAMPLE}, asker=OTHER, call="c1")
                    assert (await theirs.next())["status"] == "ok"
                assert theirs.queue.empty()
                assert stolen.queue.empty()

    run(story())


def test_s2_2_without_the_password_nothing_is_read(tmp_path: Path) -> None:
    async def story() -> None:
        with BROKERS["password"](tmp_path) as place:
            stranger = Reader("me+asker", "guessed")
            async with live_fleet(place, tmp_path, NATIVE) as fleet:
                client = ThingClient(fleet.description, Credentials(stranger.user, stranger.password))
                with pytest.raises(aiomqtt.MqttError):
                    await client.__aenter__()

    run(story())
