"""The folder of `jaragua compile` builds on its own, for any core, and its self-test knows right bits from wrong."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import named_networks
import pytest

from jaragua_bench.emulated import toolchain
from jaragua_bench.emulated.float_code import float_code
from jaragua_compiler import Dense, Network, emit, initial_weights
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.export import Choice, Compiled, Component, compile_model, write_folder
from jaragua_compiler.graph.network import Conv2D, DepthwiseConv2D, Flatten
from jaragua_compiler.planning.boards import find_board
from long_form import paired
from strict_c import STRICT

FLAGS = ("-std=c99", "-Wpedantic", "-Wall", "-Wextra", *STRICT)
WITH_MAIN = "-DNET_SELFTEST_MAIN"
TIMEOUT_S = 120

NETWORKS = {
    "classifier": Network("digits-like", 64, (Dense(32, "relu"), Dense(10))),
    "regression": Network("sine-like", 1, (Dense(32, "relu"), Dense(32, "relu"), Dense(1)), "mean_squared_error"),
    "several outputs": Network(
        "uneven", 7, (Dense(5, "relu"), Dense(3), Dense(9, "relu"), Dense(2)), "mean_squared_error"
    ),
    "wide": Network("wide", 301, (Dense(6, "relu"), Dense(2))),
    "convolutions": Network(
        "picture",
        (8, 8, 1),
        (
            Conv2D(4, padding="same", activation="relu"),
            Conv2D(6, stride=(2, 2), activation="relu"),
            Flatten(),
            Dense(3),
        ),
    ),
}

NETWORKS |= {
    "int8": replace(NETWORKS["classifier"], weights="w8"),
    "int8 convolutions": replace(NETWORKS["convolutions"], weights="w8"),
    "every kind": named_networks.NETWORKS["every kind"],
}

NETWORKS |= {
    "every kind in int8": replace(NETWORKS["every kind"], weights="w8"),
    "last layer": replace(
        NETWORKS["convolutions"],
        layers=(
            Conv2D(4, padding="same", activation="relu", trainable=False),
            Conv2D(6, stride=(2, 2), activation="relu", trainable=False),
            Flatten(),
            Dense(3),
        ),
    ),
    "sigmoids": Network(
        "sigmoids",
        (7, 6, 2),
        (
            Conv2D(4, activation="sigmoid"),
            DepthwiseConv2D(padding="same", activation="sigmoid"),
            Flatten(),
            Dense(5, "sigmoid"),
            Dense(3),
        ),
    ),
    "some channels": Network(
        "channels",
        (8, 8, 1),
        (
            Conv2D(6, activation="relu", trained_channels=3),
            Conv2D(8, activation="relu", trained_channels=4),
            Flatten(),
            Dense(9, "relu", trained_channels=5),
            Dense(3),
        ),
    ),
    "frozen in the middle": Network(
        "sparse",
        (8, 8, 1),
        (
            Conv2D(4, padding="same", activation="relu"),
            Conv2D(6, activation="relu", trainable=False),
            Flatten(),
            Dense(9, "relu", trainable=False),
            Dense(3),
        ),
        weights="w8",
    ),
}


NETWORKS |= {"prototypes": NETWORKS["classifier"], "prototypes, int8": NETWORKS["int8 convolutions"]}
NETWORKS["episodes"] = NETWORKS["classifier"]
ROOM = {"prototypes": 6, "prototypes, int8": 2, "episodes": 4}
"""Classes to enrol (A12)."""


@functools.cache
def compiled(name: str) -> Compiled:
    return compiled_anew(name)


def compiled_anew(name: str) -> Compiled:
    network, choice = NETWORKS[name], Choice(prototypes=ROOM.get(name), episodes=name == "episodes")
    named = Component(prefix="net")
    return compile_model(network, initial_weights(network, 3), find_board("qemu_m4"), choice, component=named)


@pytest.fixture(params=NETWORKS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What `jaragua compile` writes for a network."""
    made = tmp_path / "made"
    write_folder(compiled(request.param).files, made, force=False)
    return made


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """The folder of one network, for what does not depend on which."""
    write_folder(compiled("several outputs").files, tmp_path / "one", force=False)
    return tmp_path / "one"


def run(*command: str | Path, folder: Path) -> int:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode


def sources(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.c"))


def selftest(folder: Path, *flags: str) -> int:
    """Build all of a folder for this machine and run it."""
    assert run("cc", *FLAGS, WITH_MAIN, *flags, *sources(folder), "-o", "selftest", folder=folder) == 0
    return run("./selftest", folder=folder)


def board_program(folder: Path, core: str, *flags: str) -> Path:
    """The folder and the bench's start-up code as a program for a bare board; `flags` behind the product's."""
    bench = toolchain.bench_folder()
    files = (bench / "bench_board.c", *sources(folder))
    return toolchain.build(toolchain.Program(files, (bench, folder), (*toolchain.c_flags(core), WITH_MAIN, *flags)))


def emulated(program: Path, folder: Path) -> int:
    quiet = ("-display", "none", "-monitor", "none", "-serial", "none", "-semihosting")
    return run(toolchain.EMULATOR, "-M", "mps2-an386", *quiet, "-kernel", program, folder=folder)


OF_A_HOST = {"plain": (), "strict": ("-O2", "-Wconversion", "-Wshadow")}


@pytest.mark.parametrize(("folder", "flags"), paired(NETWORKS, list(OF_A_HOST)), indirect=["folder"])
def test_a_folder_builds_with_any_c_compiler_and_finds_its_bits_right(folder: Path, flags: str) -> None:
    assert selftest(folder, *OF_A_HOST[flags]) == 0


OF_A_BOARD = ["cortex-m4 -O0", "cortex-m4 -Og", "cortex-m4 -O1", "cortex-m4 -O3", "cortex-m0plus -Os"]


@pytest.mark.cross
@pytest.mark.parametrize(("folder", "flags"), paired(NETWORKS, OF_A_BOARD), indirect=["folder"])
def test_a_folder_builds_for_a_board_with_nothing_beside_it(folder: Path, flags: str) -> None:
    command = (toolchain.COMPILER, *f"-mcpu={flags}".split(), "-mthumb", "-ffreestanding", *FLAGS)
    assert run(*command, "-c", *sources(folder), folder=folder) == 0


@pytest.mark.board
@pytest.mark.parametrize(("folder", "core"), paired(NETWORKS, toolchain.ARM_CORES), indirect=["folder"])
def test_the_self_test_passes_on_the_emulated_board_without_a_float(folder: Path, core: str) -> None:
    program = board_program(folder, core)
    assert emulated(program, folder) == 0
    assert float_code(program) == []


@pytest.mark.board
@pytest.mark.parametrize(("folder", "level"), paired(NETWORKS, ["-O0", "-Og", "-O3"]), indirect=["folder"])
def test_other_flags_than_the_documented_ones_give_the_same_bits(folder: Path, level: str) -> None:
    assert emulated(board_program(folder, toolchain.CORTEX_M4, level), folder) == 0


@pytest.mark.board
def test_a_wrong_bit_fails_the_self_test_on_the_emulated_board(one: Path) -> None:
    change(one / "net_selftest.c", r"0x([0-9a-f]{8})u,", flipped)
    assert emulated(board_program(one, toolchain.CORTEX_M4), one) == 1


def flipped(match: re.Match[str]) -> str:
    return f"0x{int(match[1], 16) ^ 1:08x}u,"


def change(path: Path, pattern: str, by: str | Callable[[re.Match[str]], str]) -> None:
    text, count = re.subn(pattern, by, path.read_text(), count=1)
    assert count == 1, f"{path.name} has no {pattern}"
    path.write_text(text)


FAULTS: dict[str, tuple[str, str, str | Callable[[re.Match[str]], str]]] = {
    "a weight": ("net_weights.c", r"(?s)(.*0x)(..)(,\n};)", lambda m: f"{m[1]}{int(m[2], 16) ^ 1:02x}{m[3]}"),
    "a rounding": ("net_kernels.h", r"\+ \(\(v >> \(shift - 1u\)\) & 1\)", "+ 0"),
    "a loss": ("net_selftest.c", r"(true|false),\n        (\d+)u", lambda m: f"{m[1]},\n        {int(m[2]) ^ 1}u"),
    "the weights after a step": ("net_selftest.c", r"0x([0-9a-f]{8})u,", flipped),
    "the rate": ("net_selftest.c", r"_rate = \{16384u, 18u\}", "_rate = {16384u, 19u}"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_self_test_finds(fault: str, one: Path) -> None:
    name, pattern, by = FAULTS[fault]
    change(one / name, pattern, by)
    assert selftest(one) == 1


ENROLMENT_FAULTS: dict[str, tuple[str, str, str | Callable[[re.Match[str]], str]]] = {
    "a relative distance": ("net_selftest.c", r"(    \{1u, )(\d+)u", lambda m: f"{m[1]}{int(m[2]) ^ 1}u"),
    "a distance": ("net_selftest.c", r"(\d+)ull\}", lambda m: f"{int(m[1]) ^ 1}ull}}"),
    "what is accepted": ("net_selftest.c", r"(u, )(true|false)(, \d+ull)", lambda m: f"{m[1]}!{m[2]}{m[3]}"),
    "the numbers of a prototype": ("net_selftest.c", r"0x([0-9a-f]{8})u /\*", lambda m: flipped(m)[:-1] + " /*"),
    "the weights after a step": ("net_selftest.c", r"0x([0-9a-f]{8})u\},", lambda m: flipped(m)[:-1] + "},"),
    "a kept class": ("net.c", r"(memcpy\(kept \+ NET_ENROLMENT_SUMS), net", r"\1 + 4, net"),
}


def test_the_self_test_finds_what_is_wrong_with_enrolled_samples_that_teach(tmp_path: Path) -> None:
    write_folder(compiled("episodes").files, tmp_path / "made", force=False)
    wrong = (r"ENROLLED_CRC32 0x([0-9a-f]{8})u", lambda m: f"ENROLLED_CRC32 {flipped(m)[:-1]}")
    change(tmp_path / "made" / "net_selftest.c", *wrong)
    assert selftest(tmp_path / "made") == 1


@pytest.mark.parametrize("fault", ENROLMENT_FAULTS)
def test_the_self_test_finds_what_is_wrong_with_prototypes(fault: str, tmp_path: Path) -> None:
    write_folder(compiled("prototypes").files, tmp_path / "made", force=False)
    name, pattern, by = ENROLMENT_FAULTS[fault]
    change(tmp_path / "made" / name, pattern, by)
    assert selftest(tmp_path / "made") == 1


def test_the_weights_move_in_every_step_of_the_vector(folder: Path) -> None:
    text = (folder / "net_selftest.c").read_text()
    sums = re.findall(r"0x([0-9a-f]{8})u(?:,| *$)", text, re.MULTILINE)
    assert len(sums) == len(set(sums)) == 9


def test_the_example_in_the_readme_builds(folder: Path) -> None:
    example, *more = re.findall(r"```c\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len(more) == 1 + ("NET_PROTOTYPES" in (folder / "net.h").read_text())
    (folder / "example.c").write_text(example + "".join(more))
    assert run("cc", *FLAGS, "-c", "example.c", folder=folder) == 0
    (folder / "example.cpp").write_text(example)
    assert run("g++", "-std=c++11", *FLAGS[1:], "-c", "example.cpp", folder=folder) == 0


@pytest.mark.parametrize("name", ["classifier", "int8"])
def test_the_example_seeds_the_rounding_of_int8_weights_only(name: str) -> None:
    readme = compiled(name).files["README.md"].decode()
    assert ("net_set_seed(1u)" in readme) == (name == "int8")


def test_the_readme_builds_the_self_test_as_it_says(one: Path) -> None:
    command = re.findall(r"^    (cc .*)$", (one / "README.md").read_text(), re.MULTILINE)
    assert len(command) == 1
    assert run("sh", "-c", command[0].replace(" && echo good", ""), folder=one) == 0


def test_there_are_at_most_eight_files(folder: Path) -> None:
    assert len(list(folder.iterdir())) <= 8


@pytest.mark.parametrize("compilers", [("gcc", "g++"), ("clang", "clang++")])
def test_c_plus_plus_calls_it_and_links_with_it(compilers: tuple[str, str], one: Path) -> None:
    if shutil.which(compilers[0]) is None:
        pytest.skip(f"{compilers[0]} IS NOT INSTALLED")
    calls = "int main()\n{\n    return net_selftest() + (net_set_rate(net_rate_from_float(0.05f)) != NET_OK);\n}\n"
    (one / "main.cpp").write_text(f'#include "net.h"\n#include "net.h"\n{calls}')
    for source in sources(one):
        assert run(compilers[0], *FLAGS, "-c", source.name, folder=one) == 0
    assert run(compilers[1], "-std=c++11", *FLAGS[1:], "main.cpp", *one.glob("*.o"), "-o", "program", folder=one) == 0
    assert run("./program", folder=one) == 0


def test_a_firmware_with_a_main_of_its_own_takes_the_whole_folder(one: Path) -> None:
    (one / "main.c").write_text('#include "net.h"\nint main(void)\n{\n    return net_selftest();\n}\n')
    assert run("cc", *FLAGS, *sources(one), "-o", "program", folder=one) == 0
    assert run("./program", folder=one) == 0


TWO_MAINS = """\
#include "first.h"
#include "second.h"

int main(void)
{
    return first_selftest() + second_selftest();
}
"""


def test_two_models_live_in_one_program(tmp_path: Path) -> None:
    """Linked from objects, and as one source that includes all others."""
    kinds = {"first": ("every kind in int8", Choice(prototypes=3)), "second": ("convolutions", Choice(prototypes=2))}
    for prefix, (name, choice) in kinds.items():
        network, component = NETWORKS[name], Component(prefix=prefix)
        made = compile_model(network, initial_weights(network, 3), find_board("pico"), choice, component=component)
        write_folder(made.files, tmp_path / prefix, force=False)
    (tmp_path / "main.c").write_text(TWO_MAINS)
    folders = ("-I", tmp_path / "first", "-I", tmp_path / "second")
    code = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("*/*.c"))
    assert run("cc", *FLAGS, *folders, "main.c", *code, "-o", "program", folder=tmp_path) == 0
    assert run("./program", folder=tmp_path) == 0
    (tmp_path / "all.c").write_text("".join(f'#include "{path}"\n' for path in [*code, "main.c"]))
    assert run("cc", *FLAGS, *folders, "all.c", "-o", "joined", folder=tmp_path) == 0
    assert run("./joined", folder=tmp_path) == 0


def test_every_name_of_a_folder_has_its_prefix(folder: Path) -> None:
    assert run("cc", *FLAGS, "-c", *(path.name for path in sources(folder)), folder=folder) == 0
    listed = subprocess.run(["nm", "-g", *folder.glob("*.o")], capture_output=True, text=True, check=True).stdout
    defined = re.findall(r"^[0-9a-f]+ [A-Z] (\w+)$", listed, re.MULTILINE)
    assert len(defined) > 15
    assert [name for name in defined if not name.startswith("net_")] == []
    for path in [*sources(folder), *folder.glob("*.h")]:
        left = set(re.findall(r"\bjrg_\w+(?!\w*\.h)\b|\bJRG_\w+", path.read_text()))
        assert left <= {"JRG_NN_PORTABLE", "jrg_nn"}, path.name


def test_no_word_of_floating_point_is_in_the_c(folder: Path) -> None:
    """The header alone has functions on floats, inline: they cost nothing where nobody calls them."""
    for path in [*sources(folder), folder / "net_kernels.h"]:
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)
        assert not re.search(r"\b(float|double)\b|\bmath\.h|\d\.\d", code), path.name


def test_every_file_is_under_the_licence_that_lies_beside_it(folder: Path) -> None:
    assert "Apache License" in (folder / "LICENSE").read_text()
    for path in [*sources(folder), *folder.glob("*.h")]:
        assert path.read_text().startswith("/* SPDX-License-Identifier: Apache-2.0 */\n"), path.name


def test_the_same_network_gives_the_same_bytes() -> None:
    for name in ("classifier", "prototypes"):
        assert compiled_anew(name).files == compiled_anew(name).files


def training_step(folder: Path, source: str, prefix: str) -> list[str]:
    """The instructions of the functions that a training step is made of, without addresses and names."""
    includes = (f"-I{kernel_folder()}", f"-I{folder}")
    command = (*toolchain.c_flags(toolchain.CORTEX_M4), *includes, "-c", source, "-o", f"{prefix}.o")
    assert run(toolchain.COMPILER, *command, folder=folder) == 0
    listed = subprocess.run(
        ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", folder / f"{prefix}.o"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    parts = re.findall(rf"<({prefix}_(?:train|infer|forward|step\d+_\w+))>:\n(.*?)\n\n", listed + "\n\n", re.DOTALL)
    assert f"{prefix}_train" in dict(parts)
    steps = sorted((name.removeprefix(prefix), code) for name, code in parts)
    return [
        re.sub(r"<.*|^ *[0-9a-f]+:|\b[0-9a-f]{2,8}\b|;.*", "", f"{name} {code}", flags=re.MULTILINE)
        for name, code in steps
    ]


@pytest.mark.cross
@pytest.mark.parametrize("name", ["every kind", "every kind in int8"])
def test_the_code_of_a_step_is_that_of_the_bench(name: str, tmp_path: Path) -> None:
    """So that the bench's counts hold for a folder: its kernels in one header and its names change no instruction."""
    made = compiled(name)
    write_folder(made.files, tmp_path / "folder", force=False)
    emit(made.plan, tmp_path / "emitted")
    bench = training_step(tmp_path / "emitted", "jrg_model.c", "jrg_model")
    assert sum(code.count("\n") for code in bench) > 1000
    assert training_step(tmp_path / "folder", "net.c", "net") == bench


def test_initial_weights_are_in_flash_once(one: Path) -> None:
    flags = ("-mcpu=cortex-m4", "-mthumb", *FLAGS, "-O2", "-flto", "-ffat-lto-objects")
    assert run(toolchain.COMPILER, *flags, "-c", "net_weights.c", folder=one) == 0
    size = subprocess.run(["arm-none-eabi-size", one / "net_weights.o"], capture_output=True, text=True, check=True)
    text_bytes = int(size.stdout.splitlines()[1].split()[0])
    assert 0 < text_bytes - compiled("several outputs").plan.blob_bytes < 64
