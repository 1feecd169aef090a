"""Builds the C test programs of firmware/test, with sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from jaragua_compiler.definitions_c import write_header
from jaragua_compiler.messages_c import COMPILER_FLAGS, write_messages
from strict_c import STRICT

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "firmware" / "test"
LIBRARIES = ROOT / "firmware" / "lib"
MAIN_LOOP = ROOT / "firmware" / "src" / "jrg_app.c"

_STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", *STRICT]
_SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


def _compile(sources: Iterable[Path], flags: list[str], folder: Path) -> list[str]:
    objects = []
    for source in sources:
        target = folder / f"{source.stem}.o"
        subprocess.run(["cc", *_SANITIZE, *flags, "-c", str(source), "-o", str(target)], check=True)
        objects.append(str(target))
    return objects


def _link(objects: list[str], program: Path) -> Path:
    subprocess.run(["cc", *_SANITIZE, *objects, "-o", str(program)], check=True)
    return program


def _write_version(folder: Path) -> None:
    """What firmware/scripts/generate.py makes for an image."""
    text = '#define JRG_FIRMWARE_VERSION "test"\n#define JRG_FIRMWARE_BUILD {0}\n'
    (folder / "jrg_version.h").write_text(text, encoding="utf-8")


class CPrograms:
    """`tests` and `one_buffer`: run the C unit test they are given by name; `fuzz`: takes a seed and iterations."""

    def __init__(self, folder: Path) -> None:
        generated = folder / "generated"
        write_header(generated)
        write_messages(generated)
        _write_version(generated)
        includes = [
            generated,
            TESTS / "fake",
            TESTS,
            MAIN_LOOP.parent,
            ROOT / "firmware" / "ports",
            *(LIBRARIES / name for name in ("jrg_link", "jrg_node", "jrg_nn", "jrg_online")),
        ]
        flags = [f"-I{path}" for path in includes]
        product = [*(LIBRARIES / "jrg_link").glob("*.c"), *(LIBRARIES / "jrg_node").glob("*.c")]
        bench = [TESTS / "fake" / "fake_model.c", TESTS / "fake_host.c", TESTS / "node_bench.c"]
        common = _compile(generated.glob("*.c"), [*COMPILER_FLAGS, *flags], folder)
        shared = list(common)
        common += _compile([*product, *bench], [*_STRICT, *flags], folder)
        units = _compile([TESTS / "jrg_test.c", MAIN_LOOP, *TESTS.glob("test_*.c")], [*_STRICT, *flags], folder)
        self.tests = _link([*common, *units], folder / "tests")
        self.fuzz = _link([*common, *_compile([TESTS / "fuzz.c"], [*_STRICT, *flags], folder)], folder / "fuzz")
        self.one_buffer = self._one_buffer([*product, *bench], flags, shared, folder)

    def _one_buffer(self, sources: list[Path], flags: list[str], shared: list[str], folder: Path) -> Path:
        """The node with one buffer for weights (L4.3), and its own tests."""
        objects = folder / "one_buffer"
        objects.mkdir()
        units = [TESTS / "jrg_test.c", *(TESTS / "one_buffer").glob("test_*.c")]
        built = _compile([*sources, *units], [*_STRICT, "-DJRG_NODE_BUFFERS=1", *flags], objects)
        return _link([*shared, *built], objects / "tests")
