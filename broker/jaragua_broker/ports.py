"""Which port a broker listens on: what was asked for, what its data folder had, what nodes were told, or a free one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jaragua_broker.configuration import LOOPBACK
from jaragua_broker.errors import StartError
from jaragua_broker.probe import accepts_mqtt

#: The port of MQTT (IANA), and what a run's configuration takes if it says nothing.
USUAL_PORT = 1883
_MOST_PORT = 65535
#: Ports behind the usual one that are tried before any free one: a second start finds the same.
_NEXT_PORTS = 9
_ANY_PORT_ATTEMPTS = 8
_KEPT = "port"
_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@dataclass(frozen=True)
class Refused:
    """A port that could not be had, and why: words that follow "port 80 …". may_pass: whether it may be free soon."""

    port: int
    reason: str
    hint: str = "give another one with --port, or none to pick a free one"
    may_pass: bool = False


@dataclass(frozen=True)
class Choice:
    """Ports to try, in this order. is_fixed: the first is the only one; whose: why it is."""

    ports: Iterator[int]
    is_fixed: bool
    whose: str = ""


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def choose(wanted: int | None, kept: int | None, told: int | None, first: int | None) -> Choice:
    """wanted: on the command line. kept: of the data folder, where nodes look for it. told: what identities name.

    first: tried before any other.
    """
    if wanted is not None:
        return Choice(iter((wanted,)), True)
    if kept is not None:
        return Choice(iter((kept,)), True, "the data folder's broker had it before, and nodes look for it there")
    if told is not None:
        return Choice(iter((told,)), True, "the identities of the fleet name it, and nodes look for it there")
    return Choice(_some_port(first), False)


def _some_port(first: int | None) -> Iterator[int]:
    if first is not None:
        yield from range(first, min(first + _NEXT_PORTS, _MOST_PORT) + 1)
    for _ in range(_ANY_PORT_ATTEMPTS):
        yield free_port()


def refused(port: int, address: str = LOOPBACK) -> Refused | None:
    """Why no broker could listen on a port now; None: it could."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as mosquitto does
            probe.bind((address, port))
            probe.listen()
    except OSError as error:
        return why_refused(port, error)
    return None


def why_refused(port: int, error: OSError) -> Refused:
    """The words for an error of `bind` or `listen`."""
    if error.errno == errno.EADDRINUSE:
        return taken(port)
    if error.errno in (errno.EACCES, errno.EPERM):
        lowest = _lowest_of_users()
        reason = f"may not be opened: ports below {lowest} need root's rights"
        return Refused(port, reason, f"give one from {lowest} up with --port, or none to take {USUAL_PORT}")
    if error.errno == errno.EADDRNOTAVAIL:
        return Refused(
            port, "cannot be opened: this machine has not that address", "give one it has with --bind, and a --port"
        )
    return Refused(port, f"cannot be opened: {error.strerror}")


def taken(port: int) -> Refused:
    """A port that another program has, and whether a broker could be used there."""
    if accepts_mqtt(LOOPBACK, port):
        hint = f"use that broker (mqtt://{LOOPBACK}:{port}), end it, or give another port with --port"
        return Refused(port, "is taken by another MQTT broker", hint, may_pass=True)
    return Refused(port, "is taken by another program", may_pass=True)


def _lowest_of_users() -> int:
    try:
        return int(_UNPRIVILEGED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 1024


def kept(data_dir: Path) -> int | None:
    """The port that a data folder's broker had last, None if it had none. Raises: StartError if that is not known."""
    path = data_dir / _KEPT
    try:
        port = int(path.read_text(encoding="ascii"))
        if 0 < port <= _MOST_PORT:
            return port
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        pass
    raise StartError(f"{path} does not hold a port", "remove that file, and give the port that nodes use with --port")


def keep(data_dir: Path, port: int) -> None:
    """The next broker of this data folder is found where this one was. Raises: OSError."""
    (data_dir / _KEPT).write_text(f"{port}\n", encoding="ascii")
