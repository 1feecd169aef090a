"""The view of a fleet that only reads: what it believes, what it keeps, and that no message ends it (P1, P3)."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import replace
from typing import Any

import pytest

from jaragua.dashboard.content import snapshot
from jaragua.observe import fleet_view
from jaragua.observe.fleet_view import FleetView
from jaragua.wire import messages
from jaragua.wire.topics import TopicKind, build

FLEET, NOW = "home", 1_000_000
BLOB = b"weights"


def header(device: str = "board-1", round_number: int = 1, loss: float = 1.0) -> messages.UpdateHeader:
    return messages.UpdateHeader(
        run="r1", round=round_number, device=device, attempt=1, base=b"\0" * 32, encoding="blob", samples=10, loss=loss,
        metric="accuracy", score=0.5, instructions=7, bytes=len(BLOB), sha256=b"\1" * 32,
    )  # fmt: skip


def run_state(run: str = "r1") -> messages.RunState:
    return messages.RunState(run, 1, 3, "training", "digits", "ab" * 8, b"\0" * 32, 0, 1)


def topic(kind: TopicKind, **parts: str | int) -> str:
    return build(kind, FLEET, **parts)


def told(view: FleetView, kind: TopicKind, message: messages.Message, **parts: str | int) -> None:
    view.take(topic(kind, **parts), messages.encode(message), NOW)


def update(view: FleetView, one: messages.UpdateHeader) -> None:
    payload = messages.pack_update(one, BLOB)
    view.take(topic(TopicKind.UPDATE, node="gateway-1", run=one.run, round=one.round), payload, NOW)


def acknowledged(view: FleetView, one: messages.UpdateHeader, result: str = "stored", reason: str = "") -> None:
    ack = messages.UpdateAck(one.run, one.round, one.device, one.attempt, result, reason)
    told(view, TopicKind.ACK, ack, node="gateway-1", run=one.run, round=one.round)


@pytest.fixture
def view() -> FleetView:
    found = FleetView()
    told(found, TopicKind.RUN, run_state())
    for device in ("board-1", "board-2", "board-3"):
        state = messages.DeviceState("ready", 1, "cortex-m4", "digits", b"\0" * 8)
        told(found, TopicKind.DEVICE_STATE, state, node="gateway-1", device=device)
    return found


def test_an_update_counts_once_the_coordinator_has_stored_it(view: FleetView) -> None:
    """M2."""
    sent = [header(f"board-{number:g}", loss=number) for number in (1.0, 2.0, 3.0)]
    for one in sent:
        update(view, one)
    assert not view.rounds
    for one in [*sent, sent[0]]:
        acknowledged(view, one)
    assert view.rounds[1]["loss"] == pytest.approx(2.0)
    assert view.rounds[1]["bytes_up"] == 3 * len(BLOB)
    assert view.devices["board-1"].updates == view.devices["board-2"].updates == 1
    shown = snapshot(view, None, NOW, connected=True)
    assert shown.loss.y == [2.0]
    assert shown.loss.low[0] < 2.0 < shown.loss.high[0]


def test_a_rejected_update_is_kept_with_its_reason(view: FleetView) -> None:
    update(view, header())
    acknowledged(view, header(), "rejected", "the loss is\x1b[2J absurd")
    assert not view.rounds
    assert [(one.device, one.result, one.reason) for one in view.refused] == [
        ("board-1", "rejected", "the loss is\\x1b[2J absurd")
    ]
    shown = snapshot(view, None, NOW, connected=True)
    assert shown.refused.rows == (("1", "board-1", "rejected", "the loss is\\x1b[2J absurd"),)


def test_health_of_a_board_is_shown_in_words(view: FleetView) -> None:
    """L4.8, in the fields that a gateway publishes."""
    health = messages.Health(1, 900, 5, 6, 70, 80, 2, 1, 7, 0, 3, 640, 1024, 12, 40_000, 60, 120)
    counters = {name: value for name, value in dataclasses.asdict(health).items() if name != "id"}
    told(view, TopicKind.TELEMETRY, messages.Telemetry(1, counters), node="gateway-1", device="board-1")
    line = snapshot(view, None, NOW, connected=True).devices.rows[0]
    words = "640 B stack free, flash saved 12 of 40,000 times, 500 erase operations in 1,000 jobs that train"
    assert line[5:7] == ("2 sent again, 7 damaged, 1 NAKs, 3 ms", words)


def test_another_run_begins_with_nothing(view: FleetView) -> None:
    update(view, header())
    acknowledged(view, header())
    result = messages.AdaptResult("r1", "board-1", 0, b"\0" * 32, True, "accuracy", 0.1, 0.7, 10, 5)
    told(view, TopicKind.REPLY, result, asker="abc")
    shown = snapshot(view, None, NOW, connected=True)
    assert shown.adaptation.rows == (("board-1", "1", "10.0 %", "70.0 %"),)
    told(view, TopicKind.RUN, run_state("r2"))
    assert not view.rounds
    assert not view.devices["board-1"].after


ANSWERED = messages.AdaptResult(
    "r1",
    "board-1",
    0,
    b"\0" * 32,
    True,
    "accuracy",
    0.1,
    0.75,
    4,
    5,
    None,
    ("no", "yes"),
    ((1, 1, 0), (0, 2, 0)),
    (3, 2),
)


def test_m30_classes_have_their_recall_and_the_devices_that_enrolled_them(view: FleetView) -> None:
    for _ in range(2):
        told(view, TopicKind.REPLY, ANSWERED, asker="abc")
    shown = snapshot(view, None, NOW, connected=True)
    assert shown.classes.rows == (("0", "no", "50.0 %", "board-1 (3)"), ("1", "yes", "100.0 %", "board-1 (2)"))
    told(view, TopicKind.RUN, run_state("r2"))
    assert not snapshot(view, None, NOW, connected=True).classes.rows


@pytest.mark.parametrize(
    "changes",
    [
        {"confusion": ((1, 1, 0), (0, 1, 0))},
        {"confusion": ((1, 1, 0, 0), (0, 2, 0, 0))},
        {"confusion": ((1, 1, 0),) * 3},
        {"classes": None},
        {"after": 0.5},
        {"queries": 5},
        {"metric": "mse"},
    ],
    ids=str,
)
def test_m30_answers_that_contradict_one_another_are_counted_and_not_shown(
    view: FleetView, changes: dict[str, Any]
) -> None:
    told(view, TopicKind.REPLY, dataclasses.replace(ANSWERED, **changes), asker="abc")
    assert view.rejections.total == 1
    assert not view.devices["board-1"].after


def test_classes_of_ones_own_data_are_named(view: FleetView) -> None:
    """M17."""
    view.take(topic(TopicKind.BLOB, sha256="ab" * 32), b'{"classes": ["open", "<b>shut</b>"]}', NOW)
    shown = snapshot(view, None, NOW, connected=True)
    assert [row[1] for row in shown.classes.rows] == ["open", "<b>shut</b>"]


def test_what_is_kept_has_bounds(view: FleetView, monkeypatch: pytest.MonkeyPatch) -> None:
    """P3."""
    monkeypatch.setattr(fleet_view, "MOST_DEVICES", 4)
    monkeypatch.setattr(fleet_view, "MOST_ROUNDS", 4)
    state = messages.DeviceState("ready", 1, "pi", "m" * 5000, b"\0" * 8, reason="x" * 5000)
    for number in range(10):
        told(view, TopicKind.DEVICE_STATE, state, node="n", device=f"other-{number}")
        one = header(round_number=number + 1)
        update(view, one)
        acknowledged(view, one)
    assert len(view.devices) == 4
    assert len(view.devices["other-0"].reason) == 201
    assert list(view.rounds) == [7, 8, 9, 10]
    assert view.rejections.counts() == {"crowd": 9}


def test_p1_no_message_ends_the_view(view: FleetView, seed: int) -> None:
    draw = random.Random(seed)
    genuine = [
        messages.encode(run_state()),
        messages.pack_update(header(), BLOB),
        b'{"jrg:board": "x"}',
        b"",
        b"\xbf" * 99,
    ]
    parts = {"node": "n", "device": "d", "run": "r1", "round": 1, "verb": "train", "sha256": "ab" * 32, "asker": "a"}
    parts |= {"name": "progress", "call": "c"}
    for _ in range(3000):
        kind = draw.choice(list(TopicKind))
        wanted = {name: value for name, value in parts.items() if f"{{{name}}}" in kind.value} | (
            {"since": "1"} if "{since}" in kind.value else {}
        )
        payload = bytearray(draw.choice(genuine))
        for _ in range(draw.randrange(4)):
            if payload:
                payload[draw.randrange(len(payload))] = draw.randrange(256)
        view.take(topic(kind, **wanted), bytes(payload), NOW)
    view.take("jaragua/1/home/nothing", b"", NOW)
    assert view.rejections.total > 100
    assert snapshot(view, None, NOW, connected=True).devices.rows


def test_absurd_figures_leave_a_page(view: FleetView) -> None:
    """Somebody who may write on all topics can forge an acknowledgement, too. What is not finite is no message."""
    for one in (header(loss=1e300), replace(header("board-2"), score=1e300)):
        update(view, one)
        acknowledged(view, one)
    shown = snapshot(view, None, NOW, connected=True)
    assert all(abs(value) < 1e30 for value in (*shown.loss.y, *shown.score.y))
    assert shown.rounds.rows[0][1] == "out of range"


def test_without_a_broker_the_page_says_so(view: FleetView) -> None:
    assert snapshot(view, None, NOW, connected=False).status == "The broker is away; trying again."
