"""Which port a verb uses: the one there is, the one that is chosen, or what is wrong if there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaragua.cli import output
from jaragua.errors import PortError, UsageError

if TYPE_CHECKING:
    from jaragua.serial.ports.discovery import Port

PORT_HELP = "/dev/tty…, a pty, socket://host:port, or a serial number; default: the board that is plugged in."


def all_ports() -> list[Port]:
    """Serial ports of this machine, and emulated boards that run."""
    from jaragua.emulate.registry import running_boards
    from jaragua.serial.ports import system
    from jaragua.serial.ports.discovery import Port, ports

    emulated = [Port(board.url, "emulated", note=f"emulated board ({board.environment})") for board in running_boards()]
    return ports(system.HERE) + emulated


def chosen_port(given: str | None) -> str:
    """The port that was given, or the one board there is.

    given: a path or URL, the last part of one, or a board's USB serial number. Several boards are asked for on a
    terminal. Raises: PortError if there is none, UsageError if it is unclear which one is meant.
    """
    if given:
        return given_port(given)
    path = _one(all_ports())
    output.say(f"port {path}")
    return path


def given_port(given: str) -> str:
    """What was given as a port; the path of a serial number, or of a last part of a name."""
    if "/" in given:
        return given
    return next((port.path for port in all_ports() if port.is_called(given)), given)


def chosen_ports(given: Sequence[str]) -> list[str]:
    """As `chosen_port` for a verb that takes several ports: without any it is the one that is plugged in."""
    return [given_port(one) for one in given] or [chosen_port(None)]


def _one(ports: Sequence[Port]) -> str:
    """Of the ports that may be boards. The machine's own may be a console or a modem: they have to be named."""
    boards = [port for port in ports if port.kind != "built-in"]
    if not boards:
        raise _none([port for port in ports if port.kind == "built-in"])
    if len(boards) == 1:
        return boards[0].path
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        names = ", ".join(f"{port.path} ({port.title})" for port in boards)
        raise UsageError(f"{len(boards)} boards are plugged in: {names}", "name one of them with --port")
    return _asked(boards)


def _none(built_in: Sequence[Port]) -> PortError:
    from jaragua.serial.ports import diagnosis, system

    problem = diagnosis.no_port(system.HERE)
    names = ", ".join(port.path for port in built_in)
    own = f" A port of the machine itself is named: --port {names}." if names else ""
    return PortError(problem.what, problem.mend + own)


def _asked(ports: Sequence[Port]) -> str:
    """Let the person choose. Raises: UsageError at the end of the input."""
    for number, port in enumerate(ports, 1):
        serial = f", serial number {port.serial_number}" if port.serial_number else ""
        output.say(f"  {number}  {port.path}  {port.title}{serial}")
    while True:
        sys.stderr.write(f"Which one? [1-{len(ports)}] ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise UsageError("no board was chosen", "name one with --port")
        if line.strip().isdecimal() and 1 <= int(line) <= len(ports):
            return ports[int(line) - 1].path
