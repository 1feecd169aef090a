"""Thing Descriptions: W3C's schema and shapes accept them, and each number comes from where S2 says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pyshacl
import pytest
import rdflib
from referencing import Registry, Resource

from jaragua.errors import ConfigurationError
from jaragua.node.connection.url import TlsFiles, parse_broker_url
from jaragua.node.description import Place, describe_node
from jaragua.semantics.graph.validation import problems
from jaragua.semantics.things.device_facts import typed_facts
from jaragua.semantics.things.statements import Statements, read_statements
from jaragua.semantics.things.thing_description import Thing, thing_description
from jaragua.semantics.things.thing_triples import thing_triples
from jaragua.semantics.vocabulary import OWN, SENSORS
from jaragua.wire.definitions import Operator
from semantics.thing_documents import OWNER, board_document, identity, node_document, pi_document

W3C = Path(__file__).parent / "w3c"
SCHEMA = json.loads((W3C / "td-schema-1.1-pub.json").read_text(encoding="utf-8"))
MQTT_SCHEMA = json.loads((W3C / "mqtt.schema.json").read_text(encoding="utf-8"))
CONTEXT = json.loads((W3C / "td-context-1.1-rec.jsonld").read_text(encoding="utf-8"))


def documents() -> dict[str, dict[str, Any]]:
    return {
        "board": board_document(identity()),
        "board with a password": board_document(identity(), url="mqtt://jo:secret@127.0.0.1:1883"),
        "board that nobody knows": board_document(identity(board="unheard_of", ram_bytes=0), Statements()),
        "gateway": node_document(),
        "pi": pi_document(),
        "certificate": thing_description(Thing("x", "x", {"kind": "gateway"}), "certificate"),
    }


@pytest.mark.parametrize("document", documents().values(), ids=documents())
def test_s2_1_w3c_json_schemas_accept_every_description(document: dict[str, Any]) -> None:
    registry = Registry().with_resource(SCHEMA["$id"], Resource.from_contents(SCHEMA))
    jsonschema.Draft7Validator(SCHEMA).validate(document)
    jsonschema.Draft7Validator(MQTT_SCHEMA, registry=registry).validate(document)


def expanded(document: dict[str, Any]) -> rdflib.Graph:
    """The RDF of a description with W3C's context from the file: nothing is fetched."""
    contexts = [CONTEXT["@context"] if isinstance(one, str) else one for one in document["@context"]]
    return rdflib.Graph().parse(data=json.dumps(document | {"@context": contexts}), format="json-ld")


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # rdflib's parser of JSON-LD makes one itself
@pytest.mark.parametrize("name", ["board", "gateway", "pi", "certificate"])
def test_s2_1_w3c_shapes_accept_every_description(name: str) -> None:
    shapes = rdflib.Graph().parse(W3C / "td-shapes-2024-05-15-lean.ttl")
    graph = expanded(documents()[name])
    assert len(graph) > 8
    conforms, _, text = pyshacl.validate(graph, shacl_graph=shapes)
    assert conforms, text


@pytest.mark.parametrize("name", ["board", "board with a password", "board that nobody knows", "gateway", "pi"])
def test_s4_3_own_shapes_accept_every_description(name: str) -> None:
    assert problems(thing_triples(documents()[name])) == []


@pytest.mark.parametrize("operator", Operator)
def test_s4_3_own_shapes_know_every_operator_that_a_board_may_name(operator: Operator) -> None:
    document = board_document(identity(operators=1 << operator))
    assert document["jrg:imageOperators"] == [operator.name.lower()]
    assert problems(thing_triples(document)) == []


def test_s2_2_every_property_is_kept_by_the_broker_so_it_can_be_read_and_observed() -> None:
    document = board_document(identity())
    assert set(document["properties"]) == {"state", "nodeState", "model", "memory", "health"}
    for affordance in document["properties"].values():
        (form,) = affordance["forms"]
        assert form["op"] == ["readproperty", "observeproperty", "unobserveproperty"]
        assert form["mqv:retain"] is True
        assert form["href"] == f"mqtt://127.0.0.1:1883/{form['mqv:filter']}"


def test_s2_8_a_question_and_its_answer_have_the_same_variables_and_commands_are_no_actions() -> None:
    document = board_document(identity())
    assert set(document["actions"]) == {"infer"}
    assert set(document["events"]) == {"progress", "rejected", "inferred"}
    infer, inferred = document["actions"]["infer"], document["events"]["inferred"]
    assert infer["uriVariables"] == inferred["uriVariables"]
    assert infer["forms"][0]["href"].endswith("/dev/board-1/infer/{asker}/{call}")
    assert inferred["forms"][0]["href"].endswith("/dev/board-1/inferred/{asker}/{call}")
    assert "actions" not in node_document()


def test_s2_8_a_pi_has_no_link_whose_health_it_could_tell() -> None:
    assert set(pi_document()["properties"]) == {"state", "nodeState", "model"}


def test_s2_2_no_description_has_a_password() -> None:
    document = board_document(identity(), url="mqtt://jo:secret@127.0.0.1:1883")
    assert document["securityDefinitions"] == {"basic_sc": {"scheme": "basic", "in": "auto"}}
    assert "secret" not in json.dumps(document)


def test_s2_2_a_node_with_a_certificate_says_that_the_broker_wants_one() -> None:
    url = replace(
        parse_broker_url("mqtts://example.org"), files=TlsFiles(certificate=Path("own.pem"), key=Path("own.key"))
    )
    document = json.loads(describe_node(Place(url, "home", "gateway-1"), "gateway"))
    assert document["securityDefinitions"]["cert_sc"]["scheme"] == "jrg:ClientCertificateScheme"
    assert document["properties"]["state"]["forms"][0]["href"].startswith("mqtts://example.org:8883/")
    assert "own.pem" not in json.dumps(document)


def test_s2_3_an_answer_is_repeated_word_for_word() -> None:
    document = board_document(identity())
    assert document["jrg:architecture"] == "6bab2cc7ad7bf40f"
    assert (document["jrg:usedRamBytes"], document["jrg:arenaBytes"]) == (24000, 544)
    assert document["jrg:imageOperators"] == ["dense", "relu", "softmax_cross_entropy", "online"]


def test_s2_5_the_owner_comes_before_the_type_of_board() -> None:
    document = board_document(identity())
    assert document["jrg:core"] == "cortex_m4"
    assert document["jrg:clockHz"] == 64_000_000
    assert document["jrg:sensors"] == ["accelerometer", "microphone"]
    slow = board_document(identity(), Statements(clock_hz=32_000_000))
    assert slow["jrg:clockHz"] == 32_000_000


def test_s2_6_a_missing_value_stays_missing() -> None:
    document = board_document(identity(board="pico"), Statements())
    assert "jrg:currentMicroampere" not in document
    assert "jrg:supplyMillivolt" not in document
    unknown = board_document(identity(board="unheard_of"), Statements())
    assert not {"jrg:core", "jrg:clockHz", "jrg:ramBytes", "jrg:freeRamBytes"} & set(unknown)


def test_s2_7_free_ram_is_what_the_rest_of_the_image_leaves() -> None:
    document = board_document(identity())
    rest = 24000 - 544 - 2 * 4928
    assert document["jrg:freeRamBytes"] == 262144 - rest
    assert document["jrg:freeMemorySource"] == "answered"
    one_buffer = board_document(identity(blob_bytes=115248, arena_bytes=84456, ram_bytes=208432))
    assert one_buffer["jrg:freeRamBytes"] == 262144 - (208432 - 84456 - 115248)


def test_s2_7_a_board_that_did_not_answer_has_its_reserve_or_the_allowance() -> None:
    assert typed_facts("nano33ble")["freeRamBytes"] == 262144 - 49152
    assert typed_facts("teensy40")["freeRamBytes"] == 524288 - 16384
    assert typed_facts("teensy40")["freeMemorySource"] == "allowance"
    assert "freeRamBytes" not in typed_facts("raspberry_pi_5")


def test_s2_1_the_same_board_has_the_same_id_at_another_gateway() -> None:
    one = board_document(identity())
    assert one["id"] == board_document(identity(), url="mqtts://example.org:8883")["id"]
    assert one["id"].startswith("urn:uuid:")


def test_s2_4_a_number_that_a_board_does_not_know_stays_away() -> None:
    document = board_document(identity(ram_bytes=0, flash_bytes=0))
    assert not {"jrg:usedRamBytes", "jrg:usedFlashBytes"} & set(document)
    assert document["jrg:freeMemorySource"] == "stated"


def test_s1_1_s1_3_own_terms_have_a_name_that_nobody_can_fetch_and_every_sensor_is_a_class() -> None:
    assert document_context()["jrg"] == OWN == "urn:jaragua:vocabulary:"
    assert len(SENSORS) == 12
    assert sum(name.startswith(OWN) for name in SENSORS.values()) == 8
    assert sum("tinyml-schema" in name for name in SENSORS.values()) == 4


def document_context() -> dict[str, str]:
    found: dict[str, str] = board_document(identity())["@context"][1]
    return found


def test_s1_5_terms_of_the_tinyml_schema_alone_are_in_kilobytes() -> None:
    values = {predicate.value: value.value for _, predicate, value in thing_triples(board_document(identity()))}
    assert values[f"{OWN}freeFlashBytes"] == "917504"
    assert values["https://schema.org/value"] == "917.504"


def test_s2_5_an_owners_file_is_read_and_every_problem_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "owner.toml"
    path.write_text(
        '[devices.board-1]\nsensors = ["accelerometer", "microphone"]\nplace = "kitchen"\n'
        "link_bytes_per_second = 11520\n",
        encoding="utf-8",
    )
    assert read_statements(path) == {"board-1": OWNER}
    path.write_text(
        '[devices.a]\nsensors = ["camra"]\nclock_hz = "fast"\ntype = "pica"\nplaze = "x"\n[board]\n', encoding="utf-8"
    )
    with pytest.raises(ConfigurationError) as caught:
        read_statements(path)
    lines = caught.value.message.splitlines()
    assert len(lines) == 5
    assert any("did you mean 'camera'" in line for line in lines)
    assert any("did you mean 'pico'" in line for line in lines)


@pytest.mark.parametrize("text", ["[devices", "devices = 3", "[devices]\na = 1", '[devices.a]\nreflash = "no"'])
def test_s2_5_a_broken_owners_file_ends_with_one_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "owner.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError):
        read_statements(path)
    with pytest.raises(ConfigurationError):
        read_statements(tmp_path / "missing.toml")
