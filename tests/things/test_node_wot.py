"""node-wot on a live fleet, and the validator of the Thing Description playground: `make test-wot` runs them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rdflib
from fleet_bench import run
from live_fleet import ASKER, BLOB, BROKERS, SAMPLE, LiveFleet, live_fleet, simulated_outputs

from documents.blocks import blocks
from jaragua.emulate.image import NATIVE, QEMU
from jaragua.semantics.graph.contents import add_zoo
from jaragua.semantics.graph.store import GraphStore
from semantics.thing_documents import board_document, identity, node_document, pi_document

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "wot"
CONTEXT = ROOT / "tests" / "semantics" / "w3c" / "td-context-1.1-rec.jsonld"

pytestmark = pytest.mark.skipif(
    os.environ.get("JARAGUA_WOT") != "1", reason="NODE-WOT LEFT OUT: make test-wot installs it and runs these tests"
)


def node(script: str, *words: str | Path) -> subprocess.Popen[str]:
    command = ["node", script, *map(str, words)]
    return subprocess.Popen(
        command, cwd=TOOLS, text=True, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def request_of(fleet: LiveFleet) -> dict[str, Any]:
    """What a person adds to the description, and a sample."""
    reader = fleet.place.reader
    found: dict[str, Any] = {"asker": ASKER, "inputs": SAMPLE, "user": reader.user, "password": reader.password}
    if reader.files is not None:
        found |= dict(zip(("ca", "certificate", "key"), map(str, reader.files), strict=True))
    return found


async def found_by_node_wot(fleet: LiveFleet, folder: Path) -> dict[str, Any]:
    """What node-wot prints; a job of training begins when it listens to progress."""
    (folder / "td.json").write_text(json.dumps(fleet.description), encoding="utf-8")
    (folder / "request.json").write_text(json.dumps(request_of(fleet)), encoding="utf-8")
    client = node("client.mjs", folder / "td.json", folder / "request.json")
    assert client.stderr is not None
    try:
        said = ""
        while "listening" not in said:
            line = await asyncio.to_thread(client.stderr.readline)
            assert line, f"node-wot ended: {said}"
            said += line
        await fleet.train(1)
        out, more = await asyncio.to_thread(client.communicate, timeout=300)
    finally:
        client.kill()
        client.wait()
    assert client.returncode == 0, said + more
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.board
@pytest.mark.parametrize("kind", BROKERS)
def test_m50_m51_s2_8_node_wot_reads_observes_and_asks_an_emulated_board(kind: str, tmp_path: Path) -> None:
    async def story() -> None:
        with BROKERS[kind](tmp_path) as place:
            async with live_fleet(place, tmp_path, QEMU) as fleet:
                found = await found_by_node_wot(fleet, tmp_path)
                assert set(found["read"]) == set(fleet.description["properties"])
        assert found["read"]["state"]["state"] in ("init", "ready", "training")
        assert found["read"]["memory"]["blobBytes"] == len(BLOB)
        assert found["observed"]["framesIn"] >= found["read"]["health"]["framesIn"] > 0
        assert (found["progress"]["run"], found["progress"]["samples"]) == ("r1", 40)
        assert found["inferred"]["outputs"] == simulated_outputs(SAMPLE)
        assert found["inferred"]["weights"] == sha256(BLOB).hexdigest()[:16]

    run(story(), 600)


DOCUMENTS = {
    "board": lambda: board_document(identity()),
    "board over TLS": lambda: board_document(identity(), url="mqtts://example.org:8883"),
    "board with a password": lambda: board_document(identity(), url="mqtt://jo:secret@127.0.0.1:1883"),
    "board that nobody knows": lambda: board_document(identity(board="unheard_of", ram_bytes=0)),
    "gateway": node_document,
    "pi as a node": lambda: node_document("pi"),
    "pi as a device": pi_document,
}


def validated(files: list[Path]) -> dict[str, Any]:
    process = node("validate.mjs", CONTEXT, *files)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    found: dict[str, Any] = json.loads(out)
    return found


def test_s2_1_the_playground_accepts_every_description_and_refuses_a_broken_one(tmp_path: Path) -> None:
    """All of its checks: schema, JSON-LD, and the additional ones; nothing is left out."""
    files = {}
    for number, (name, document) in enumerate(DOCUMENTS.items()):
        files[name] = tmp_path / f"{number}.td.json"
        files[name].write_text(json.dumps(document()), encoding="utf-8")
    broken = tmp_path / "broken.td.json"
    broken.write_text(json.dumps(node_document() | {"security": ["nobody"], "title": 7}), encoding="utf-8")
    found = validated([*files.values(), broken])
    for name, path in files.items():
        report = found[str(path)]["report"]
        assert {report[check] for check in ("json", "schema", "jsonld", "additional")} == {"passed"}, (
            name,
            found[str(path)],
        )
    assert found[str(broken)]["report"]["schema"] == "failed"


def test_s3_1_another_parser_of_json_ld_finds_all_triples_of_every_model(tmp_path: Path) -> None:
    """The zoo's descriptions, classifiers and regressions, as `jaragua fleet export` writes them."""
    with GraphStore(tmp_path / "graph") as store:
        add_zoo(store)
        (tmp_path / "zoo.jsonld").write_bytes(store.export("json-ld"))
        (tmp_path / "zoo.ttl").write_bytes(store.export("turtle"))
    triples = len(rdflib.Graph().parse(tmp_path / "zoo.ttl"))
    assert triples > 1000
    assert validated([tmp_path / "zoo.jsonld"]) == {str(tmp_path / "zoo.jsonld"): {"triples": triples}}


PAGE = ROOT / "docs" / "how-to" / "any-wot-client.md"


def program_of_the_page(kind: str) -> str:
    """The program of the how-to, with the lines that it adds for a kind of broker."""
    found = {
        block.note.strip(): block.body for block in blocks(PAGE.read_text(encoding="utf-8")) if block.mark == "file"
    }
    line = "const board = await"
    more = {"open": "", "password": found["password.mjs"], "certificates": found["certificates.mjs"]}[kind]
    assert found["ask.mjs"].count(line) == 1
    return found["ask.mjs"].replace(line, f"{more}\n{line}")


@pytest.mark.parametrize("kind", BROKERS)
def test_the_program_of_the_how_to_reads_and_asks_word_for_word(kind: str, tmp_path: Path) -> None:
    async def story() -> str:
        (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
        (tmp_path / "ask.mjs").write_text(program_of_the_page(kind), encoding="utf-8")
        with BROKERS[kind](tmp_path) as place:
            async with live_fleet(place, tmp_path, NATIVE) as fleet:
                (tmp_path / "board-1.json").write_text(json.dumps(fleet.description), encoding="utf-8")
                if place.reader.files is not None:
                    (tmp_path / ASKER).symlink_to(place.reader.files[1].parent)
                return await asyncio.to_thread(said_until_the_answer, tmp_path, place.reader.password or "")

    said = run(story(), 300)
    assert "state {" in said
    assert "memory {" in said
    assert f"blobBytes: {len(BLOB)}" in said
    assert "health {" in said
    assert "status: 'ok'" in said


def said_until_the_answer(folder: Path, password: str) -> str:
    """What the program prints until the answer and a report of health are complete; it would run on."""
    process = subprocess.Popen(
        ["node", "ask.mjs"],
        cwd=folder,
        env={**os.environ, "PASSWORD": password},
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if all(f"{part} {{" in said for part in ("answer", "health")) and line.startswith("}"):
                break  # health comes when the device next reports it, before or after the answer
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return said
