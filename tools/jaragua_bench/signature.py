"""What it would cost a board to verify a signature of the coordinator (docs/design/security.md, "What boards verify").

    python -m jaragua_bench.signature --monocypher FOLDER

FOLDER has monocypher.c and monocypher.h of Monocypher 4 (BSD-2-Clause or CC0-1.0), as its releases and the source
archive of the PyPI package pymonocypher have them. The signatures are made by the package cryptography.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaragua_bench.emulated import emulator, toolchain
from jaragua_bench.emulated.footprint import Sizes, sizes
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError

_MESSAGE = bytes(range(160))
_SECRET = bytes(range(32))
_RECORD = struct.Struct("<III")
_CORES = (toolchain.CORTEX_M4, toolchain.CORTEX_M0PLUS)


@dataclass(frozen=True)
class Cost:
    """Of one verification on the Cortex-M4. flash: by core, with SHA-512 and the curve."""

    instructions: int
    stack_bytes: int
    flash: dict[str, int]


def measure(monocypher: Path) -> Cost:
    """Verify a genuine and a damaged signature on the emulated board. Raises: CompileError, ToolError."""
    if not (monocypher / "monocypher.c").exists():
        raise CompileError(f"{monocypher} has no monocypher.c", "give the folder of Monocypher's source")
    data = emulator.run(_build(monocypher, toolchain.CORTEX_M4), _input(), counted=True)
    (instructions, stack, valid), (_, _, damaged) = _RECORD.iter_unpack(data)
    if (valid, damaged) != (1, 0):
        raise CompileError("the board did not tell a genuine signature from a damaged one")
    return Cost(instructions, stack, {core: _footprint(monocypher, core).flash_bytes for core in _CORES})


def _input() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(_SECRET)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = key.sign(_MESSAGE)
    damaged = signature[:40] + bytes([signature[40] ^ 1]) + signature[41:]
    return struct.pack("<I", 2) + b"".join(public + one + _MESSAGE for one in (signature, damaged))


def _footprint(monocypher: Path, core: str) -> Sizes:
    """Of SHA-512 and the curve: the program with them, less the same program that verifies nothing."""
    return sizes(_build(monocypher, core)) - sizes(_build(monocypher, core, "-DBENCH_WITHOUT_VERIFICATION"))


def _build(monocypher: Path, core: str, *more: str) -> Path:
    bench = toolchain.bench_folder()
    sources = (bench / "bench_board.c", bench / "bench_signature.c", monocypher / "monocypher.c")
    flags = [flag for flag in toolchain.c_flags(core) if not flag.startswith("-W")]  # Monocypher's C has its own rules
    return toolchain.build(toolchain.Program(sources, (bench, monocypher), (*flags, *more)))


def _show(cost: Cost) -> None:
    print(f"one verification on the Cortex-M4: {cost.instructions:,} instructions, {cost.stack_bytes:,} bytes of stack")
    for core, flash in cost.flash.items():
        print(f"flash, {core}: {flash:,} bytes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the cost."""
    about = "What a board would pay to verify a signature."
    parser = argparse.ArgumentParser(prog="python -m jaragua_bench.signature", description=about)
    parser.add_argument("--monocypher", type=Path, required=True, help="folder of monocypher.c")
    wanted = parser.parse_args(arguments)
    return exit_code_of(lambda: _show(measure(wanted.monocypher)), CompileError)


if __name__ == "__main__":
    sys.exit(main())
