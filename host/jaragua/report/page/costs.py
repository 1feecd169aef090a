"""The section about costs: bytes, instructions, memory, energy. Nothing is estimated that was not counted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jaragua.report.details import RunDetails
from jaragua.report.page.model import Section, Table, rows
from jaragua.report.page.values import UNKNOWN, count, number, numbers, table, text

_CORES: Final = {"cortex_m4": "Cortex-M4", "cortex_m0plus": "Cortex-M0+", "rv32imc": "RISC-V"}


def section(run: RunDetails, nanojoules: float | None, error_percent: float) -> Section:
    """Costs of a run. nanojoules of an instruction, if the user measured them, with their error in percent."""
    step = _instructions(run.rounds)
    lines = [
        *_traffic(run),
        *_memory(run.facts),
        *_compute(run, step),
        *_energy(run.rounds, step, nanojoules, error_percent),
    ]
    headings = (("what", False), ("value", True), ("where it comes from", False))
    return Section("Costs", "costs", (), (), (Table("Costs of training", headings, rows(*lines)),))


def _traffic(run: RunDetails) -> Iterator[tuple[str, str, str]]:
    one, tasks = run.summary, sum(numbers(list(table(run.summary.get("updates")).values())))
    where = "tensors only" if run.kind == "simulation" else "MQTT payloads of updates and blobs"
    for way, name in (("bytes_up", "up"), ("bytes_down", "down")):
        found = number(one.get(way))
        each = f"; {found / tasks:,.0f} an update" if found is not None and tasks else ""
        yield f"bytes {name}", count(found), f"counted: {where}{each}"


def _memory(facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "parameters", count(facts.get("parameters")), "the network"
    yield "bytes of the weights (blob)", count(facts.get("blob_bytes")), "the compiler's plan (A6)"
    for core, name in _CORES.items():
        found = table(table(facts.get("memory")).get(core))
        ram, flash = count(found.get("ram_bytes")), count(found.get("flash_bytes"))
        yield f"RAM of the network, {name}", ram, "the compiler: static buffers, and a bound of the stack"
        yield f"flash of the network, {name}", flash, "the compiler's estimate, on the safe side of what was measured"


def _compute(run: RunDetails, step: Mapping[str, float]) -> Iterator[tuple[str, str, str]]:
    if not step:
        told = "boards count them; here no board took part. `jaragua bench` counts them on the emulated board"
        yield "instructions of a training step", UNKNOWN, told
        return
    for kind, least in step.items():
        yield f"instructions of a training step, {text(kind)}", count(least), "counted on the boards: least of the run"


def _energy(
    closed: Sequence[Mapping[str, Any]], step: Mapping[str, float], nanojoules: float | None, error_percent: float
) -> Iterator[tuple[str, str, str]]:
    name = "energy of an update's training"
    if nanojoules is None:
        told = "no board's energy was measured; --nanojoules gives that of one instruction, --energy-error its error"
        yield name, UNKNOWN, told
        return
    for kind, least in step.items():
        samples = _samples(closed, kind)
        if not samples:
            continue
        microjoules = least * samples * nanojoules / 1000
        half = microjoules * error_percent / 100
        told = (
            f"estimate: {count(least)} instructions × {samples:g} samples × {nanojoules:g} nJ, "
            f"± {error_percent:g} % as given; "
            "without radio, link and sleep, and from the least count of a step"
        )
        yield f"{name}, {text(kind)}", f"{microjoules:,.4g} ± {half:,.2g} µJ", told
    if not step:
        yield name, UNKNOWN, "no board counted instructions"


def _devices(closed: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for one in closed:
        yield from map(table, table(one.get("devices")).values())


def _instructions(closed: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By kind of device: the least count of a step; boards that cannot count say 0."""
    least: dict[str, float] = {}
    for one in _devices(closed):
        found, kind = number(one.get("instructions")), str(one.get("kind") or UNKNOWN)
        if found:
            least[kind] = min(found, least.get(kind, found))
    return least


def _samples(closed: Sequence[Mapping[str, Any]], kind: str) -> float:
    """Mean number of samples of an update."""
    found = numbers([one.get("samples") for one in _devices(closed) if str(one.get("kind") or UNKNOWN) == kind])
    return sum(found) / len(found) if found else 0.0
