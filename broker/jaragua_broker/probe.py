"""Ask whether an MQTT 5 broker answers, with one CONNECT and nothing else."""

from __future__ import annotations

import socket

# CONNECT (MQTT 5.0, 3.1): protocol name "MQTT", version 5, clean start, keep-alive 10 s, no properties,
# empty client identifier (the broker assigns one).
_CONNECT = b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x00"
_DISCONNECT = b"\xe0\x00"
_CONNACK = 0x20
_SUCCESS = 0


def accepts_mqtt(host: str, port: int, timeout_seconds: float = 1.0) -> bool:
    """True if a broker at host:port answers CONNECT with success (CONNACK, MQTT 5.0, 3.2)."""
    try:
        with socket.create_connection((host, port), timeout_seconds) as connection:
            connection.sendall(_CONNECT)
            answer = _read(connection, 4)
            connection.sendall(_DISCONNECT)
    except OSError:
        return False
    # fixed header (type, remaining length), then acknowledge flags and the reason code
    return len(answer) == 4 and answer[0] == _CONNACK and answer[3] == _SUCCESS


def _read(connection: socket.socket, count: int) -> bytes:
    """Up to `count` bytes; fewer if the other side closes."""
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            break
        data += part
    return data
