"""S4.7: things as SDF, there and back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sdf_wot_converter import convert_sdf_to_wot_td

from jaragua.cli.main import run
from jaragua.errors import DataError
from jaragua.semantics.things.sdf import sdf_of
from semantics.thing_documents import board_document, identity, node_document, pi_document

#: What the converter adds, or writes as a list of one.
_OBJECT_KEY = "sdf:objectKey"


def back(model: dict[str, Any], mapping: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = convert_sdf_to_wot_td(model, [mapping])
    found.pop(_OBJECT_KEY)
    assert found["@type"] == ["Thing"]
    return found | {"@type": "Thing"}


@pytest.mark.parametrize(
    "document", [board_document(identity()), node_document(), pi_document()], ids=["board", "gateway", "pi"]
)
def test_s4_7_a_thing_comes_back_from_sdf_as_it_was(document: dict[str, Any]) -> None:
    model, mapping = sdf_of(document)
    (thing,) = model["sdfObject"].values()
    assert set(thing["sdfProperty"]) == set(document["properties"])
    assert set(thing.get("sdfAction", {})) == set(document.get("actions", {}))
    assert back(model, mapping) == document


@pytest.mark.parametrize(
    "reference",
    [
        {"links": [{"rel": "tm:extends", "href": "/etc/passwd"}]},
        {"properties": {"state": {"tm:ref": "http://127.0.0.1:1/x"}}},
    ],
)
def test_s4_5_s4_7_a_description_that_names_another_document_is_not_followed(reference: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="nothing is fetched"):
        sdf_of(node_document() | reference)


def test_s4_7_a_description_that_is_none_has_a_sentence() -> None:
    with pytest.raises(DataError, match="is no Thing Description that SDF can say"):
        sdf_of({"title": 7})


def test_s4_7_the_graph_gives_things_as_sdf_and_as_they_were_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, graph = board_document(identity()), ["--graph", str(tmp_path / "graph")]
    (tmp_path / "board.json").write_text(json.dumps(document), encoding="utf-8")
    assert run(["fleet", "add", str(tmp_path / "board.json"), *graph]) == 0
    assert run(["fleet", "export", str(tmp_path / "out"), "--sdf", *graph]) == 0
    names = ("home.gateway-1.board-1.sdf.json", "home.gateway-1.board-1.sdf-mapping.json")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)
    model, mapping = (json.loads((tmp_path / "out" / name).read_text(encoding="utf-8")) for name in names)
    assert back(model, mapping) == document
    capsys.readouterr()
    assert run(["devices", "board-1", "--td", *graph]) == 0
    assert json.loads(capsys.readouterr().out) == document
    assert run(["devices", "--td", *graph]) != 0
    assert "--td is of one device" in capsys.readouterr().err
