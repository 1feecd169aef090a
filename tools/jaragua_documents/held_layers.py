"""What training the last layer alone saves in rounds (R35): a table of docs/design/rounds.md."""

from __future__ import annotations

from jaragua.semantics.models.builds import Build, BuildKey, builds_of
from jaragua.semantics.models.figures import known_figures
from jaragua_documents.markdown import code, table
from jaragua_models import get, names

_CORE = "cortex_m4"


def saved() -> str:
    """RAM and instructions of all models of the zoo, with all layers and with the last one."""
    header = ("model", "RAM, w8", "RAM, w8-head", "RAM, w16", "RAM, w16-head", "a step, w8", "a step, w8-head")
    return table(header, [_row(name) for name in names()])


def _row(name: str) -> list[str]:
    builds = {
        (one.key.arithmetic, one.key.trains): one for one in builds_of(get(name).network) if one.key.core == _CORE
    }
    pairs = [(arithmetic, trains) for arithmetic in ("w8", "w16") for trains in ("all", "head")]
    ram = [f"{_fleet_ram(builds[pair]):,}" for pair in pairs]
    return [code(name), *ram, *(_instructions(name, builds[pair].key) for pair in pairs[:2])]


def _fleet_ram(build: Build) -> int:
    """With two buffers for weights (S5.4)."""
    return build.training_ram_bytes + build.blob_bytes


def _instructions(name: str, key: BuildKey) -> str:
    found = known_figures().counted(name, key)
    return "not counted" if found is None else f"{found.instructions:,}"
