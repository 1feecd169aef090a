"""Whether a device, a model and a build meet a condition, and the sentence why not (S5.5, S5.8). Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jaragua.semantics.matching.conditions import WORDS, Constraint
from jaragua.semantics.matching.estimate import Cost, round_seconds
from jaragua.semantics.matching.records import BuildRecord, DeviceRecord, ModelRecord

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_STATED_BY: Final = {
    "sensor": "its owner or type of board",
    "place": "its owner",
    "link_bytes_per_second": "its owner",
    "round_s": "its owner (link_bytes_per_second)",
}


@dataclass(frozen=True)
class Pair:
    """What constraints look at: a device, a model, one of its builds, and what a step costs."""

    device: DeviceRecord
    model: ModelRecord
    build: BuildRecord | None
    cost: Cost | None


def unmet(constraint: Constraint, pair: Pair) -> str | None:
    """The sentence why a condition does not hold; None if it does. An unknown number never holds (S5.5)."""
    if constraint.name == "trains":
        return None  # every match is about training
    if constraint.name == "senses":
        return _senses(pair)
    if constraint.name == "sensor":
        return _sensor(constraint, pair.device)
    if constraint.name in WORDS:
        return _word(constraint, pair)
    return _number(constraint, pair)


def _senses(pair: Pair) -> str | None:
    if pair.device.sensors is None:
        return "its sensors are unknown (its owner or type of board could state them)"
    missing = sorted(pair.model.sensors - pair.device.sensors)
    return f"it has no {', no '.join(missing)}, which {pair.model.id} needs" if missing else None


def _sensor(constraint: Constraint, device: DeviceRecord) -> str | None:
    if device.sensors is None:
        return _unknown("sensor")
    has = constraint.value in device.sensors
    if has == (constraint.sign == "="):
        return None
    return f"it has {'a' if has else 'no'} {constraint.value}, the condition is {constraint}"


def _word(constraint: Constraint, pair: Pair) -> str | None:
    device, build = pair.device, pair.build
    found = {
        "place": device.place,
        "board": device.board,
        "core": device.core,
        "arithmetic": build.arithmetic if build else None,
        "fleet": device.fleet,
        "node": device.node,
        "kind": device.kind,
        "device": device.id,
    }[constraint.name]
    if found is None:
        return _unknown(constraint.name)
    if (found == constraint.value) == (constraint.sign == "="):
        return None
    return f"its {constraint.name} is {found}, the condition is {constraint}"


def _number(constraint: Constraint, pair: Pair) -> str | None:
    found = _value(constraint.name, pair)
    if found is None:
        return _unknown(constraint.name, pair.cost)
    if _COMPARE[constraint.sign](found, constraint.number):
        return None
    return f"{constraint.name} is {found:,.6g}, the condition is {constraint}"


def _value(name: str, pair: Pair) -> float | None:
    """The number a condition is about; of an estimate the highest, so that what is promised holds."""
    if name in ("ms_per_step", "mj_per_step"):
        estimate = None if pair.cost is None else pair.cost.ms if name == "ms_per_step" else pair.cost.mj
        return None if estimate is None else estimate.high
    if name == "round_s":
        return None if pair.build is None else round_seconds(pair.device, pair.build)
    if name == "accuracy":
        return pair.model.accuracy
    found: float | None = getattr(pair.device, name)
    return found


def _unknown(name: str, cost: Cost | None = None) -> str:
    if name in ("ms_per_step", "mj_per_step") and cost is not None:
        relevant = [one for one in cost.missing if name == "mj_per_step" or one not in ("current", "supply")]
        return f"{name} is unknown: {', '.join(relevant) or 'no build for its core'} unknown"
    if name == "accuracy":
        return "accuracy is unknown: no measurement of it is described"
    return f"{name} is unknown ({_STATED_BY.get(name, 'its type of board or owner')} could state it)"
