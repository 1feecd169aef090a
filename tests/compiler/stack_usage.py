"""The most stack any call of a model can take, as the cross compiler tells it: its call graph with every frame."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

from jaragua_bench.emulated import toolchain
from jaragua_compiler import Plan, emit
from jaragua_compiler.engines.native import kernel_folder

LIBRARY_BYTES = 32  # of a function of the C library (memcpy, a division): the graph does not tell; measured less
_NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes \((\w+)\)')
_EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


def worst_stack_bytes(compiled: Plan, core: str, folder: Path) -> int:
    """Over all calls of jrg_model.h, built with the product's flags; `folder` is for the build."""
    emit(compiled, folder)
    command = [toolchain.compiler_of(core), *toolchain.c_flags(core), "-fcallgraph-info=su", "-I", str(kernel_folder())]
    subprocess.run([*command, "-c", "jrg_model.c"], cwd=folder, check=True, timeout=120)
    return _deepest((folder / "jrg_model.ci").read_text())


def _deepest(graph: str) -> int:
    frames = {}
    for name, size, kind in _NODE.findall(graph):
        assert kind != "dynamic", f"{name} has a frame of no fixed size"
        frames[name] = int(size)
    calls = defaultdict(set)
    for caller, called in _EDGE.findall(graph):
        calls[caller].add(called)

    @cache
    def depth(name: str) -> int:
        if name not in frames:
            return LIBRARY_BYTES
        return frames[name] + max(map(depth, calls[name]), default=0)

    return max(depth(name) for name in frames if name.startswith("jrg_model_"))
