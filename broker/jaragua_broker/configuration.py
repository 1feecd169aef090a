"""The mosquitto configuration Jaragua runs with: pure text, no files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Limits:
    """What one client may ask of the broker.

    A retained blob is the largest message (32 bits a weight of the largest network a board can hold, some
    100 KB); the packet limit leaves room for far larger Pi models and still bounds what one client can make
    the broker allocate.
    """

    max_packet_bytes: int = 8 * 1024 * 1024
    max_inflight_messages: int = 64
    max_queued_messages: int = 4096
    max_queued_bytes: int = 64 * 1024 * 1024
    max_keepalive_seconds: int = 300


def render(port: int, data_dir: Path, user: str, limits: Limits | None = None) -> str:
    """The configuration of a loopback broker that keeps its retained messages in `data_dir`.

    `user` is the account mosquitto stays with when it is started by root (it would switch to its own, which
    may not write to `data_dir`).
    """
    bounds = limits or Limits()
    lines = [
        "# Made by jaragua_broker; changes are overwritten at the next start.",
        f"listener {port} {LOOPBACK}",
        # Loopback only: whoever can connect already runs on this machine.
        "allow_anonymous true",
        f"user {user}",
        "persistence true",
        f"persistence_location {data_dir}/",
        "autosave_interval 30",
        "persistent_client_expiration 1d",
        f"max_packet_size {bounds.max_packet_bytes}",
        f"message_size_limit {bounds.max_packet_bytes}",
        f"max_inflight_messages {bounds.max_inflight_messages}",
        f"max_queued_messages {bounds.max_queued_messages}",
        f"max_queued_bytes {bounds.max_queued_bytes}",
        f"max_keepalive {bounds.max_keepalive_seconds}",
        # Rounds are made of small messages that wait for each other.
        "set_tcp_nodelay true",
        "sys_interval 0",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",
        "connection_messages false",
    ]
    return "\n".join(lines) + "\n"
