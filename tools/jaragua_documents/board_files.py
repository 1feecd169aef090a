"""PlatformIO's files of the boards (tools/platform/boards) and their table, from the one list of environments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jaragua.boards import Environment, environment, environments
from jaragua.experiments.boards.figures import BoardFigures, stored
from jaragua_documents.markdown import code, table

FOLDER: Final = Path(__file__).parents[1] / "platform" / "boards"
_PAGE: Final = "docs/how-to/flash-a-board.md"
#: A process of this computer may take what it likes.
_UNBOUNDED_BYTES: Final = 1 << 30
_EMULATORS: Final = {"": "none", "qemu": "QEMU", "rp2040js": "rp2040js", "process": "this computer"}
#: At the top of a board's RAM, outside its variables (firmware/ports/bare/jrg_boot.h).
_BOOT_BYTES: Final = 64


def files() -> Mapping[Path, str]:
    """Path -> text of every file of a board that the project's own platform builds for."""
    return {FOLDER / f"{one.name}.json": _text(one) for one in environments() if not one.needs_a_framework}


def write() -> None:
    """Writes them, and removes those of boards that are no more."""
    wanted = files()
    for path in set(FOLDER.glob("*.json")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


def _text(one: Environment) -> str:
    described = {
        "name": one.title,
        "vendor": "Jaragua",
        "url": _PAGE,
        "build": {"core": one.core},
        "upload": {
            "maximum_ram_size": one.ram.size_bytes - _BOOT_BYTES if one.ram.size_bytes else _UNBOUNDED_BYTES,
            "maximum_size": one.flash.size_bytes or _UNBOUNDED_BYTES,
        },
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def environment_table() -> str:
    """Every environment of platformio.ini that is for a board: its line, how an image gets there, what runs it here."""
    rows = (
        (
            code(one.name),
            one.title,
            one.core.replace("cortex_m", "Cortex-M").replace("plus", "+"),
            one.serial,
            ", ".join(code(method) for method in one.upload),
            _EMULATORS[one.emulator],
        )
        for one in environments()
        if one.is_a_board
    )
    return table(("environment", "board", "core", "serial line", "upload", "emulator"), rows)


def emulated_table() -> str:
    """Every environment whose image `jaragua emulate` runs."""
    rows = (
        (code(one.name), one.title, code(f"{one.qemu} -M {one.machine}") if one.machine else _EMULATORS[one.emulator])
        for one in environments()
        if one.is_emulated
    )
    return table(("environment", "what it is", "runs on"), rows)


def figures_table() -> str:
    """What the firmware takes of each board (figures.json)."""
    header = (
        "environment",
        "network",
        "RAM (of all), bytes",
        "flash (of all), bytes",
        "stack used",
        "instructions a step",
    )
    return table(header, (_figures_row(one) for one in stored()))


def _figures_row(one: BoardFigures) -> tuple[str, ...]:
    board = environment(one.environment)
    elsewhere = "" if one.counted_on in ("", one.environment) else f" ({code(one.counted_on)})"
    return (
        code(one.environment),
        code(one.model),
        f"{one.ram_bytes:,} ({board.ram.size_bytes:,})",
        f"{one.flash_bytes:,} ({board.flash.size_bytes:,})",
        f"{one.stack_used_bytes:,} of {one.stack_bytes:,}" if one.stack_used_bytes else f"of {one.stack_bytes:,}",
        f"{one.instructions:,}{elsewhere}" if one.instructions else "",
    )
