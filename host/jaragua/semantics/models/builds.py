"""The training builds of a network: one for each core, arithmetic and trained part, in the compiler's figures. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, get_args

from jaragua.wire.definitions import Operator
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.choice import ALL, LAST, Choice, planned
from jaragua_compiler.export.memory import figures
from jaragua_compiler.graph.network import Network, WeightFormat
from jaragua_compiler.planning.boards import Core
from jaragua_compiler.planning.plan import Plan, plan
from jaragua_compiler.planning.stack import stack_bound

CORES: Final[tuple[Core, ...]] = get_args(Core)
#: What trains: the last layer alone, in rounds; the others come with each blob (R35).
HEAD: Final = "head"
_NOT_STATIC: Final = ("weights: ", "one sample", "stack, at most")


@dataclass(frozen=True)
class Timing:
    """Cycles per instruction of training steps on a core: the least and the most that its reference manual gives.

    traced: of this build's own steps; else of those of other builds (S6.1).
    """

    core: str
    low: float
    high: float
    traced: bool = True


@dataclass(frozen=True)
class Counted:
    """What a training step costs on the emulated core: mean and largest of `steps` steps; stack as it was painted."""

    instructions: int
    instructions_worst: int
    forward_instructions: int
    stack_bytes: int
    steps: int
    timings: tuple[Timing, ...] = ()


@dataclass(frozen=True, order=True)
class BuildKey:
    """Which build of a model: core, format of trained weights, and what trains ("all", "head" or "last", S3.2)."""

    core: str
    arithmetic: str
    trains: str

    def __str__(self) -> str:
        return f"{self.core}:{self.arithmetic}:{self.trains}"


@dataclass(frozen=True)
class Build:
    """A build's figures in bytes (S3.3, S3.4). architecture: hexadecimal, "" while frozen weights are not known."""

    key: BuildKey
    training_ram_bytes: int
    static_ram_bytes: int
    stack_bytes_at_most: int
    flash_bytes: int
    blob_bytes: int
    operators: tuple[str, ...]
    architecture: str
    is_own: bool = False
    counted: Counted | None = None


def build_keys(network: Network) -> Iterator[BuildKey]:
    """All builds of a network, in order; a network with one layer of weights has "all" alone."""
    parts = (ALL,) if len(network.weighted) == 1 else (ALL, HEAD, LAST)
    for core in CORES:
        for arithmetic in get_args(WeightFormat):
            for trains in parts:
                yield BuildKey(core, arithmetic, trains)


def build_plan(network: Network, key: BuildKey) -> Plan:
    """The plan of a build, its frozen weights not filled in. Raises CompileError if the device cannot do it."""
    if _is_own(network, key):
        return plan(network)
    if key.trains == HEAD:
        whole = replace(network, held=0)
        return planned(whole.training_head(), Choice(key.arithmetic, ALL))  # type: ignore[arg-type]
    return planned(network, Choice(key.arithmetic, key.trains))  # type: ignore[arg-type]


def builds_of(network: Network) -> list[Build]:
    """Every build that can be compiled, each program once: frozen layers are int8 in both arithmetics (A10.1)."""
    found, seen = [], set()
    for key in build_keys(network):
        try:
            compiled = build_plan(network, key)
        except CompileError:
            continue
        if (key.core, compiled.steps) not in seen:
            seen.add((key.core, compiled.steps))
            found.append(_build(network, key, compiled))
    return found


def operator_names(bits: int) -> tuple[str, ...]:
    """The names of operator bits (L4.1)."""
    return tuple(one.name.lower() for one in Operator if bits >> one & 1)


def _is_own(network: Network, key: BuildKey) -> bool:
    return key.arithmetic == network.weights and key.trains == ALL and not network.frozen


def _build(network: Network, key: BuildKey, compiled: Plan) -> Build:
    found = figures(compiled, key.core)  # type: ignore[arg-type]
    static = sum(row.bytes for row in found.ram if not row.name.startswith(_NOT_STATIC))
    known = not network.frozen and not compiled.network.frozen
    return Build(
        key,
        training_ram_bytes=found.ram_bytes,
        static_ram_bytes=static,
        stack_bytes_at_most=stack_bound(compiled, key.core),  # type: ignore[arg-type]
        flash_bytes=found.flash_bytes,
        blob_bytes=compiled.blob_bytes,
        operators=operator_names(compiled.operators),
        architecture=compiled.architecture.hex() if known else "",
        is_own=_is_own(network, key),
    )
