"""The report page: what it shows of real runs, and that nothing a file or a device says becomes markup."""

from __future__ import annotations

import html
import json
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from jaragua.cli.main import run
from jaragua.errors import ToolError
from jaragua.report.classification import Confusion, merged, tables_of_counts
from jaragua.report.details import RunDetails, held_out_figures
from jaragua.report.page.render import render
from jaragua.report.page.view import Energy, parts_of
from jaragua.store.reading import read_details

_MUTATED = ("summary", "settings", "held_out", "facts", "chosen")
_VOID = {"meta", "link", "br", "use", "path"}


class Page(HTMLParser):
    """What a browser would find: elements, ids, references to ids, and attributes that load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.wanted_ids: set[str] = set()
        self.loads: list[str] = []
        self.shown: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-labelledby" or (name in ("href", "xlink:href") and (value or "").startswith("#")):
                self.wanted_ids.add((value or "").removeprefix("#"))
            elif name.startswith("on") or name in ("src", "href", "action", "srcdoc"):
                self.loads.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())


def sound(text: str) -> Page:
    """The page, after the checks that hold for every page."""
    page = Page(text)
    assert page.loads == []
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert page.wanted_ids <= set(page.ids)
    assert page.tags.count("h1") == 1
    assert page.tags.count("figure") == text.count('role="img" aria-label="')
    return page


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small simulation, and its document beside it."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "small.toml").write_text(
        '[run]\nname = "small"\nrounds = 6\n[model]\nname = "digits"\n[simulation]\ndevices = 8\ncheckpoints = [2, 4]\n'
        "[evaluation]\ntasks = 6\n",
        encoding="utf-8",
    )
    assert run(["simulate", str(folder / "small.toml")]) == 0
    return folder / "runs" / "small-simulated"


def rendered(*paths: Path) -> str:
    return render("A title", parts_of([read_details(path) for path in paths]))


def test_a_simulation_is_shown_with_its_own_figures(simulated: Path) -> None:
    page = sound(rendered(simulated))
    summary = json.loads((simulated / "run.json").read_bytes())
    held = summary["evaluation"]
    after = f"{100 * held['after']['mean']:.1f} ± {100 * held['after']['ci95']:.1f} %"
    assert after in page.text
    assert summary["model_hash"] in page.text
    assert f"bytes up {summary['bytes_up']:,}" in page.text
    assert "Confusion matrix, queries of all held-out tasks" in page.text
    assert "nearest neighbour" in page.text
    assert page.text.count("unknown") == 2, "instructions and energy of a simulation are not known, all else is"
    assert page.tags.count("figure") == 3


def test_the_page_says_how_to_repeat_the_run(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of the page as a file, with the command of the page: the same model, to the bit."""
    code = re.search(r"<pre tabindex=\"0\"><code>(.*?)</code></pre>", rendered(simulated), re.DOTALL)
    assert code is not None
    again = tmp_path / "repeat.toml"
    again.write_text(html.unescape(code[1]), encoding="utf-8")
    assert run(["simulate", str(again), "--no-comparison", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["data"]["final_hash"] == json.loads((simulated / "run.json").read_bytes())["model_hash"]


def test_the_document_of_a_simulation_has_what_its_folder_has(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", str(simulated / "config.toml"), "--directory", str(tmp_path / "again"), "--json"]) == 0
    document = tmp_path / "again.json"
    document.write_text(capsys.readouterr().out, encoding="utf-8")
    one, other = read_details(simulated), read_details(document)
    assert other.rounds == one.rounds
    assert other.held_out["scores_before"] == one.held_out["scores_before"]
    assert other.held_out["comparison"].keys() == one.held_out["comparison"].keys()
    assert other.facts["memory"] == one.facts["memory"]
    page = sound(rendered(simulated, document))
    assert "Side by side" in page.text
    assert "again less small, task by task: +0.0000" in page.text


def test_the_verb_writes_one_file(simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page" / "report.html"
    assert run(["report", str(simulated), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert told["bytes"] == out.stat().st_size < 200_000
    sound(out.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no"),
        ("{", "is no JSON document"),
        ('{"data": {"task": 1}}', "is not the document of a simulation"),
    ],
)
def test_what_is_no_run_is_a_sentence(
    tmp_path: Path, content: str | None, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert run(["report", str(path), "--out", str(tmp_path / "out.html")]) != 0
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out.html").exists()


# ---- a fleet, and what peers say ----

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE runs",
    "$\\frac{1}{0}$",
    "\x1b[2J\x07\u202e",
    "_hidden",
    "</svg></div><h1>",
    "{{ 7 * 7 }}",
    "x" * 5000,
    "",
)
VALUES: tuple[Any, ...] = (
    *HOSTILE, None, True, float("nan"), float("inf"), -1e308, 10**400, 0, -1, [], {}, [None], {"a": {"b": []}},
)  # fmt: skip


def fleet_run(name: str = "fleet", reason: str = "the loss is 1e9 nats (M11)") -> RunDetails:
    """A run of two boards, as a folder has it."""
    devices = {
        device: {"kind": "cortex-m4", "loss": loss, "score": 1 - loss / 4, "samples": 25, "instructions": 5000}
        for device, loss in (("board-1", 2.0), ("board-2", 1.0))
    }
    one = {"loss": 1.5, "metric": "accuracy", "score": 0.6, "bytes_up": 10, "bytes_down": 20, "devices": devices}
    refused = [{"round": 2, "device": "board-2", "result": "rejected", "reason": reason}]
    rounds = (
        {"round": 1, **one, "excluded": {}, "refused": []},
        {"round": 2, **one, "excluded": {"board-1": reason}, "refused": refused},
    )
    summary = {
        "name": name, "run": name, "model": "digits", "strategy": "tinyreptile", "seed": 3, "status": "finished",
        "rounds": 2, "rounds_done": 2, "model_hash": "ab" * 32, "bytes_up": 20, "bytes_down": 40,
        "updates": {"board-1": 2, "board-2": 2}, "excluded": {"board-1": 1}, "rejected": {"update": 1},
        "last_round": one,
    }  # fmt: skip
    held = held_out_figures("accuracy", [0.1, 0.2, 0.3], [0.5, 0.6, 0.9], ["board-1", "board-1", "board-2"])
    facts = {
        "parameters": 2410,
        "blob_bytes": 4928,
        "classes": ["no", "yes"],
        "memory": {"cortex_m4": {"ram_bytes": 6002}},
    }
    chosen = {"board-2": {"node": "gw", "build": "cortex_m4:w8:all", "buffers": 2, "description": "cd" * 32}}
    return RunDetails("runs/fleet", "fleet", summary, {"run": {"name": name, "seed": 3}}, rounds, held, facts, chosen)


def test_m30_a_fleet_has_the_confusions_that_its_devices_counted() -> None:
    found = merged([Confusion(("no", "yes"), ((3, 1, 0), (0, 4, 0))), Confusion(("yes", "no"), ((2, 2, 0), (0, 3, 1)))])
    assert found == Confusion(("no", "yes"), ((6, 1, 1), (2, 6, 0)))
    run = fleet_run()
    shown = replace(run, held_out={**run.held_out, "comparison": tables_of_counts(found)})
    page = sound(render("Fleet", parts_of([shown], Energy(0.5, 40))))
    assert "no 75.0 %" in page.text
    assert "Confusion matrix, queries of all held-out tasks" in page.text
    assert "yes 2 6 0" in page.text


def test_a_fleet_is_shown_by_device_with_what_was_rejected_and_why() -> None:
    page = sound(render("Fleet", parts_of([fleet_run()], Energy(0.5, 40))))
    assert "board-1 2 15.0 % 55.0 %" in page.text
    assert "board-2 1 30.0 % 90.0 %" in page.text
    assert "2 board-2 rejected the loss is 1e9 nats (M11)" in page.text
    assert "2 board-1 left out (R17) the loss is 1e9 nats (M11)" in page.text
    assert "devices report them for tasks with 2 to 64 named classes (M30)" in page.text
    assert "62.5 ± 25 µJ" in page.text, "5,000 instructions, 25 samples, 0.5 nJ"
    assert "Classes: no, yes." in page.text
    assert f"board-2 gw cortex_m4:w8:all {'cd' * 32}" in page.text  # S7.4


def test_s7_4_the_folder_s_list_of_chosen_devices_is_read_and_a_broken_one_is_none(tmp_path: Path) -> None:
    assert run(["simulate", "--task", "sine", "--rounds", "1", "--directory", str(tmp_path / "run")]) == 0
    assert read_details(tmp_path / "run").chosen == {}
    (tmp_path / "run" / "devices.json").write_text('{"pi-1": {"node": "pi-1"}}', encoding="utf-8")
    assert read_details(tmp_path / "run").chosen == {"pi-1": {"node": "pi-1"}}
    (tmp_path / "run" / "devices.json").write_text("[1]", encoding="utf-8")
    assert read_details(tmp_path / "run").chosen == {}


def test_energy_is_unknown_unless_it_was_measured() -> None:
    page = sound(render("Fleet", parts_of([fleet_run()])))
    assert "energy of an update's training unknown no board's energy was measured" in page.text
    assert "µJ" not in page.text


def test_text_of_peers_is_shown_as_text() -> None:
    runs = [fleet_run(name, reason) for name, reason in zip(HOSTILE[::2], HOSTILE[1::2], strict=True)]
    page = sound(render(HOSTILE[0] + HOSTILE[4], parts_of(runs)))
    for text in HOSTILE:
        if len(text) < 300 and text.isprintable():
            assert " ".join(text.split()) in page.text
    assert not any("\x1b" in one for one in page.shown)


def mutated(value: Any, draw: random.Random) -> Any:
    """The value with some part of it replaced by something that does not belong there."""
    if draw.random() < 0.12:
        return draw.choice(VALUES)
    if isinstance(value, dict):
        return {
            (draw.choice(HOSTILE) if draw.random() < 0.03 else key): mutated(one, draw) for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [mutated(one, draw) for one in value]
    return value


def hostile_runs(draw: random.Random, simulated: Path) -> Iterator[RunDetails]:
    for genuine in (fleet_run(), read_details(simulated)):
        parts = {name: mutated(getattr(genuine, name), draw) for name in _MUTATED}
        kept = {name: value if isinstance(value, dict) else {} for name, value in parts.items()}
        rounds = [one for line in genuine.rounds if isinstance(one := mutated(line, draw), dict)]
        yield RunDetails(genuine.source, genuine.kind, rounds=rounds, **kept)


def test_files_that_somebody_changed_make_no_other_markup(simulated: Path, seed: int) -> None:
    runs = list(hostile_runs(random.Random(seed), simulated))
    sound(render("Changed", parts_of(runs, Energy(1.0, 10))))


@pytest.mark.parametrize("module", ["jinja2", "matplotlib.figure"])
def test_what_is_missing_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ToolError, match="a report needs Jinja2 and matplotlib") as raised:
        render("Fleet", parts_of([fleet_run()]))
    assert raised.value.hint == "pip install 'jaragua[report]'"
