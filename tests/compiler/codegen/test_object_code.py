"""Generated code and kernels as the cross compiler makes them: no float, on either core, at any optimisation level."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from random_cases import MLP, SINE

from jaragua_compiler import Dense, Network, emit, plan
from jaragua_compiler.engines.native import kernel_folder
from long_form import paired

WIDE = Network("wide", 300, (Dense(67, "relu"), Dense(35), Dense(9, "relu"), Dense(2)))
COMPILER = "arm-none-eabi-gcc"
FLOAT_SYMBOL = re.compile(r"__aeabi_(f|d|i2[fd]|ui2[fd]|l2[fd]|ul2[fd])|__(float|fix|add[sd]f|mul[sd]f|div[sd]f)")
FLOAT_INSTRUCTION = re.compile(r"\tv[a-z]+(\.|\t)")  # all VFP mnemonics start with v

pytestmark = pytest.mark.cross


def _flags(core: str) -> list[str]:
    flags = tomllib.loads((kernel_folder().parents[1] / "flags.toml").read_text())
    return [*flags["core"][core], *flags["c"]["standard"], *flags["c"]["warnings"], "-fno-schedule-insns"]


def _object(network: Network, core: str, level: str, folder: Path) -> Path:
    emit(plan(network), folder)
    target = folder / "jrg_model.o"
    includes = ["-I", str(kernel_folder()), "-I", str(folder)]
    command = [COMPILER, *_flags(core), level, *includes, "-c", str(folder / "jrg_model.c"), "-o", str(target)]
    subprocess.run(command, check=True)
    return target


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


NETWORKS = {network.name: network for network in (SINE, MLP, WIDE)}
BUILDS = [f"{name} {core}" for core in ("cortex_m4", "cortex_m0plus") for name in NETWORKS]


@pytest.mark.parametrize(("build", "level"), paired(BUILDS, ["-O2", "-Os", "-Og", "-O0"]))
def test_no_float_instruction_and_no_soft_float_symbol(build: str, level: str, tmp_path: Path) -> None:
    name, core = build.split()
    target = _object(NETWORKS[name], core, level, tmp_path)
    symbols = _output("arm-none-eabi-nm", str(target))
    assert "jrg_model_train" in symbols
    assert not FLOAT_SYMBOL.search(symbols)
    assert not FLOAT_INSTRUCTION.search(_output("arm-none-eabi-objdump", "-d", str(target)))


def test_only_the_documented_names_are_visible(tmp_path: Path) -> None:
    target = _object(MLP, "cortex_m4", "-O2", tmp_path)
    symbols = {
        line.split()[-1] for line in _output("arm-none-eabi-nm", "-g", "--defined-only", str(target)).splitlines()
    }
    calls = {"check", "bind", "set_rate", "set_seed", "set_accumulation", "set_clip", "set_loss_threshold", "apply"}
    calls |= {"input", "forward", "features", "evaluate", "train", "loss_exponent"}
    assert symbols == {"jrg_model"} | {f"jrg_model_{call}" for call in calls}


def test_the_dsp_path_is_taken_on_a_cortex_m4_and_absent_on_a_cortex_m0plus(tmp_path: Path) -> None:
    for core, expected in (("cortex_m4", True), ("cortex_m0plus", False)):
        code = _output("arm-none-eabi-objdump", "-d", str(_object(MLP, core, "-O2", tmp_path)))
        assert ("smlad" in code and "smmulr" in code and "qsub16" in code) == expected
