"""S4: the graph survives, replaces, refuses and answers; a fleet on a real broker keeps it current."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pyoxigraph
import pytest

from jaragua.directory.service import Directory, wrong_place
from jaragua.errors import DataError, RunError, StoreError
from jaragua.node.connection.url import parse_broker_url
from jaragua.semantics.graph.ask import ask, ready_queries
from jaragua.semantics.graph.contents import add_file, add_zoo
from jaragua.semantics.graph.facts import device_records, model_records
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.matching.decide import Wish, decide
from jaragua.semantics.models.description import ModelDescription, describe_model
from jaragua.semantics.models.model_triples import model_triples
from jaragua.semantics.things.statements import Statements
from jaragua.semantics.triples import turtle
from jaragua.wire.topics import parse
from jaragua_broker import Broker
from jaragua_models import get, names
from semantics.thing_documents import board_document, identity, node_document, pi_document

TOPIC = "jaragua/1/home/node/gateway-1/dev/board-1/$td"


def payload(**changes: object) -> bytes:
    return json.dumps(board_document(identity()) | changes).encode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GraphStore]:
    with GraphStore(tmp_path / "graph") as found:
        yield found


def test_s4_1_the_graph_survives_a_restart(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "graph") as store:
        assert store.offer_thing(payload(), TOPIC) == []
    with GraphStore(tmp_path / "graph", read_only=True) as store:
        (found,) = device_records(store)
    assert (found.id, found.core, found.place) == ("board-1", "cortex_m4", "kitchen")
    assert found.sensors == {"accelerometer", "microphone"}
    assert found.free_ram_bytes == 262144 - (24000 - 544 - 2 * 4928)


def test_s2_1_a_pi_describes_itself_as_a_node_and_as_a_device_and_is_one_device(store: GraphStore) -> None:
    for number, document in enumerate((node_document("pi"), pi_document())):
        assert store.offer_thing(json.dumps(document).encode(), f"topic-{number}") == []
    assert [(one.id, one.kind) for one in device_records(store)] == [("pi-1", "pi")]


def test_s4_1_a_second_writer_is_refused_and_a_reader_is_not(store: GraphStore) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        GraphStore(store.folder)
    with GraphStore(store.folder, read_only=True) as other:
        assert device_records(other) == []


def test_s4_2_a_new_description_replaces_the_old_one_as_a_whole(store: GraphStore) -> None:
    store.offer_thing(payload(), TOPIC)
    document = board_document(identity(), Statements())
    assert store.offer_thing(json.dumps(document).encode(), TOPIC) == []
    (found,) = device_records(store)
    assert found.place is None
    store.remove(TOPIC)
    assert device_records(store) == []
    assert list(store.values("jrg:href")) == []


def test_s4_2_what_two_topics_say_stays_until_both_are_cleared(store: GraphStore) -> None:
    """A board that moved to another gateway: the old topic is cleared after the new one was written."""
    store.offer_thing(payload(), TOPIC)
    store.offer_thing(payload(), TOPIC.replace("gateway-1", "gateway-2"))
    store.remove(TOPIC)
    assert len(device_records(store)) == 1
    store.remove(TOPIC.replace("gateway-1", "gateway-2"))
    assert device_records(store) == []


def test_s4_3_the_same_bytes_are_checked_once(store: GraphStore, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    monkeypatch.setattr("jaragua.semantics.graph.store.problems", lambda triples: checked.append(1) or [])
    for _ in range(3):
        assert store.offer_thing(payload(), TOPIC) == []
    assert len(checked) == 1
    store.offer_thing(payload(title="another"), TOPIC)
    assert len(checked) == 2


def test_s4_4_a_refusal_is_counted_shown_and_ended_by_a_good_description(store: GraphStore) -> None:
    store.offer_thing(payload(), TOPIC)
    for count in (1, 2):
        assert store.offer_thing(payload(**{"jrg:ramBytes": "lots"}), TOPIC)
        (refusal,) = store.refusals()
        assert (refusal.source, refusal.count) == (TOPIC, count)
        assert any("one whole number" in sentence for sentence in refusal.sentences)
        assert len(device_records(store)) == 1  # the last good one stays
    assert store.offer_thing(payload(), TOPIC) == []
    assert store.refusals() == []


def test_s4_4_refusals_are_bounded(store: GraphStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaragua.semantics.graph.store.MOST_REFUSALS", 3)
    for number in range(6):
        assert store.offer_thing(b"{", f"topic-{number}")
    assert len(store.refusals()) == 3


def test_s4_4_a_description_of_another_device_than_its_topic_is_refused() -> None:
    assert wrong_place(parse(TOPIC), payload()) == []
    moved = parse(TOPIC.replace("gateway-1", "gateway-2"))
    assert wrong_place(moved, payload()) == ["jrg:node is 'gateway-1', the topic is of gateway-2"]


def test_s4_5_exports_are_read_by_others(store: GraphStore) -> None:
    store.offer_thing(payload(), TOPIC)
    add_zoo(store)
    texts = {"turtle": pyoxigraph.RdfFormat.TURTLE, "json-ld": pyoxigraph.RdfFormat.JSON_LD}
    sizes = {name: len(list(pyoxigraph.parse(store.export(name), format=kind))) for name, kind in texts.items()}
    assert sizes["turtle"] == sizes["json-ld"] > 1000
    assert store.export("turtle") == store.export("turtle")


def test_s3_1_a_models_file_enters_the_graph_and_comes_back(store: GraphStore, tmp_path: Path) -> None:
    path = tmp_path / "digits.ttl"
    path.write_text(turtle(model_triples(describe_model(get("digits"), of_the_zoo=True))), encoding="utf-8")
    assert add_file(store, path) == []
    (found,) = model_records(store)
    assert found.id == "digits"
    assert {(one.core, one.arithmetic, one.trains) for one in found.builds} >= {("cortex_m4", "w16", "all")}
    assert all(one.instructions for one in found.builds)
    path.write_text(path.read_text(encoding="utf-8").replace('"w16"', '"w99"'), encoding="utf-8")
    assert any("jrg:arithmetic of a build is w8 or w16" in one for one in add_file(store, path))


@pytest.mark.parametrize("content", [b"\xff", b"@prefix", b"<a> <b> <c> .", b"<urn:a> <urn:b> [] ."])
def test_s4_4_a_file_that_is_no_description_is_a_data_error(content: bytes, store: GraphStore, tmp_path: Path) -> None:
    path = tmp_path / "bad.ttl"
    path.write_bytes(content)
    with pytest.raises(DataError):
        add_file(store, path)


FOREVER = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n2 ?o }"


def test_s4_6_a_query_that_would_run_for_ever_is_stopped(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "graph") as store:
        add_zoo(store)
    begun = time.monotonic()
    with pytest.raises(RunError, match="stopped after 1 s"):
        ask(tmp_path / "graph", FOREVER, 1.0)
    assert time.monotonic() - begun < 30


def test_s4_6_a_wrong_query_is_a_data_error_and_rows_are_bounded(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "graph") as store:
        add_zoo(store)
    with pytest.raises(DataError, match="cannot be run"):
        ask(tmp_path / "graph", "SELECT", 60.0)
    answer = ask(tmp_path / "graph", "SELECT ?s WHERE { ?s ?p ?o }", 60.0, most_rows=5)
    assert (len(answer.rows), answer.truncated) == (5, True)
    assert ask(tmp_path / "graph", "ASK { ?s ?p ?o }", 60.0).rows == ((True,),)


def test_s4_1_a_fleet_on_a_broker_keeps_the_graph_current(tmp_path: Path) -> None:
    async def story(broker: Broker, store: GraphStore) -> None:
        directory = Directory(store, "home")
        task = asyncio.create_task(directory.run(parse_broker_url(broker.url)))
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish(TOPIC, payload(), qos=1, retain=True)
            await client.publish(TOPIC.replace("board-1", "board-2"), b"{broken", qos=1, retain=True)
            await until(lambda: len(device_records(store)) == 1 and len(store.refusals()) == 1)
            await client.publish(TOPIC, b"", qos=1, retain=True)
            await until(lambda: device_records(store) == [])
            await directory.settled()  # the store changes before the counter does
        assert (directory.counters.taken, directory.counters.refused, directory.counters.removed) == (1, 1, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with Broker() as broker, GraphStore(tmp_path / "graph") as store:
        asyncio.run(story(broker, store))


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    """A graph with the zoo, and a board with an accelerometer and a microphone."""
    with GraphStore(tmp_path / "graph") as store:
        add_zoo(store)
        assert store.offer_thing(payload(), TOPIC) == []
    return tmp_path / "graph"


def rows(folder: Path, name: str) -> list[tuple[object, ...]]:
    return list(ask(folder, ready_queries()[name], 60.0).rows)


def test_s1_2_the_four_kinds_of_queries_of_the_earlier_schema_give_the_right_rows(answered: Path) -> None:
    ram = {one.name: max(b.training_ram_bytes for b in one.builds if b.is_own) / 1000 for one in descriptions()}
    by_sensor = rows(answered, "models-by-sensor")
    listening = [name for name in names() if "microphone" in get(name).sensors]
    assert listening == ["keywords", "keywords-mel", "presence"]
    assert [row[1:] for row in by_sensor] == [(name, ram[name]) for name in listening]
    assert [row[1:] for row in rows(answered, "boards-by-sensors")] == [("board-1 (nano33ble)", 248.544)]
    pairs = [row[:2] for row in rows(answered, "models-for-boards")]
    assert pairs == [("board-1 (nano33ble)", name) for name in listening]
    assert [row[1] for row in rows(answered, "artifacts")] == names()


def test_s5_3_the_query_who_can_train_agrees_with_the_match(answered: Path) -> None:
    with GraphStore(answered, read_only=True) as store:
        (board,), models = device_records(store), model_records(store)
    expected = {
        ("board-1", model.id, build.arithmetic, build.trains)
        for model in models
        for build in model.builds
        if build.core == "cortex_m4"
        and decide(board, model, Wish(arithmetic=build.arithmetic, trains=build.trains)).fits
    }
    assert {row[:4] for row in rows(answered, "who-can-train")} == expected
    assert len(expected) > 10


def test_s4_6_every_ready_query_gives_rows_and_stands_in_the_page(answered: Path) -> None:
    page = Path(__file__).parents[2].joinpath("docs/reference/queries.md").read_text(encoding="utf-8")
    for name, text in ready_queries().items():
        assert rows(answered, name), name
        assert text.split("\n", 1)[1].strip() in page
        assert f"## {name}\n" in page


def descriptions() -> list[ModelDescription]:
    return [describe_model(get(name), of_the_zoo=True) for name in names()]
