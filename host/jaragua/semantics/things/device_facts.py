"""What is said of a device, and from where: its answer, its type of board, its owner (S2.3 to S2.7). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from jaragua.semantics.boards.board_types import BoardType, board_type, reserves
from jaragua.semantics.things.statements import Statements
from jaragua.semantics.things.thing_description import Fact
from jaragua.wire.definitions import Operator
from jaragua.wire.messages import Identity

NOTHING_STATED = Statements()
#: JRG_NODE_MODEL_RAM_BYTES: with more an image has one buffer for weights.
_TWO_BUFFERS_BYTES = 229_376


def operator_names(bits: int) -> list[str]:
    """The names of an image's operators (L4.1)."""
    return [one.name.lower() for one in Operator if bits >> one & 1]


def answered(identity: Identity) -> dict[str, Fact]:
    """What a board answers to IDENTIFY (L4.1)."""
    used: dict[str, Fact] = {"usedRamBytes": identity.ram_bytes} if identity.ram_bytes else {}
    used |= {"usedFlashBytes": identity.flash_bytes} if identity.flash_bytes else {}
    return {
        "board": identity.board,
        "uid": identity.uid.hex(),
        "firmware": identity.firmware,
        "build": identity.build.hex(),
        "protocol": f"{identity.major}.{identity.minor}",
        "model": identity.model,
        "architecture": identity.architecture.hex(),
        "blobBytes": identity.blob_bytes,
        "inputs": identity.inputs,
        "outputs": identity.outputs,
        "classifier": identity.classifier,
        "arenaBytes": identity.arena_bytes,
        "imageOperators": list(operator_names(identity.operators)),
        **({"prototypes": identity.prototypes} if identity.prototypes else {}),
        **used,
    }


def known_of(board: str, stated: Statements = NOTHING_STATED) -> dict[str, Fact]:
    """What a type of board and the owner say; the owner's word comes before the type's (S2.5)."""
    kind = board_type(stated.type or board)
    return _of_type(kind) | _of_owner(stated) if kind is not None else _of_owner(stated)


def device_facts(identity: Identity, stated: Statements = NOTHING_STATED) -> dict[str, Fact]:
    """All that is said of a board, with the memory that is free for a network (S2.7)."""
    facts = answered(identity) | known_of(identity.board, stated)
    return facts | free_memory(facts, board_type(stated.type or identity.board))


def typed_facts(board: str, stated: Statements = NOTHING_STATED) -> dict[str, Fact]:
    """What is said of a board that has not answered: its type's and its owner's."""
    facts: dict[str, Fact] = {"board": board, **known_of(board, stated)}
    return facts | free_memory(facts, board_type(stated.type or board))


def free_memory(facts: Mapping[str, Fact], kind: BoardType | None) -> dict[str, Fact]:
    """S2.7: RAM and flash for a network, where the whole and the rest of the firmware are known."""
    allowance = None if kind is None else reserves(kind)
    ram, flash = _rest_of_image(facts) if "usedRamBytes" in facts else (None, None)
    source = "answered" if ram is not None else "stated" if kind and kind.reserve_ram_bytes is not None else "allowance"
    ram = ram if ram is not None else allowance and allowance[0]
    flash = flash if flash is not None else allowance and allowance[1]
    found: dict[str, Fact] = {}
    for place, rest in (("Ram", ram), ("Flash", flash)):
        whole = facts.get(f"{place.lower()}Bytes")
        if isinstance(whole, int) and rest is not None:
            found[f"free{place}Bytes"] = max(0, whole - rest)
    return found | ({"freeMemorySource": source} if found else {})


def _rest_of_image(facts: Mapping[str, Fact]) -> tuple[int | None, int | None]:
    """What an image takes of RAM beside its network: all but the arena and the buffers for weights (L4.3)."""
    used, blob, arena = (cast("int", facts[name]) for name in ("usedRamBytes", "blobBytes", "arenaBytes"))
    buffers = 1 if 2 * blob + arena > _TWO_BUFFERS_BYTES else 2
    return max(0, used - arena - buffers * blob), None


def _of_type(kind: BoardType) -> dict[str, Fact]:
    facts: dict[str, Fact | None] = {
        "boardType": kind.name,
        "core": kind.core,
        "clockHz": kind.clock_hz,
        "ramBytes": kind.ram_bytes,
        "flashBytes": kind.flash_bytes,
        "supplyMillivolt": kind.supply_millivolt,
        "currentMicroampere": kind.current_microampere,
        "sensors": None if kind.sensors is None else list(kind.sensors),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _of_owner(stated: Statements) -> dict[str, Fact]:
    facts: dict[str, Fact | None] = {
        "sensors": None if stated.sensors is None else list(stated.sensors),
        "place": stated.place,
        "clockHz": stated.clock_hz,
        "ramBytes": stated.ram_bytes,
        "flashBytes": stated.flash_bytes,
        "supplyMillivolt": stated.supply_millivolt,
        "currentMicroampere": stated.current_microampere,
        "linkBytesPerSecond": stated.link_bytes_per_second,
        "reflash": stated.reflash,
    }
    return {name: value for name, value in facts.items() if value is not None}
