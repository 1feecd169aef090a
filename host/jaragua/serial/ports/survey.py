"""Asks each board who it is, all ports at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from jaragua.errors import BoardError, PortError
from jaragua.serial import lines
from jaragua.serial.board import Board
from jaragua.serial.failures import BoardVersionError
from jaragua.serial.patience import Patience, patience_of
from jaragua.serial.ports.discovery import Port
from jaragua.serial.ports.holders import holders
from jaragua.serial.tap.client import TapConnection, attach

#: Of the usual time for a HELLO (L5.1). A board that is reset as its port opens answers after a second or two.
_GREETING_SHARE: Final = 0.3
#: For how long a gateway may take to say which board it has, and its health; it says so at once if it knows.
_GATEWAY_S: Final = 1.0

State = Literal["ready", "in use", "silent", "other version", "unusable", "not asked"]


@dataclass(frozen=True)
class Found:
    """A port and who answered there. `why`: the sentence and the hint where nobody did.

    who: fields of the board's identity (L4.1), bytes as hexadecimal digits. health: its counters (L4.8).
    """

    port: Port
    state: State
    who: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    health: Mapping[str, Any] = field(default_factory=dict)


def quick() -> Patience:
    """The patience of who asks all ports: less than that of who knows that a board is there."""
    usual = patience_of(None)
    return replace(usual, greeting_s=_GREETING_SHARE * usual.greeting_s)


async def survey(found: Sequence[Port], patience: Patience | None = None) -> list[Found]:
    """Asks every board on USB and every emulated one; ports of the machine itself are left alone."""
    return list(await asyncio.gather(*(_ask(port, patience or quick()) for port in found)))


async def _ask(port: Port, patience: Patience) -> Found:
    if port.kind == "built-in":
        return Found(port, "not asked", why="Something else than a board may be there; give it with --port.")
    if (tap := await attach(port.path)) is not None:
        return await _of_gateway(port, tap)
    if "://" not in port.path and (others := holders(port.path)):
        return Found(port, "in use", why=f"{', '.join(map(str, others))} has it.")
    try:
        async with Board(port.path, patience=patience) as board:
            who, health = lines.of_message(board.identity).fields, lines.of_message(await board.health()).fields
            return Found(port, "ready", who, health=health)
    except BoardVersionError as error:
        return Found(port, "other version", why=_words(error))
    except BoardError as error:
        return Found(port, "silent", why=_words(error))
    except PortError as error:
        return Found(port, "unusable", why=_words(error))


async def _of_gateway(port: Port, tap: TapConnection) -> Found:
    """What a gateway knows of the board on its port; its newest identity and health are the first lines (T7)."""
    known: dict[str, Mapping[str, Any]] = {}
    try:
        async with asyncio.timeout(_GATEWAY_S):
            async for line in tap.lines():
                known[line.kind] = line.fields
                if line.kind == "health":
                    break
    except TimeoutError:
        pass
    finally:
        await tap.close()
    why = f"Gateway {tap.hello.get('node')} (process {tap.hello.get('process')}) has it."
    return Found(port, "in use", known.get("identity", {}), why, known.get("health", {}))


def _words(error: BoardError | PortError) -> str:
    return f"{error.message}. {error.hint}" if error.hint else error.message
