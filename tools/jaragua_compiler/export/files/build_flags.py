"""The compiler flags that a folder documents: those of firmware/flags.toml, with which the product is built."""

from __future__ import annotations

import tomllib
from typing import Any, Final

from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.planning.boards import Core

LANGUAGE: Final = "-std=c99"
"""The C standard of every file of a folder."""


def optimise_flags() -> tuple[str, ...]:
    """The flags of GCC that the kernels are written for; the documented instruction counts are measured with them."""
    return tuple(_flags()["c"]["optimise"])


def core_flags(core: Core) -> tuple[str, ...]:
    """What selects a core, without the float ABI: that is the caller's, as the C has no floating point."""
    return tuple(flag for flag in _flags()["core"][core] if not flag.startswith("-mfloat-abi"))


def _flags() -> dict[str, Any]:
    return tomllib.loads((kernel_folder().parents[1] / "flags.toml").read_text(encoding="utf-8"))
