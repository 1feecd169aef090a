"""How much memory a linked image takes, as its own linker script counts it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jaragua.errors import ToolError

_NM = "arm-none-eabi-nm"


@dataclass(frozen=True)
class ImageSize:
    """Bytes an image takes for good: variables and the whole reserved stack; code and constants."""

    ram_bytes: int
    flash_bytes: int


def image_size(elf: Path) -> ImageSize:
    """Read the sizes that the linker script of qemu_m4 leaves in the symbol table. Raises: ToolError."""
    tool = shutil.which(_NM)
    if tool is None:
        raise ToolError(f"{_NM} is not on the PATH", "sudo apt-get install binutils-arm-none-eabi")
    listed = subprocess.run([tool, str(elf)], capture_output=True, encoding="utf-8", errors="replace", check=False)
    values = {fields[2]: int(fields[0], 16) for line in listed.stdout.splitlines() if len(fields := line.split()) == 3}
    try:
        return ImageSize(values["jrg_port_ram_bytes"], values["jrg_port_flash_bytes"])
    except KeyError as error:
        raise ToolError(f"{elf} does not look like an image of Jaragua: it has no symbol {error}") from error
