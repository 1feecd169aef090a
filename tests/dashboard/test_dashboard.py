"""The dashboard in a real browser: a live fleet over a real broker, hostile messages, and a run that has ended."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import aiomqtt
import cbor2
import pytest

from browsers import Watched, browser_or_skip
from forked import Forker
from jaragua.cli.main import run
from jaragua.semantics.graph.contents import add_zoo
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.things.affordances import Address, readable, record
from jaragua.semantics.things.device_facts import typed_facts
from jaragua.semantics.things.thing_description import Thing, as_json, thing_description
from jaragua.wire import messages
from jaragua.wire.topics import TopicKind, build
from jaragua_broker import Broker
from limits import GENEROUS_S

pytest.importorskip("nicegui", reason="pip install 'jaragua[dashboard]'")
FLEET = "watched"
CLIENTS = ("pi-1", "pi-2")
SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"
CONFIGURATION = """
[run]
name = "seen"
rounds = 4
fleet = "{fleet}"
directory = "{folder}"
[model]
name = "sine"
[strategy]
clients_per_round = 2
[broker]
url = "{url}"
[devices]
minimum = 2
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browser_or_skip() as found:
        yield found


@contextlib.contextmanager
def dashboard(*words: str) -> Iterator[str]:
    """`jaragua dashboard` as a process of its own; its URL."""
    command = [sys.executable, "-m", "jaragua.cli.main", "dashboard", *words, "--port", "0"]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stderr=said)
        try:
            yield _url(process, said)
            assert process.poll() is None, "it has ended"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(GENEROUS_S) == 0


def _url(process: subprocess.Popen[bytes], said: TextIO) -> str:
    deadline = time.monotonic() + GENEROUS_S
    while time.monotonic() < deadline and process.poll() is None:
        said.seek(0)
        if found := re.search(r"^dashboard: (\S+)$", said.read(), re.MULTILINE):
            return found[1]
        time.sleep(0.05)
    said.seek(0)
    raise AssertionError(f"the dashboard did not begin: {said.read()}")


def wait_for_text(watched: Watched, pattern: str) -> None:
    deadline = time.monotonic() + GENEROUS_S
    while not re.search(pattern, watched.text):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the page does not say {pattern!r}: {watched.text}")
        watched.page.wait_for_timeout(200)


def publish(url: str, *sent: tuple[str, bytes]) -> None:
    async def everything() -> None:
        port = int(url.rpartition(":")[2])
        async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            for topic, payload in sent:
                await client.publish(topic, payload, qos=1)

    with ThreadPoolExecutor(1) as pool:  # the browser has an event loop in this thread
        pool.submit(asyncio.run, everything()).result(GENEROUS_S)


def hostile(name: str) -> list[tuple[str, bytes]]:
    """Well-formed messages whose texts and numbers are not, and bytes that are no message."""
    place = {"node": "evil", "device": name}
    state = messages.DeviceState("ready", 1, "pi", SCRIPT, b"\0" * 8, reason=SCRIPT)
    telemetry = messages.Telemetry(2**64 - 1, {"rtt_ms": 2**64 - 1, SCRIPT: 1}, {"done": 1e300, "samples": -1e300})
    not_a_number = cbor2.dumps({"ts": 1, "progress": {"done": float("nan")}})
    description = b'{"jrg:board": "' + SCRIPT.encode() + b'", "jrg:ramBytes": ' + b"9" * 400 + b"}"
    return [
        (build(TopicKind.DEVICE_STATE, FLEET, **place), messages.encode(state)),
        (build(TopicKind.TELEMETRY, FLEET, **place), messages.encode(telemetry)),
        (build(TopicKind.TELEMETRY, FLEET, **place), not_a_number),
        (build(TopicKind.DEVICE_DESCRIPTION, FLEET, **place), description),
        (build(TopicKind.RUN, FLEET), b"\xff" * 50),
        (build(TopicKind.UPDATE, FLEET, node="evil", run="seen", round=1), b"\xff" * 500),
        (f"jaragua/1/{FLEET}/node/<script>/$state", b"x"),
    ]


def test_a_live_fleet_is_watched_from_its_first_device_to_its_evaluation(
    browser: Any, forker: Forker, tmp_path: Path
) -> None:
    path = tmp_path / "seen.toml"
    with Broker() as broker, dashboard("--broker", broker.url, "--fleet", FLEET) as url:
        path.write_text(CONFIGURATION.format(fleet=FLEET, folder=tmp_path / "seen", url=broker.url), encoding="utf-8")
        watched = Watched(browser)
        watched.page.goto(url)
        wait_for_text(watched, "No run is announced on the broker")
        where = ("--broker", broker.url, "--fleet", FLEET, "--model", "sine")
        clients = [
            forker.start(["client", *where, "--node", name, "--data-dir", str(tmp_path / name)]) for name in CLIENTS
        ]
        wait_for_text(watched, r"devices present\s+2 of 2")
        assert forker.start(["run", str(path)], tmp_path / "run").wait() == 0
        wait_for_text(watched, r"seen-\w+: finished after 4 of 4 rounds")
        wait_for_text(watched, r"rounds with updates\s+4")
        assert watched.page.locator("svg path").count() > 4, "curves are drawn"
        publish(broker.url, *hostile("board-66"))
        wait_for_text(watched, r"board-66[\s\S]*" + re.escape(SCRIPT))
        wait_for_text(watched, r"Messages that were not used here: format \(\d+\)")
        assert forker.start(["evaluate", str(tmp_path / "seen"), "--tasks", "2", "--device", "pi-1"]).wait() == 0
        wait_for_text(watched, r"pi-1\s+2\s+[\d.]+\s+[\d.]+")
        for client in clients:
            client.terminate()
            client.wait()
        wait_for_text(watched, r"pi-1\s+pi, \S+\s+pi-1\s+disconnected")
        assert (watched.elsewhere, watched.complaints) == ([], [])


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ended") / "run"
    words = ["--rounds", "5", "--set", "evaluation.tasks=4", "--directory", str(folder)]
    assert run(["simulate", "--task", "digits", *words]) == 0
    return folder


@pytest.fixture(scope="module")
def address(ended: Path) -> Iterator[str]:
    with dashboard(str(ended)) as url:
        yield url


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1200, "light")])
def test_a_run_that_has_ended_is_shown_on_any_screen(browser: Any, address: str, width: int, scheme: str) -> None:
    watched = Watched(browser, width=width, scheme=scheme)
    watched.page.goto(address)
    wait_for_text(watched, "finished, 5 of 5 rounds")
    assert not watched.overflows
    tree = watched.page.locator("body").aria_snapshot()
    for expected in ("main", "status", "heading", "table", 'img "loss by round'):
        assert expected in tree
    watched.page.keyboard.press("Tab")
    assert watched.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert watched.page.evaluate("document.body.classList.contains('body--dark')") == (scheme == "dark")
    assert (watched.elsewhere, watched.complaints) == ([], [])


def test_another_name_of_this_machine_is_refused(address: str) -> None:
    """A page elsewhere that resolves its name to loopback must not read the fleet."""
    request = urllib.request.Request(address, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=GENEROUS_S)


def test_a_fleet_s_graph_is_shown_with_what_each_device_can_learn(browser: Any, tmp_path: Path) -> None:
    """S4.4, S5: the graph is another process's; a description that is refused while the page is open appears on it."""
    graph = tmp_path / "graph"
    place = f"jaragua/1/{FLEET}/node/gw/dev"
    with Broker() as broker:
        with GraphStore(graph) as store:
            add_zoo(store)
            assert store.offer_thing(described_board("nano33ble_sense", "board-1"), f"{place}/board-1/$td") == []
            assert store.offer_thing(described_board("esp32dev", "board-2"), f"{place}/board-2/$td") == []
        with dashboard("--broker", broker.url, "--fleet", FLEET, "--graph", str(graph)) as url:
            watched = Watched(browser)
            watched.page.goto(url)
            wait_for_text(watched, r"board-1\s+board, nano33ble_sense, cortex_m4\s+[\d,]+ B RAM, [\d,]+ B flash")
            wait_for_text(watched, r"accelerometer, gesture, [\s\S]*digits \(w16\)")
            wait_for_text(watched, "digits: there is no build for its core xtensa_lx6")
            wait_for_text(watched, "No description is refused")
            broken = described_board("pico", "board-3").replace(b'"Thing"', b'"Nothing"')
            with GraphStore(graph) as store:
                assert store.offer_thing(broken, f"{place}/board-3/$td")
            wait_for_text(watched, r'board-3/\$td\s+[\s\S]*a description has "@type": "Thing"')
            assert (watched.elsewhere, watched.complaints) == ([], [])


def described_board(kind: str, name: str) -> bytes:
    facts = {"kind": "board", "fleet": FLEET, "node": "gw", "device": name, **typed_facts(kind)}
    topic = build(TopicKind.DEVICE_STATE, FLEET, node="gw", device=name)
    state = readable("State", record(), Address("mqtt://127.0.0.1:1883", topic))
    return as_json(thing_description(Thing(f"{FLEET}/{name}", name, facts, {"state": state})))


def test_a_graph_that_is_none_is_a_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["dashboard", "--broker", "mqtt://127.0.0.1:1", "--graph", str(tmp_path / "none")]) == 9
    assert "there is no graph in" in capsys.readouterr().err


def test_nothing_to_show_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dashboard"]) == 2
    assert "there is nothing to show" in capsys.readouterr().err


def test_the_report_is_read_in_the_browser(browser: Any, ended: Path, tmp_path: Path) -> None:
    """Its content security policy lets it load nothing, and it fits a narrow screen."""
    assert run(["report", str(ended), "--out", str(tmp_path / "report.html")]) == 0
    watched = Watched(browser, width=390, scheme="dark")
    watched.page.goto((tmp_path / "report.html").as_uri())
    assert not watched.overflows
    assert watched.page.locator("figure svg").count() == 2
    assert watched.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 24, 23)"
    assert 'img "Loss by round' in watched.page.locator("body").aria_snapshot()
    assert (watched.elsewhere, watched.complaints) == ([], [])
