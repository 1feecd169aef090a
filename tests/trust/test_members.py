"""G8, G9: members of a fleet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jaragua.coordinator.connection.gate import PublicGate
from jaragua.coordinator.connection.roster import Roster
from jaragua.errors import ConfigurationError
from jaragua.node.connection.sieve import Sieve, Verdict
from jaragua.trust.members import Members, MembersFile, read, written

MEMBERS = Members({"gw-1": ("board-1", "board-2"), "gw-2": ("*",), "pi-1": ("pi-1",)})


@pytest.mark.parametrize(
    ("node", "device", "admitted"),
    [
        ("gw-1", "board-1", True),
        ("gw-1", "board-3", False),
        ("gw-2", "board-3", True),
        ("gw-2", "board-1", False),  # G9: it is listed with gw-1
        ("gw-2", "pi-1", False),  # G9: a node's own device
        ("gw-2", "gw-1", False),
        ("pi-1", "pi-1", True),
        ("stranger", "board-3", False),
    ],
)
def test_g9_a_device_belongs_to_its_node(node: str, device: str, admitted: bool) -> None:
    assert MEMBERS.admits(node, device) is admitted


@pytest.mark.parametrize(
    ("topic", "verdict"),
    [
        ("node/gw-1/$state", Verdict.READ),
        ("node/gw-1/dev/board-1/$state", Verdict.READ),
        ("node/gw-1/dev/board-9/$state", Verdict.STRANGER),
        ("node/stranger/$state", Verdict.STRANGER),
        ("node/stranger/up/r/1", Verdict.STRANGER),
        ("run", Verdict.READ),
    ],
)
def test_g8_a_gate_tells_a_stranger_by_the_topic(topic: str, verdict: Verdict) -> None:
    counted: list[bytes] = []
    gate = PublicGate("home", Roster(), b"me")
    gate.members, gate.on_stranger = lambda: MEMBERS, counted.append
    name = f"jaragua/1/home/{topic}".encode()
    assert gate.admits(name, b"", 0.0, is_retained=False) is verdict
    assert counted == ([name] if verdict is Verdict.STRANGER else [])
    assert not gate.has_missed_some


def test_g8_what_a_stranger_sends_is_acknowledged_and_not_read_on() -> None:
    """10,000 messages of one that is no member: none reaches the client library, each is counted."""
    counted: list[bytes] = []
    dropped: list[int] = []
    gate = PublicGate("home", Roster(), b"me")
    gate.members, gate.on_stranger = lambda: MEMBERS, counted.append
    sieve = Sieve(gate, lambda count, topic: dropped.append(count))
    topic = b"jaragua/1/home/node/stranger/up/r/1"
    body = len(topic).to_bytes(2, "big") + topic + b"\0\7" + b"\0" + b"x"
    packet = bytes([0x32, len(body)]) + body
    kept, acknowledged = sieve.sift(packet * 10_000, 0.0)
    assert kept == b""
    assert acknowledged == b"\x40\x02\0\7" * 10_000
    assert len(counted) == 10_000
    assert dropped == []


def test_a_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "members.toml"
    path.write_text(written({"gw-2": ("*",), "pi-1": ("pi-1",)}), encoding="utf-8")
    assert len(read(path)) == 2
    assert read(path).admits("gw-2", "x")


@pytest.mark.parametrize(
    "text", ["", "nodes = 1", "[nodes]\nA = ['*']", "[nodes]\na = []", "[nodes]\na = ['B']", "[other]", "x ="]
)
def test_a_list_that_is_none_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "members.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"members\.toml"):
        read(path)


def test_g13_a_changed_list_is_read_within_a_second(tmp_path: Path) -> None:
    path, now = tmp_path / "members.toml", [0.0]
    path.write_text(written({"pi-1": ("*",)}), encoding="utf-8")
    file = MembersFile(path, lambda: now[0])
    other = tmp_path / "other"
    other.write_text(written({"pi-2": ("*",)}), encoding="utf-8")
    os.replace(other, path)
    assert file.members.has_node("pi-1")
    now[0] = 1.0
    assert file.members.has_node("pi-2")
    assert not file.members.has_node("pi-1")
    path.write_text("broken", encoding="utf-8")
    now[0] = 2.0
    assert file.members.has_node("pi-2")
