"""Generated C sets no compiler flags: it documents those that the product is built with."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from pathlib import Path

import pytest

from jaragua_compiler import Network, initial_weights, plan
from jaragua_compiler.codegen.emitter import emitted_files
from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.export.choice import Choice
from jaragua_compiler.export.compile import compile_model
from jaragua_compiler.graph import layers as kinds
from jaragua_compiler.planning.boards import find_board

ROOT = Path(__file__).parents[3]
NETWORK = Network(
    "flags",
    (8, 8, 1),
    (
        kinds.Conv2D(3, padding="same", activation="relu"),
        kinds.MaxPool2D(),
        kinds.DepthwiseConv2D(padding="same", activation="tanh"),
        kinds.Flatten(),
        kinds.Dense(5, "relu", trained_channels=2),
        kinds.Dense(3),
    ),
)
COUNTED = ("SINE", "MLP", "KWS", "CNN")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A folder of `jaragua compile`."""
    return compile_model(NETWORK, initial_weights(NETWORK, 1), find_board("qemu_m4"), Choice()).files


@pytest.fixture(scope="module")
def readme(files: dict[str, bytes]) -> str:
    return files["README.md"].decode()


def flags() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((ROOT / "firmware" / "flags.toml").read_text(encoding="utf-8"))


def optimise() -> str:
    return " ".join(flags()["c"]["optimise"])


def test_no_generated_code_and_no_kernel_sets_compiler_flags(files: dict[str, bytes]) -> None:
    texts = {name: text.decode() for name, text in files.items() if name.endswith((".c", ".h"))}
    texts |= {str(path): path.read_text() for path in kernel_folder().rglob("*.h")}
    for weights in ("w16", "w8"):
        texts |= {f"{weights} {name}": text for name, text in emitted_files(plan(network(weights), True)).items()}
    found = [name for name, text in texts.items() if re.search(r"pragma\s+(GCC|clang)\s+optimi|optimize\s*\(", text)]
    assert found == []


def network(weights: str) -> Network:
    """The network without frozen channels, whose constants a plan alone does not know."""
    layers = (*NETWORK.layers[:-2], kinds.Dense(5, "relu"), kinds.Dense(3))
    return Network("flags", (8, 8, 1), layers, weights="w8" if weights == "w8" else "w16")


def test_kernels_know_nothing_of_a_generated_model() -> None:
    kernels = list(kernel_folder().glob("*/*.h"))
    assert len(kernels) > 50
    assert [path.name for path in kernels if re.search(r'^#include "jrg_model', path.read_text(), re.MULTILINE)] == []


def test_the_folder_documents_the_flags_of_the_product(files: dict[str, bytes], readme: str) -> None:
    core = " ".join(flag for flag in flags()["core"]["cortex_m4"] if not flag.startswith("-mfloat-abi"))
    assert f"arm-none-eabi-gcc {core} -std=c99 {optimise()} -c flags.c flags_weights.c" in readme
    assert f'COMPILE_OPTIONS "{";".join(optimise().split())}"' in readme
    build = json.loads(files["jaragua.json"])["build"]
    assert build == {"core": core.split(), "flags": ["-std=c99", *optimise().split()]}


def test_the_arduino_image_is_built_with_the_same_flags() -> None:
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(ROOT / "platformio.ini")
    assert ini["env:nano33ble"]["build_flags"] == optimise()


def test_the_pages_document_the_same_flags_and_counts(readme: str) -> None:
    page = (ROOT / "docs" / "reference" / "compile.md").read_text()
    assert f"`{optimise()}`" in page
    assert table(page) == table(readme)
    assert list(table(page)) == [f"`{optimise()}`", "`-O2`", "`-O3`", "`-Os`", "`-O0`"]
    assert optimise() in (ROOT / "docs" / "how-to" / "c-in-a-product.md").read_text()


def table(text: str) -> dict[str, str]:
    """Flags -> counts of the networks of the bench."""
    _, rest = text.split(f"| flags | {' | '.join(COUNTED)} |\n", 1)
    rows = rest.split("\n\n", 1)[0].splitlines()[1:]
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}


def test_the_documented_counts_are_those_of_the_benchmarks_page(readme: str) -> None:
    """Of the rows whose samples are in the repository."""
    counts = re.findall(r"[\d,]{5,}", table(readme)[f"`{optimise()}`"])
    page = (ROOT / "docs" / "results" / "benchmarks.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| training step, mean"))
    assert len(counts) == len(COUNTED)
    assert re.findall(r"\| ([\d,]+) \(", row)[:2] == counts[:2]
