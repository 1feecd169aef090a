"""MQTT 5 packets as bytes, for tests that speak to a broker or a node without a client."""

from __future__ import annotations

import struct


def length(count: int) -> bytes:
    """A remaining length (MQTT 5.0, 1.5.5)."""
    encoded = b""
    while True:
        count, low = divmod(count, 128)
        encoded += bytes([low | (0x80 if count else 0)])
        if not count:
            return encoded


def publish(topic: bytes, payload: bytes = b"", qos: int = 1, number: int = 7, retain: bool = False) -> bytes:
    """MQTT 5.0, 3.3, without properties."""
    body = struct.pack(">H", len(topic)) + topic + (struct.pack(">H", number) if qos else b"") + b"\0" + payload
    return bytes([0x30 | qos << 1 | retain]) + length(len(body)) + body
