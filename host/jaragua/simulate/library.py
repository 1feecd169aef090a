"""Builds the C of a simulation for this machine, with everything its processor can do, and caches it by content."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from jaragua.errors import ToolError

_WARNINGS: Final = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow")
#: No comparison is waited for to trap, or loops with one would not be done in vectors; no result depends on it.
_FLAGS: Final = ("-std=c11", "-O3", "-funroll-loops", "-fno-trapping-math", "-fPIC", "-shared", *_WARNINGS)
_NATIVE: Final = "-march=native"
_TIMEOUT_S: Final = 300


def own_source(name: str) -> str:
    """A C file of this package."""
    return files("jaragua.simulate").joinpath(name).read_text(encoding="utf-8")


def build(
    sources: Mapping[str, str],
    headers: Path | None,
    cache: Path,
    more_flags: tuple[str, ...],
    libraries: tuple[str, ...],
) -> Path:
    """The shared library of C texts (file name -> text), built unless the cache has one of the same content.

    headers: a folder of further headers. Raises: ToolError if there is no compiler or it fails.
    """
    compiler = _compiler()
    flags = (*_FLAGS, *more_flags, *_processor_flags(compiler))
    target = cache / f"{_content_key(sources, headers, compiler, flags)}.so"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _compile(compiler, flags, sources, headers, target, libraries)
    return target


def load_private_copy(library: Path) -> ctypes.CDLL:
    """Load a copy nobody else has: static memory belongs to one copy, and so one copy to one thread."""
    with tempfile.TemporaryDirectory(prefix="jaragua-simulate-") as folder:
        return ctypes.CDLL(shutil.copy(library, folder))


def _compiler() -> str:
    name = os.environ.get("CC") or "cc"
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"there is no C compiler: {name!r} is not on the PATH", "install one: sudo apt install gcc")
    return path


def _processor_flags(compiler: str) -> tuple[str, ...]:
    """-march=native where the compiler knows it."""
    return (_NATIVE,) if _macros(compiler, _NATIVE) else ()


@functools.cache
def _macros(compiler: str, *flags: str) -> bytes:
    """What the compiler predefines under these flags: its version and the processor's abilities; empty if it fails."""
    command = [compiler, *flags, "-dM", "-E", "-x", "c", os.devnull]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
    return done.stdout if done.returncode == 0 else b""


def _content_key(sources: Mapping[str, str], headers: Path | None, compiler: str, flags: tuple[str, ...]) -> str:
    native = [flag for flag in flags if flag == _NATIVE]
    digest = hashlib.sha256(_macros(compiler, *native) + " ".join(flags).encode())
    for name, text in sorted(sources.items()):
        digest.update(f"{name}\0{text}\0".encode())
    if headers:
        found = [(entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(headers) if entry.name.endswith(".h")]
        digest.update(_headers_digest(headers, tuple(sorted(found))))
    return digest.hexdigest()[:32]


@functools.lru_cache(maxsize=4)
def _headers_digest(folder: Path, changed: tuple[tuple[str, int], ...]) -> bytes:
    """Of the names and texts of files; `changed`: when each was. A folder that stays as it is is read once."""
    digest = hashlib.sha256()
    for name, _ in changed:
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.digest()


def _compile(
    compiler: str,
    flags: tuple[str, ...],
    sources: Mapping[str, str],
    headers: Path | None,
    target: Path,
    libraries: tuple[str, ...],
) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as name:
        folder = Path(name)
        for file, text in sources.items():
            (folder / file).write_text(text, encoding="utf-8")
        built = folder / target.name
        include = ["-I", name, *(["-I", str(headers)] if headers else [])]
        units = [str(folder / file) for file in sources if file.endswith(".c")]
        command = [compiler, *flags, *include, "-o", str(built), *units, *libraries]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise ToolError(f"{compiler} cannot build the simulator's engine: {done.stderr.strip()}")
        os.replace(built, target)
