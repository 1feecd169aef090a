"""Builds the C test programs of firmware/test, with sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from jaragua.wire.codegen.constants import write_header
from jaragua.wire.codegen.key import write_header as write_key
from jaragua.wire.codegen.messages import COMPILER_FLAGS, write_messages
from strict_c import STRICT

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "firmware" / "test"
LIBRARIES = ROOT / "firmware" / "lib"
MAIN_LOOP = ROOT / "firmware" / "src" / "jrg_app.c"

WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", *STRICT]
_SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


def compile_objects(sources: Iterable[Path], flags: list[str], folder: Path) -> list[str]:
    objects = []
    for source in sources:
        target = folder / f"{source.stem}.o"
        subprocess.run(["cc", *_SANITIZE, *flags, "-c", str(source), "-o", str(target)], check=True)
        objects.append(str(target))
    return objects


def link_program(objects: list[str], program: Path) -> Path:
    subprocess.run(["cc", *_SANITIZE, *objects, "-o", str(program)], check=True)
    return program


def _write_version(folder: Path) -> None:
    """What firmware/scripts/generate.py makes for an image."""
    text = '#define JRG_FIRMWARE_VERSION "test"\n#define JRG_FIRMWARE_BUILD {0}\n'
    (folder / "jrg_version.h").write_text(text, encoding="utf-8")


class SharedObjects:
    """What is the same for every network: the messages' C, the link, and the generated headers. `objects` is linked."""

    def __init__(self, folder: Path) -> None:
        self.generated = folder / "generated"
        write_header(self.generated)
        write_messages(self.generated)
        _write_version(self.generated)
        write_key(self.generated)
        flags = [f"-I{path}" for path in (self.generated, TESTS, LIBRARIES / "jrg_link", LIBRARIES / "jrg_keep")]
        link = [*(LIBRARIES / "jrg_link").glob("*.c"), LIBRARIES / "jrg_keep" / "jrg_keep.c", TESTS / "fake_host.c"]
        self.objects = compile_objects(self.generated.glob("*.c"), [*COMPILER_FLAGS, *flags], folder)
        self.objects += compile_objects(link, [*WARNINGS, *flags], folder)


class CPrograms:
    """`tests` and `one_buffer` run the C unit test they are given by name, on a model a test can follow by hand."""

    def __init__(self, folder: Path, shared: SharedObjects) -> None:
        includes = [
            shared.generated,
            TESTS / "fake",
            TESTS,
            MAIN_LOOP.parent,
            ROOT / "firmware" / "ports",
            *(LIBRARIES / name for name in ("jrg_link", "jrg_keep", "jrg_node", "jrg_nn", "jrg_online", "jrg_sign")),
        ]
        flags = [f"-I{path}" for path in includes]
        signing = compile_objects((LIBRARIES / "jrg_sign").glob("*.c"), [*WARNINGS, *flags], folder)
        node = [*(LIBRARIES / "jrg_node").glob("*.c"), TESTS / "fake" / "fake_model.c", TESTS / "node_bench.c"]
        common = [*shared.objects, *signing, *compile_objects(node, [*WARNINGS, *flags], folder)]
        units = compile_objects([TESTS / "jrg_test.c", MAIN_LOOP, *TESTS.glob("test_*.c")], [*WARNINGS, *flags], folder)
        self.tests = link_program([*common, *units], folder / "tests")
        self.one_buffer = self._one_buffer(node, flags, shared.objects, folder)

    def _one_buffer(self, sources: list[Path], flags: list[str], shared: list[str], folder: Path) -> Path:
        """The node with one buffer for weights (L4.3), and its own tests."""
        objects = folder / "one_buffer"
        objects.mkdir()
        units = [TESTS / "jrg_test.c", *(TESTS / "one_buffer").glob("test_*.c")]
        built = compile_objects([*sources, *units], [*WARNINGS, "-DJRG_NODE_BUFFERS=1", *flags], objects)
        return link_program([*shared, *built], objects / "tests")
