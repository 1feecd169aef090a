"""What it costs a board to verify a signature of the coordinator (docs/design/security.md, "What boards verify").

    python -m jaragua_bench.signature

The C is firmware/lib/jrg_sign. The signatures are made by the package cryptography.
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


@dataclass(frozen=True)
class Cost:
    """Of one verification by code for a core: instructions, bytes of stack, and flash with SHA-512 and the curve."""

    instructions: int
    stack_bytes: int
    flash_bytes: int


def measure(core: str) -> Cost:
    """Verify a genuine and a damaged signature on the emulated board. Raises: CompileError, ToolError.

    The emulated Cortex-M4 runs code for the Cortex-M0+ as well, and counts its instructions.
    """
    data = emulator.run(_build(core), _input(), counted=True)
    (instructions, stack, valid), (_, _, damaged) = _RECORD.iter_unpack(data)
    if (valid, damaged) != (1, 0):
        raise CompileError("the board did not tell a genuine signature from a damaged one")
    return Cost(instructions, stack, _footprint(core).flash_bytes)


def _input() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(_SECRET)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = key.sign(_MESSAGE)
    damaged = signature[:40] + bytes([signature[40] ^ 1]) + signature[41:]
    return struct.pack("<I", 2) + b"".join(public + one + _MESSAGE for one in (signature, damaged))


def _footprint(core: str) -> Sizes:
    """Of SHA-512 and the curve: the program with them, less the same program that verifies nothing."""
    return sizes(_build(core)) - sizes(_build(core, "-DBENCH_WITHOUT_VERIFICATION"))


def _build(core: str, *more: str) -> Path:
    bench = toolchain.bench_folder()
    library = bench.parent / "lib" / "jrg_sign"
    sources = (bench / "bench_board.c", bench / "bench_signature.c", *sorted(library.glob("*.c")))
    return toolchain.build(toolchain.Program(sources, (bench, library), (*toolchain.c_flags(core), *more)))


def _show() -> None:
    for core in toolchain.ARM_CORES:
        cost = measure(core)
        print(
            f"{core}: {cost.instructions:,} instructions, {cost.stack_bytes:,} bytes of stack, "
            f"{cost.flash_bytes:,} bytes of flash"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the cost."""
    about = "What a board pays to verify a signature."
    argparse.ArgumentParser(prog="python -m jaragua_bench.signature", description=about).parse_args(arguments)
    return exit_code_of(_show, CompileError)


if __name__ == "__main__":
    sys.exit(main())
