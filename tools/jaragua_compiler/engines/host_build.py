"""C for this machine: finds the compiler, builds shared libraries, and keeps them in a cache by content.

Three rules hold for all C that is built on a user's machine:
1. No warning stops a build. The project's own CI sets JARAGUA_STRICT_C=1, which makes warnings errors.
2. The result does not depend on the processor: floating point is neither contracted nor reordered, and
   JARAGUA_MARCH names another instruction set than the default (x86-64, x86-64-v3, native, ...).
3. A library goes where it can be loaded: a folder that is read-only or mounted noexec is passed over.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jaragua_compiler.errors import ToolchainError

STRICT_VARIABLE: Final = "JARAGUA_STRICT_C"
MARCH_VARIABLE: Final = "JARAGUA_MARCH"
NATIVE: Final = "native"
BUILD_TIMEOUT_S: Final = 300

#: -ffp-contract=off: clang contracts a * b + c where the processor has an instruction for it, and rounds differently.
_BASE_FLAGS: Final = ("-std=c11", "-fPIC", "-shared", "-ffp-contract=off")
_COMPILER_HINT: Final = "Set CC to another compiler, or report this with the compiler's version."
_WARNINGS: Final = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow")


@dataclass(frozen=True)
class Sources:
    """The C of one library.

    texts: file name -> text; each `.c` is compiled. headers: folders of further headers. units: further C files.
    """

    texts: Mapping[str, str]
    headers: tuple[Path, ...] = ()
    units: tuple[Path, ...] = field(default=())


def find_compiler() -> str:
    """The path of the C compiler, $CC or cc. Raises ToolchainError if there is none."""
    name = os.environ.get("CC") or "cc"
    path = shutil.which(name)
    if path is None:
        message = f"there is no C compiler: {name!r} is not on the PATH."
        raise ToolchainError(message, "Install one, for example: sudo apt install gcc libc6-dev")
    return path


def has_compiler() -> bool:
    """Whether C can be built on this machine."""
    return shutil.which(os.environ.get("CC") or "cc") is not None


def is_strict() -> bool:
    """Whether warnings are errors: only where STRICT_VARIABLE is 1."""
    return os.environ.get(STRICT_VARIABLE) == "1"


def base_flags() -> tuple[str, ...]:
    """The flags of every build: language, kind of output, warnings; -Werror where STRICT_VARIABLE asks for it."""
    strict = ("-Werror",) if is_strict() else ()
    return (*_BASE_FLAGS, *_WARNINGS, *strict)


def processor_flags(default: str | None) -> tuple[str, ...]:
    """-march= of MARCH_VARIABLE, else of `default`, where the compiler knows that.

    Raises ToolchainError if MARCH_VARIABLE names a processor that the compiler does not know.
    """
    compiler, asked = find_compiler(), os.environ.get(MARCH_VARIABLE)
    march = asked or default
    if march is None:
        return ()
    flag = f"-march={march}"
    if _macros(compiler, flag):
        return (flag,)
    if asked:
        message = f"{compiler} does not know the processor of {MARCH_VARIABLE}={asked}."
        raise ToolchainError(message, f"Unset {MARCH_VARIABLE}, or give one that it knows, for example native.")
    return ()


def default_cache() -> Path:
    """Where built libraries are kept: $XDG_CACHE_HOME/jaragua/engines, by default under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jaragua" / "engines"


def build(
    sources: Sources,
    flags: Sequence[str],
    *,
    cache: Path | None = None,
    march: str | None = None,
    libraries: Sequence[str] = (),
) -> Path:
    """The shared library of some C, built unless the cache holds one of the same sources, compiler and flags.

    flags: behind base_flags(). march: the processor to build for unless MARCH_VARIABLE names one; None: the
    compiler's default. Two processes may build at once: each builds under a name of its own and moves the result.
    Raises ToolchainError if there is no compiler, it fails, or no folder can hold the library.
    """
    compiler, processor = find_compiler(), processor_flags(march)
    command = (compiler, *base_flags(), *flags, *processor)
    name = f"{_content_key(sources, command, processor)}.so"
    wanted = cache or default_cache()
    if _is_loadable(wanted / name):
        return wanted / name
    target = loadable_folder(wanted) / name
    if not target.exists():
        _compile(command, sources, target, libraries)
    return target


def load_private_copy(library: Path) -> ctypes.CDLL:
    """Load a copy nobody else has: the loader gives static memory of its own to every file.

    The copy stands for a moment in a folder that libraries can be loaded from. Raises ToolchainError without one.
    """
    with tempfile.TemporaryDirectory(prefix="load-", dir=loadable_folder(library.parent)) as folder:
        return ctypes.CDLL(shutil.copy(library, folder))


def loadable_folder(wanted: Path) -> Path:
    """`wanted`, or the user's folder for temporary files where libraries cannot be written to it or loaded from it.

    The folder exists afterwards. Raises ToolchainError if neither will do.
    """
    reasons = []
    for folder in (wanted, *_other_folders()):
        reason = _unusable(folder)
        if not reason:
            return folder
        reasons.append(f"{folder} {reason}")
    hint = "Set XDG_CACHE_HOME (or TMPDIR) to a folder you may write to, on a file system without noexec."
    raise ToolchainError(f"no folder can hold compiled C: {'; '.join(reasons)}.", hint)


def _other_folders() -> Iterator[Path]:
    """Where else libraries may be kept: folders for temporary files, each with this user's number in its name."""
    name = f"jaragua-engines-{os.getuid()}"
    for base in dict.fromkeys((tempfile.gettempdir(), "/var/tmp", "/dev/shm")):
        yield Path(base) / name


def _unusable(folder: Path) -> str:
    """Why no library can be written to a folder and loaded from it; "" if one can. Makes the folder."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state, owner = os.statvfs(folder), folder.stat().st_uid
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    if state.f_flag & os.ST_RDONLY or not os.access(folder, os.W_OK | os.X_OK):
        return "cannot be written to"
    if state.f_flag & os.ST_NOEXEC:
        return "is mounted noexec"
    # Whoever owns the folder decides what is loaded from it; root's own processes may use a user's cache.
    return "" if owner == os.getuid() or os.getuid() == 0 else "belongs to another user"


def _is_loadable(library: Path) -> bool:
    """Whether a library is there, on a file system that it can be loaded from."""
    try:
        return library.is_file() and not os.statvfs(library.parent).f_flag & os.ST_NOEXEC
    except OSError:
        return False


@functools.cache
def _macros(compiler: str, *flags: str) -> bytes:
    """What the compiler predefines under these flags: its version and the processor's abilities; empty if it fails."""
    command = [compiler, *flags, "-dM", "-E", "-x", "c", os.devnull]
    try:
        done = subprocess.run(command, capture_output=True, timeout=BUILD_TIMEOUT_S, check=False)
    except OSError as error:
        raise ToolchainError(f"{compiler} cannot be started: {error.strerror}.", "Set CC to a C compiler.") from error
    return done.stdout if done.returncode == 0 else b""


def _content_key(sources: Sources, command: Sequence[str], processor: tuple[str, ...]) -> str:
    """Hash of all that decides what is built: sources, headers, flags, compiler and its idea of the processor."""
    compiler, *flags = command
    digest = hashlib.sha256(_macros(compiler, *processor) + " ".join(flags).encode())
    for name, text in sorted(sources.texts.items()):
        digest.update(f"{name}\0{text}\0".encode())
    for folder in sources.headers:
        digest.update(_headers_digest(folder, _headers_of(folder)))
    for unit in sources.units:
        digest.update(unit.name.encode() + b"\0" + unit.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def _headers_of(folder: Path) -> tuple[tuple[str, int], ...]:
    """Places of the headers in a folder and below it, and when each was changed."""
    return tuple((str(path.relative_to(folder)), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.h")))


@functools.lru_cache(maxsize=8)
def _headers_digest(folder: Path, changed: tuple[tuple[str, int], ...]) -> bytes:
    """Hash of names and texts. `changed` makes a folder that stays as it is be read once in a process."""
    digest = hashlib.sha256()
    for name, _ in changed:
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.digest()


def _compile(command: Sequence[str], sources: Sources, target: Path, libraries: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as name:
        folder, built = Path(name), Path(name) / target.name
        for file, text in sources.texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        units = [*(folder / file for file in sources.texts if file.endswith(".c")), *sources.units]
        includes = [f"-I{path}" for path in (folder, *sources.headers)]
        _run([*command, *includes, "-o", str(built), *map(str, units), *libraries])
        os.replace(built, target)


def _run(command: Sequence[str]) -> None:
    """Raises ToolchainError with what the compiler said."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=BUILD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(f"{command[0]} did not end within {BUILD_TIMEOUT_S} s.") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise ToolchainError(f"{command[0]} cannot build Jaragua's C for this machine: {said}", _COMPILER_HINT)
