"""`facts.json` of a run's folder: which versions made it, and what its network takes of a board's memory.

It is written once a run is begun, and gets another entry of versions whenever another version goes on with the run.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from jaragua import __version__
from jaragua.store import files
from jaragua_compiler.export.memory import figures
from jaragua_compiler.planning.boards import Core
from jaragua_compiler.planning.plan import Plan

FACTS: Final = "facts.json"
_SCHEMA_VERSION: Final = 1


def versions() -> dict[str, str]:
    """What computes here: each program with its version."""
    return {
        "jaragua": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "implementation": sys.implementation.name,
    }


def network_facts(plan: Plan, classes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a network costs on a board, as JSON values. classes: names of a task of one's own, () if they have none.

    RAM is what the generated C declares and a bound of the stack; flash is an estimate (compile.md).
    """
    memory = {core: figures(plan, core) for core in get_args(Core)}
    return {
        "parameters": sum(int(np.prod(part)) for layer in plan.shapes for part in layer),
        "blob_bytes": plan.blob_bytes,
        "classes": list(classes),
        "outputs": plan.network.outputs,
        "memory": {core: {"ram_bytes": one.ram_bytes, "flash_bytes": one.flash_bytes} for core, one in memory.items()},
    }


def write_facts(folder: Path, facts: Mapping[str, Any], rounds_done: int) -> None:
    """Write the facts, with the versions of now for the rounds behind `rounds_done`. Raises: StoreError."""
    known = read_facts(folder).get("versions", []) if rounds_done else []
    now = versions()
    same = bool(known) and {key: known[-1].get(key) for key in now} == now
    entries = known if same else [*known, {"after_round": rounds_done, **now}]
    content = {"schema_version": _SCHEMA_VERSION, "versions": entries, **facts}
    if (folder / FACTS).is_file() and content == read_facts(folder):
        return
    files.write_whole(folder / FACTS, (files.json_line(content) + "\n").encode())


def read_facts(folder: Path) -> dict[str, Any]:
    """What the file says; empty if there is none, or it is not whole."""
    try:
        found = json.loads((folder / FACTS).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
