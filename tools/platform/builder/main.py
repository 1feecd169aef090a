"""How an image is built: compiler from the PATH, our linker script, a map file, sizes. SCons runs it in PlatformIO."""

import os
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from shutil import which

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
project = Path(env.subst("$PROJECT_DIR"))
sys.path.insert(
    0, str(Path(env.subst("$PLATFORM_DIR") if "PLATFORM_DIR" in env else project / "tools/platform") / "builder")
)
import upload  # noqa: E402  (SCons runs this file from elsewhere)


def read_toml(path: str) -> dict:
    """A file of the project."""
    return tomllib.loads((project / path).read_text(encoding="utf-8"))


def read_environments() -> dict:
    """The table of boards: of the clone, or of the installed package that this project is a copy from."""
    place = "host/jaragua/boards/environments.toml"
    if (project / place).is_file():
        return read_toml(place)
    return tomllib.loads(files("jaragua.boards").joinpath("environments.toml").read_text(encoding="utf-8"))


name = env["BOARD"]
entry = read_environments()[name]
flags = read_toml("firmware/flags.toml")
core = entry["core"]
is_host = core == "host"
prefix = "" if is_host else "riscv64-unknown-elf-" if core.startswith("rv32") else "arm-none-eabi-"
compiler = "cc" if is_host else f"{prefix}gcc"
is_strict = os.environ.get("JARAGUA_STRICT_C") == "1"
strict = flags["c"]["strict"] if is_strict else []

if which(compiler) is None:
    env.Exit(f"Error: the compiler {compiler} is not on the PATH. `make setup-demo` installs it or says how.")


def one_word(text: str) -> str:
    """`text` with its variables filled in, as one argument of a command: SCons splits what it fills in at spaces."""
    return env.subst(text).replace("$", "$$")


def memory() -> list[str]:
    """Where the linker puts what: symbols of the linker script."""
    values = {
        "jrg_flash_origin": entry["flash"][0],
        "jrg_flash_size": entry["flash"][1] - entry.get("keep_bytes", 0),
        "jrg_port_keep_start": entry["flash"][0] + entry["flash"][1] - entry.get("keep_bytes", 0),
        "jrg_ram_origin": entry["ram"][0],
        "jrg_ram_size": entry["ram"][1],
        "jrg_stack_size": entry.get("stack_bytes", 4096),
    }
    return [f"-Wl,--defsym={symbol}=0x{value:x}" for symbol, value in values.items()]


def folders() -> list[str]:
    """The folders of firmware/ports that the board is made of."""
    return [*entry.get("shared", []), entry["port"]]


def add_machine() -> str:
    """Flags of the core, memory, and what the table says of the board. Returns the linker script."""
    machine = flags["core"][core]
    kind = "rv32" if core.startswith("rv32") else "arm"
    script = next(path for folder in folders() for path in sorted((project / "firmware/ports" / folder).glob("*.ld")))
    env.Append(
        CCFLAGS=[*machine, *flags["c"]["environment"]],
        CPPDEFINES=[
            ("JRG_PORT_BOARD", env.StringifyMacro(name)),
            ("JRG_PORT_RING_BYTES", entry.get("ring_bytes", 2048)),
            ("JRG_LINK_WINDOW", entry.get("window", 8)),
            ("JRG_NODE_MODEL_RAM_BYTES", f"{entry.get('model_ram_bytes', 229376)}u"),
        ],
        LINKFLAGS=[
            *machine,
            *flags["link"][kind],
            *(flags["link"]["strict"] if is_strict else []),
            *memory(),
            "-T",
            one_word(str(script).replace("$", "$$")),
        ],
        LIBS=["c", "gcc"],
    )
    if "keep_bytes" in entry:
        env.Append(CPPDEFINES=[("JRG_PORT_KEEP_BYTES", entry["keep_bytes"])])
    return str(script)


env.Replace(
    AR=f"{prefix}gcc-ar" if prefix else "ar",
    AS=compiler,
    CC=compiler,
    CXX=compiler,
    RANLIB=f"{prefix}gcc-ranlib" if prefix else "ranlib",
    OBJCOPY=f"{prefix}objcopy",
    SIZETOOL=f"{prefix}size",
    ARFLAGS=["rc"],
    PROGNAME="program" if is_host else "firmware",
    PROGSUFFIX="" if is_host else ".elf",
    SIZEPROGREGEXP=r"^(?:\.text|\.data|\.rodata|\.ARM\.exidx)\s+([0-9]+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.stack)\s+([0-9]+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
)
ports = [project / "firmware/ports" / folder for folder in folders()]
env.Append(
    CFLAGS=flags["c"]["standard"],
    CCFLAGS=["-g", *flags["c"]["warnings"], *strict, *flags["c"]["layout"], *flags["c"]["optimise"]],
    LINKFLAGS=["-Wl,--gc-sections", one_word("-Wl,-Map=${BUILD_DIR}/${PROGNAME}.map")],
    CPPPATH=[str(path) for path in (*ports, ports[-1] / name) if path.is_dir()],
)
if not env.GetProjectOption("build_src_filter", ""):
    env.Replace(SRC_FILTER=["-<*>", "+<src/>", *(f"+<ports/{folder}/>" for folder in folders())])

script = "" if is_host else add_machine()
if "nobuild" in COMMAND_LINE_TARGETS:  # PlatformIO's word for: upload what is there
    finished = upload.finished_image(env, entry)
    upload.add_target(env, finished, entry)
    AlwaysBuild(env.Alias("nobuild", finished))
    program = []
else:
    program = env.BuildProgram()
    if script:
        env.Depends(program, script)
    upload.add_target(env, upload.add_image(env, program, name, entry), entry)
if program:
    size = env.AddPlatformTarget(
        "size",
        program,
        env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE"),
        "Program size",
        "Show its sections",
    )
    AlwaysBuild(size)
    Default([program, size])
