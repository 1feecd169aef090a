"""How an image is built: compiler from the PATH, our linker script, a map file, sizes. SCons runs it in PlatformIO."""

import os
import tomllib
from pathlib import Path
from shutil import which

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
prefix = board.get("build.toolchain")
flags = tomllib.loads((Path(env.subst("$PROJECT_DIR")) / "firmware" / "flags.toml").read_text(encoding="utf-8"))
emulated = prefix != ""
compiler = f"{prefix}gcc" if emulated else "cc"
is_strict = os.environ.get("JARAGUA_STRICT_C") == "1"
strict = flags["c"]["strict"] if is_strict else []

if which(compiler) is None:
    env.Exit(f"Error: the compiler {compiler} is not on the PATH. `make setup-demo` installs it or says how.")


def one_word(text: str) -> str:
    """`text` with its variables filled in, as one argument of a command: SCons splits what it fills in at spaces."""
    return env.subst(text).replace("$", "$$")


env.Replace(
    AR=f"{prefix}gcc-ar" if emulated else "ar",
    AS=compiler,
    CC=compiler,
    CXX=compiler,
    RANLIB=f"{prefix}gcc-ranlib" if emulated else "ranlib",
    OBJCOPY=f"{prefix}objcopy",
    SIZETOOL=f"{prefix}size",
    ARFLAGS=["rc"],
    PROGNAME="firmware" if emulated else "program",
    PROGSUFFIX=".elf" if emulated else "",
    SIZEPROGREGEXP=r"^(?:\.text|\.data|\.rodata|\.ARM\.exidx)\s+([0-9]+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.stack)\s+([0-9]+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
)
env.Append(
    CFLAGS=flags["c"]["standard"],
    CCFLAGS=["-g", *flags["c"]["warnings"], *strict, *flags["c"]["layout"], *flags["c"]["optimise"]],
    LINKFLAGS=["-Wl,--gc-sections", one_word("-Wl,-Map=${BUILD_DIR}/${PROGNAME}.map")],
)

if emulated:
    machine = flags["core"][board.get("build.core")]
    script = one_word("$PROJECT_DIR/") + board.get("build.linker_script")
    env.Append(
        CCFLAGS=[*machine, *flags["c"]["environment"]],
        LINKFLAGS=[*machine, *flags["link"]["arm"], *(flags["link"]["strict"] if is_strict else []), "-T", script],
        LIBS=["c", "gcc"],
    )

program = env.BuildProgram()
if emulated:
    env.Depends(program, script)
size = env.AddPlatformTarget(
    "size", program, env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE"), "Program size", "Show its sections"
)
AlwaysBuild(size)
Default([program, size])
