"""What a secure sum would cost a board that masks (docs/results/privacy.md): X25519 and ChaCha20, counted.

    python -m jaragua_bench.masking

No board masks, its gateway does. The results are compared with those of the package cryptography.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from jaragua_bench.emulated import emulator, toolchain
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError

_SCALAR, _POINT, _KEY = bytes(range(32)), bytes(range(9, 41)), bytes(range(32, 64))
_OUT = struct.Struct("<32s64sII")


@dataclass(frozen=True)
class Cost:
    """Instructions by code for a core: of one X25519, and of one block of 64 bytes of ChaCha20."""

    x25519: int
    block: int


def measure(core: str) -> Cost:
    """Raises: CompileError if a result is wrong, ToolError.

    The emulated Cortex-M4 runs code for the Cortex-M0+ as well, and counts its instructions.
    """
    bench = toolchain.bench_folder()
    library = bench.parent / "lib" / "jrg_sign"
    sources = (bench / "bench_board.c", bench / "bench_masking.c", library / "jrg_field.c")
    elf = toolchain.build(toolchain.Program(sources, (bench, library), toolchain.c_flags(core)))
    shared, block, x25519, instructions = _OUT.unpack(emulator.run(elf, _SCALAR + _POINT + _KEY, counted=True))
    if (shared, block) != _expected():
        raise CompileError("the board's X25519 or ChaCha20 is not that of the package cryptography")
    return Cost(x25519, instructions)


def _expected() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    shared = X25519PrivateKey.from_private_bytes(_SCALAR).exchange(X25519PublicKey.from_public_bytes(_POINT))
    return shared, Cipher(ChaCha20(_KEY, bytes(16)), mode=None).encryptor().update(bytes(64))


def _show() -> None:
    for core in toolchain.ARM_CORES:
        cost = measure(core)
        print(f"{core}: {cost.x25519:,} instructions of one X25519, {cost.block:,} of 64 bytes of ChaCha20")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the cost."""
    about = "What a board that masks would pay."
    argparse.ArgumentParser(prog="python -m jaragua_bench.masking", description=about).parse_args(arguments)
    return exit_code_of(_show, CompileError)


if __name__ == "__main__":
    sys.exit(main())
