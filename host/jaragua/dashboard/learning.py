"""What each device of the graph is and can learn, and which descriptions were refused, as tables (S5, S4.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from jaragua.bases.value import Value
from jaragua.observe.fleet_view import shortened
from jaragua.report.page.values import UNKNOWN
from jaragua.semantics.graph.store import Refusal
from jaragua.semantics.matching.decide import Verdict, Wish, decide
from jaragua.semantics.matching.records import DeviceRecord, ModelRecord

_NOTHING: Final = "none"
_ANY: Final = Wish(any_build=True)


class Learning(Value):
    """Rows of the two tables. devices: name, what it is, memory, sensors, what it trains, what not and why.

    refused: source, reasons, how often.
    """

    devices: tuple[tuple[str, ...], ...] = ()
    refused: tuple[tuple[str, ...], ...] = ()


def learning(
    devices: Iterable[DeviceRecord], models: Sequence[ModelRecord], refusals: Iterable[Refusal], fleet: str
) -> Learning:
    """The rows for the devices of one fleet, and for all refused sources of it."""
    lines = tuple(_line(one, [decide(one, model, _ANY) for model in models]) for one in devices if one.fleet == fleet)
    refused = (one for one in refusals if _is_of(one.source, fleet))
    return Learning(
        lines,
        tuple((shortened(one.source), "; ".join(map(shortened, one.sentences)), str(one.count)) for one in refused),
    )


def _is_of(source: str, fleet: str) -> bool:
    """Topics name their fleet; files are of no fleet."""
    return source.startswith(f"jaragua/1/{fleet}/") or not source.startswith("jaragua/")


def _line(device: DeviceRecord, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    sensors = UNKNOWN if device.sensors is None else ", ".join(sorted(device.sensors)) or _NOTHING
    can = [_named(one) for one in verdicts if one.fits]
    cannot = [f"{one.model.id}: {'; '.join(one.reasons)}" for one in verdicts if not one.fits]
    return (
        shortened(device.id),
        shortened(f"{device.kind}, {device.board or UNKNOWN}, {device.core or UNKNOWN}"),
        f"{_bytes(device.free_ram_bytes)} RAM, {_bytes(device.free_flash_bytes)} flash",
        sensors,
        ", ".join(can) or _NOTHING,
        ". ".join(cannot) or _NOTHING,
    )


def _named(verdict: Verdict) -> str:
    """The model and the build that fits: of a Pi, which compiles for itself, the model alone."""
    build = verdict.build
    if build is None or verdict.device.kind == "pi":
        return verdict.model.id
    part = "" if build.trains == "all" else ", last layer"
    return f"{verdict.model.id} ({build.arithmetic}{part}{', has its image' if verdict.is_ready else ''})"


def _bytes(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,} B"
