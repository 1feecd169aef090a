"""Images of what keeps a state on a board: its flash functions and jrg_keep, of the firmware's sources and flags."""

from __future__ import annotations

import os
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

from emulated_images import FIRMWARE, PORTS, build_test_image, linker_arguments

from images import built_image
from jaragua.boards import Environment, environment
from jaragua.boards.environments import Region
from jaragua.wire.codegen.constants import write_header

KEEP = FIRMWARE / "test" / "keep"
LIBRARIES = (FIRMWARE / "lib" / "jrg_keep" / "jrg_keep.c", FIRMWARE / "lib" / "jrg_link" / "jrg_crc32.c")
NANO = "nano33ble"
_C, _CPP = ["arm-none-eabi-gcc", "-std=c11"], ["arm-none-eabi-g++", "-std=gnu++14", "-fno-exceptions"]
#: Whole images, for `make boards`; otherwise what keeps a state is built alone.
WHOLE = os.environ.get("JARAGUA_ALL_BOARDS") == "1"


def environment_with_memory(name: str) -> Environment:
    """Of a board within a framework too: as an nRF52840 has it, without what the boot loader takes."""
    found = environment(name)
    memory = {"flash": Region(0x10000, 0xF0000), "ram": Region(0x20000000, 0x40000), "shared": ("cortex_m",)}
    return replace(found, **memory) if name == NANO else found  # type: ignore[arg-type]


def driver_of(name: str) -> Path:
    """The source of a board's flash functions."""
    return next((PORTS / environment(name).port).glob("jrg_flash.c*"))


def keeping_image(name: str, folder: Path, driver: Path | None = None) -> Path:
    """The image of a board. driver: what is compiled in place of `driver_of`."""
    if name == NANO:
        return _nano_image(folder, driver or driver_of(name))
    if WHOLE and driver is None:
        return built_image(name, environment(name).model)
    instead = {driver_of(name): driver} if driver else {}
    return build_test_image("keep/keep_board.c", folder, name=name, also=LIBRARIES, instead=instead)


def _nano_image(folder: Path, driver: Path) -> Path:
    """The framework is stubs, and the linker script that of boards without one."""
    write_header(folder)
    flags = tomllib.loads((FIRMWARE / "flags.toml").read_text(encoding="utf-8"))
    core = [*flags["core"]["cortex_m4"], *flags["c"]["optimise"], "-ffunction-sections", "-fdata-sections"]
    folders = (folder, PORTS, FIRMWARE / "test" / "arduino_stubs", *(library.parent for library in LIBRARIES))
    includes = [f"-I{path}" for path in folders]
    objects = []
    for source in (KEEP / "keep_board.c", *LIBRARIES, KEEP / "keep_nano.cpp", driver):
        is_c = source.suffix == ".c"
        dialect = (
            ["arm-none-eabi-gcc", "-std=c11"] if is_c else ["arm-none-eabi-g++", "-std=gnu++14", "-fno-exceptions"]
        )
        objects.append(folder / f"{source.stem}.o")
        subprocess.run([*dialect, *core, *includes, "-c", source, "-o", objects[-1]], check=True)
    image = folder / "nano.elf"
    script = linker_arguments(replace(environment_with_memory(NANO), keep_bytes=0))
    script = [one for one in script if "jrg_port_keep_start" not in one]
    linking = [*flags["core"]["cortex_m4"], *flags["link"]["arm"], "-Wl,--undefined=main", *script]
    subprocess.run(["arm-none-eabi-gcc", *objects, *linking, "-o", image], check=True)
    return image
