"""The mosquitto configuration Jaragua runs with: pure text, no files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
#: What queues are sized for.
FLEET_DEVICES = 10_000


@dataclass(frozen=True)
class Limits:
    """What one client may ask of the broker.

    A retained blob is the largest message (32 bits a weight of the largest network a board can hold, some
    100 KB); the packet limit leaves room for far larger Pi models and still bounds what one client can make
    the broker allocate. A client that subscribes gets at once what is retained of a fleet of FLEET_DEVICES devices:
    the state and the description of each, and of its node.
    """

    max_packet_bytes: int = 8 * 1024 * 1024
    max_inflight_messages: int = 512
    max_queued_messages: int = 4 * FLEET_DEVICES
    max_queued_bytes: int = 64 * 1024 * 1024
    max_keepalive_seconds: int = 300


@dataclass(frozen=True)
class Secured:
    """Files of a broker that only lets in who has a certificate of its authority, and limits what each may do."""

    authority: Path
    certificate: Path
    key: Path
    revoked: Path
    access_list: Path

    def stamp(self) -> tuple[tuple[int, int], ...]:
        """Changes when one of the files does. Raises: OSError."""
        files = (self.authority, self.certificate, self.key, self.revoked, self.access_list)
        return tuple((found.st_mtime_ns, found.st_ino) for found in map(Path.stat, files))


@dataclass(frozen=True)
class Endpoint:
    """Where a broker listens. name: what its URL says, the address if it is empty.

    is_audited: its log has debug messages, for `audit` to pick refusals from. port: where nodes were told to look for
    it, None if they were not.
    """

    address: str = LOOPBACK
    secured: Secured | None = None
    name: str = ""
    is_audited: bool = True
    port: int | None = None

    def url(self, port: int) -> str:
        """What nodes and the coordinator are given."""
        host = self.name or self.address
        return f"{'mqtts' if self.secured else 'mqtt'}://{f'[{host}]' if ':' in host else host}:{port}"


def render(port: int, data_dir: Path, user: str, limits: Limits | None = None, endpoint: Endpoint | None = None) -> str:
    """The configuration of a broker that keeps its retained messages in `data_dir`; without an endpoint on loopback.

    `user` is the account mosquitto stays with when it is started by root (it would switch to its own, which
    may not write to `data_dir`).
    """
    bounds, endpoint = limits or Limits(), endpoint or Endpoint()
    lines = [
        "# Made by jaragua_broker; changes are overwritten at the next start.",
        f"listener {port} {endpoint.address}",
        *_identities(endpoint.secured),
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
        *_log(is_audited=endpoint.is_audited and endpoint.secured is not None),
    ]
    return "\n".join(lines) + "\n"


def _identities(secured: Secured | None) -> list[str]:
    """Who may connect."""
    if secured is None:
        # On loopback whoever can connect already runs on this machine; elsewhere the user has said so (--insecure).
        return ["allow_anonymous true"]
    return [
        "allow_anonymous false",
        f"cafile {secured.authority}",
        f"certfile {secured.certificate}",
        f"keyfile {secured.key}",
        f"crlfile {secured.revoked}",
        "tls_version tlsv1.2",  # the oldest one
        "require_certificate true",
        "use_identity_as_username true",
        f"acl_file {secured.access_list}",
    ]


def _log(*, is_audited: bool) -> list[str]:
    """mosquitto 2.0 tells refusals of its access list as debug messages alone; `audit` picks them out."""
    return (
        ["log_type debug", "log_type subscribe", "connection_messages true"]
        if is_audited
        else ["connection_messages false"]
    )
