"""The zoo and all types of boards as records, without a graph: what `jaragua match --types` looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaragua.semantics.boards.board_types import board_types
from jaragua.semantics.matching.records import BuildRecord, DeviceRecord, ModelRecord
from jaragua.semantics.models.builds import Build
from jaragua.semantics.models.description import ModelDescription, describe_model
from jaragua.semantics.things.device_facts import typed_facts
from jaragua_models import get, names

_TERMS = {
    "core": "core",
    "free_ram_bytes": "freeRamBytes",
    "free_flash_bytes": "freeFlashBytes",
    "ram_bytes": "ramBytes",
    "flash_bytes": "flashBytes",
    "clock_hz": "clockHz",
    "supply_millivolt": "supplyMillivolt",
    "current_microampere": "currentMicroampere",
}
#: Processors that run an operating system, and compile for themselves (S5.2).
_WITH_SYSTEM = "cortex_a"


def type_records() -> list[DeviceRecord]:
    """Every type of board as a device that has not answered."""
    return [_type_record(name) for name in sorted(board_types())]


def zoo_records(wanted: Sequence[str] | None = None) -> list[ModelRecord]:
    """The models of the zoo, or those of these names that it has."""
    return [
        model_record(describe_model(get(name), of_the_zoo=True)) for name in names() if not wanted or name in wanted
    ]


def model_record(description: ModelDescription) -> ModelRecord:
    """A description as a match sees it."""
    accuracies = [one.value for one in description.measured if one.metric == "accuracy"]
    return ModelRecord(
        id=description.name,
        architecture=description.architecture or None,
        sensors=frozenset(description.sensors),
        accuracy=max(accuracies, default=None),
        builds=tuple(sorted(map(_build_record, description.builds), key=lambda one: one.name)),
    )


def _build_record(build: Build) -> BuildRecord:
    counted = build.counted
    return BuildRecord(
        core=build.key.core,
        arithmetic=build.key.arithmetic,
        trains=build.key.trains,
        training_ram_bytes=build.training_ram_bytes,
        flash_bytes=build.flash_bytes,
        blob_bytes=build.blob_bytes,
        operators=frozenset(build.operators),
        architecture=build.architecture or None,
        is_own=build.is_own,
        instructions=None if counted is None else counted.instructions,
        instructions_worst=None if counted is None else counted.instructions_worst,
        timings=() if counted is None else tuple((one.core, one.low, one.high) for one in counted.timings),
    )


def _type_record(name: str) -> DeviceRecord:
    facts: dict[str, Any] = dict(typed_facts(name))
    core = str(facts.get("core", ""))
    known: dict[str, Any] = {field: facts.get(term) for field, term in _TERMS.items()}
    return DeviceRecord(
        id=name,
        kind="pi" if core.startswith(_WITH_SYSTEM) else "board",
        title=board_types()[name].title,
        board=name,
        sensors=None if "sensors" not in facts else frozenset(facts["sensors"]),
        **known,
    )
