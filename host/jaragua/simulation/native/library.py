"""Builds the C of a simulation for this machine, with everything its processor can do."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from jaragua_compiler.engines import host_build

#: No comparison is waited for to trap, or loops with one would not be done in vectors; no result depends on it.
_FLAGS: Final = ("-O3", "-funroll-loops", "-fno-trapping-math")


def own_source(name: str) -> str:
    """A C file of this package."""
    return files("jaragua.simulation.native").joinpath(name).read_text(encoding="utf-8")


def build(
    sources: Mapping[str, str],
    headers: Path | None,
    cache: Path,
    more_flags: tuple[str, ...],
    libraries: tuple[str, ...],
) -> Path:
    """The shared library of C texts (file name -> text), built unless the cache has one of the same content.

    headers: a folder of further headers. Raises: ToolchainError if there is no compiler or it fails.
    """
    folders = (headers,) if headers else ()
    flags = (*_FLAGS, *more_flags)
    wanted = host_build.Sources(sources, folders)
    return host_build.build(wanted, flags, cache=cache, march=host_build.NATIVE, libraries=libraries)
