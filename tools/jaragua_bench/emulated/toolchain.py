"""Build bare-metal programs for the bench with GCC for Arm or RISC-V; what is unchanged is compiled once and kept.

Objects are kept beside the programs: two programs of one model differ in their main file, or only in how they are
linked (footprint.py), and its C takes nearly all of the time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from jaragua_compiler.engines.host_build import is_strict
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.errors import CompileError

COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"
RISCV_COMPILER = "riscv64-unknown-elf-gcc"
RISCV_EMULATOR = "qemu-system-riscv32"
CORTEX_M4 = "cortex_m4"
CORTEX_M0PLUS = "cortex_m0plus"
RV32 = "rv32imc"
#: The cores whose code the emulated Cortex-M4 runs.
ARM_CORES = (CORTEX_M4, CORTEX_M0PLUS)
CORES = (*ARM_CORES, RV32)

_LIBRARIES = ("-lm",)
_TO_THE_LINKER = "-Wl,"
_MEMORY_MAPS = {"arm": "bench_m4.ld", "rv32": "bench_rv32.ld"}
_C_FLAG_GROUPS = ("standard", "warnings", "layout", "environment", "optimise")
# Program -> the Debian packages that bring it.
_PACKAGES = {
    COMPILER: "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    EMULATOR: "qemu-system-arm",
}
_RISCV_PACKAGES = {
    RISCV_COMPILER: "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    RISCV_EMULATOR: "qemu-system-misc",
}
_RISCV_MACHINE = 243  # of an ELF file


class ToolError(CompileError):
    """A program the bench needs (cross compiler, emulator) is missing or failed."""


@dataclass(frozen=True)
class Program:
    """What one ELF is made from: the files to compile, the folders to search for headers, and the compiler's flags."""

    sources: tuple[Path, ...]
    include_folders: tuple[Path, ...]
    flags: tuple[str, ...]


def has_tools(core: str) -> bool:
    """Whether this machine can build and emulate programs for a core."""
    return all(shutil.which(name) for name in _packages(core))


def _packages(core: str) -> dict[str, str]:
    return _RISCV_PACKAGES if core == RV32 else _PACKAGES


def require_tools(cores: Sequence[str] = (CORTEX_M4,)) -> None:
    """Raise ToolError with the command that installs what is missing of the compilers and emulators of these cores."""
    known = {name: package for core in cores for name, package in _packages(core).items()}
    missing = [name for name in known if shutil.which(name) is None]
    if missing:
        packages = " ".join(known[name] for name in missing)
        raise ToolError(
            f"emulated boards need {' and '.join(missing)}: not found on the PATH.", f"sudo apt-get install {packages}"
        )


def compiler_version(core: str = CORTEX_M4) -> str:
    """The first line of what the cross compiler of a core says of itself."""
    return _run([find_tool(compiler_of(core)), "--version"]).splitlines()[0]


def compiler_of(core: str) -> str:
    """The compiler of a core."""
    return RISCV_COMPILER if core == RV32 else COMPILER


def reader_of(elf: Path, name: str) -> str:
    """The path of the `nm`, `size` or `objdump` that reads a program. Raises ToolError if it is not there."""
    with elf.open("rb") as file:
        machine = int.from_bytes(file.read(20)[18:], "little")
    return find_tool(f"{'riscv64-unknown-elf' if machine == _RISCV_MACHINE else 'arm-none-eabi'}-{name}")


def find_tool(name: str) -> str:
    """Return the path of a program; raises ToolError if it is not there."""
    path = shutil.which(name)
    if path is None:
        require_tools((RV32,) if name in _RISCV_PACKAGES else (CORTEX_M4,))
        raise ToolError(f"emulated boards need {name}: not found on the PATH.")
    return path


def bench_folder() -> Path:
    """The bench's own C: board, linker script, programs."""
    return _firmware_folder() / "bench"


def c_flags(core: str) -> tuple[str, ...]:
    """Flags of the product's image for `core`, from firmware/flags.toml, without those of the linker."""
    flags = _flags()
    groups = (*_C_FLAG_GROUPS, "strict") if is_strict() else _C_FLAG_GROUPS
    common: list[str] = [flag for group in groups for flag in flags["c"][group]]
    return (*flags["core"][core], *common)


def link_flags(core: str = CORTEX_M4) -> tuple[str, ...]:
    """Linker flags of the product's images, and the bench's memory map."""
    link, kind = _flags()["link"], "rv32" if core == RV32 else "arm"
    return (*link[kind], *(link["strict"] if is_strict() else []), "-T", str(bench_folder() / _MEMORY_MAPS[kind]))


def build(program: Program) -> Path:
    """Compile and link; returns the ELF, from the cache if the very same program was built before."""
    core = RV32 if any(flag.startswith("-march=rv32") for flag in program.flags) else CORTEX_M4
    compiler, linking = find_tool(compiler_of(core)), link_flags(core)
    common = _common_digest(compiler, program)
    elf = cache_folder() / f"{_fingerprint(common, (*program.flags, *linking), program.sources)}.elf"
    if not elf.exists():
        elf.parent.mkdir(parents=True, exist_ok=True)
        objects = [_object(compiler, common, program, source) for source in program.sources]
        _make(elf, [compiler, *program.flags, *linking, *map(str, objects), *_LIBRARIES])
    return elf


def cache_folder() -> Path:
    """Where built programs are kept (XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaragua" / "bench"


def _firmware_folder() -> Path:
    return kernel_folder().parents[1]


def _flags() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((_firmware_folder() / "flags.toml").read_text(encoding="utf-8"))


def _object(compiler: str, common: bytes, program: Program, source: Path) -> Path:
    """One compiled file of a program, from the cache if it was compiled before with the same flags and headers."""
    flags = [flag for flag in program.flags if not flag.startswith(_TO_THE_LINKER)]
    path = cache_folder() / f"{_fingerprint(common, flags, (source,))}.o"
    if not path.exists():
        includes = [f"-I{folder}" for folder in program.include_folders]
        _make(path, [compiler, *flags, *includes, "-c", str(source)])
    return path


def _make(path: Path, command: Sequence[str]) -> None:
    """Made beside its place and moved there: two threads or runs at once never see half a file."""
    with TemporaryDirectory(prefix="build-", dir=path.parent) as name:
        draft = Path(name) / path.name
        _run([*command, "-o", str(draft)])
        draft.replace(path)


def _common_digest(compiler: str, program: Program) -> bytes:
    """Hash of what each file of a program depends on: the compiler, the headers, the memory map."""
    digest = hashlib.sha256(_run([compiler, "--version"]).encode())
    headers = (path for folder in program.include_folders for path in sorted(folder.rglob("*.h")))
    for path in (*headers, *(bench_folder() / name for name in _MEMORY_MAPS.values())):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()


def _fingerprint(common: bytes, flags: Sequence[str], sources: Sequence[Path]) -> str:
    digest = hashlib.sha256(common + "\0".join(flags).encode())
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode != 0:
        raise ToolError(f"{Path(command[0]).name} failed: {_first_error(done.stderr)}")
    return done.stdout


def _first_error(text: str) -> str:
    lines = text.strip().splitlines() or ["it said nothing"]
    return next((line for line in lines if "error" in line), lines[-1])
