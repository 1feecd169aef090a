"""Thing Descriptions as nodes publish them, for the tests of this room."""

from __future__ import annotations

import json
from typing import Any

from jaragua.node.connection.url import parse_broker_url
from jaragua.node.description import DeviceFacts, Place, describe_device, describe_node, facts_of_board
from jaragua.semantics.things.statements import Statements
from jaragua.wire.messages import Identity


def identity(**changes: object) -> Identity:
    """What a board answers; `changes` of its fields."""
    fields: dict[str, object] = {
        "id": 1,
        "major": 1,
        "minor": 0,
        "firmware": "1.0.0",
        "build": bytes(range(8)),
        "board": "nano33ble",
        "uid": bytes.fromhex("0011223344556677"),
        "model": "digits",
        "architecture": bytes.fromhex("6bab2cc7ad7bf40f"),
        "blob_bytes": 4928,
        "inputs": 64,
        "outputs": 10,
        "classifier": True,
        "staged": b"",
        "working": b"",
        "mtu": 240,
        "window": 8,
        "reset_cause": 1,
        "ram_bytes": 24000,
        "flash_bytes": 60000,
        "arena_bytes": 544,
        "operators": 0b111 | 1 << 17,
    }
    return Identity(**(fields | changes))  # type: ignore[arg-type]


OWNER = Statements(sensors=("accelerometer", "microphone"), place="kitchen", link_bytes_per_second=11520)


def place(url: str = "mqtt://127.0.0.1:1883") -> Place:
    return Place(parse_broker_url(url), "home", "gateway-1")


def board_document(
    identity: Identity, stated: Statements = OWNER, url: str = "mqtt://127.0.0.1:1883"
) -> dict[str, Any]:
    facts = facts_of_board("board-1", identity, stated)
    found: dict[str, Any] = json.loads(describe_device(place(url), "board-1", facts))
    return found


def node_document(kind: str = "gateway") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(describe_node(place(), kind))
    return found


def pi_document() -> dict[str, Any]:
    facts = DeviceFacts("home/pi-1/pi-1", "pi-1 (aarch64)", {"kind": "pi", "board": "aarch64", "engine": "native"})
    found: dict[str, Any] = json.loads(describe_device(place(), "pi-1", facts))
    return found
