"""The graph's descriptions as the plain records that a match looks at (S5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.matching.records import BuildRecord, DeviceRecord, ModelRecord

#: Field of a record -> the term that says it.
_DEVICE: Final = {
    "kind": "jrg:kind",
    "title": "td:title",
    "fleet": "jrg:fleet",
    "node": "jrg:node",
    "board": "jrg:board",
    "core": "jrg:core",
    "place": "jrg:place",
    "free_ram_bytes": "jrg:freeRamBytes",
    "free_flash_bytes": "jrg:freeFlashBytes",
    "ram_bytes": "jrg:ramBytes",
    "flash_bytes": "jrg:flashBytes",
    "clock_hz": "jrg:clockHz",
    "supply_millivolt": "jrg:supplyMillivolt",
    "current_microampere": "jrg:currentMicroampere",
    "link_bytes_per_second": "jrg:linkBytesPerSecond",
    "architecture": "jrg:architecture",
    "reflash": "jrg:reflash",
}
_BUILD: Final = {
    "core": "jrg:core",
    "arithmetic": "jrg:arithmetic",
    "trains": "jrg:trains",
    "training_ram_bytes": "jrg:trainingRamBytes",
    "flash_bytes": "jrg:flashBytes",
    "blob_bytes": "jrg:blobBytes",
    "architecture": "jrg:architecture",
    "is_own": "jrg:isOwn",
    "instructions": "jrg:instructionsPerStep",
    "instructions_worst": "jrg:instructionsPerStepWorst",
}


def device_records(store: GraphStore) -> list[DeviceRecord]:
    """Boards and Pis of the graph, sorted by id. Nodes are no devices: a Pi describes itself as both."""
    values = _by_subject(store, _DEVICE)
    names = {subject: value for _, subject, value in store.values("jrg:device")}
    sensors = _sets(store, "jrg:sensors")
    operators, digests = _sets(store, "jrg:imageOperators"), store.digests()
    found = [
        DeviceRecord(
            id=names[subject],
            iri=subject,
            sensors=sensors.get(subject),
            image_operators=operators.get(subject),
            digest=digests.get(subject, ""),
            **about,
        )
        for subject, about in values.items()
        if about.get("kind") in ("board", "pi") and subject in names
    ]
    return sorted(_told_apart(found), key=lambda one: one.id)


def model_records(store: GraphStore) -> list[ModelRecord]:
    """Models of the graph, sorted by name."""
    builds = _by_subject(store, _BUILD)
    operators, timings = _sets(store, "jrg:needsOperators"), _timings(store)
    owners: dict[str, list[BuildRecord]] = {}
    for _, model, build in store.values("jrg:trainingBuild"):
        record = BuildRecord(
            operators=operators.get(build, frozenset()), timings=timings.get(build, ()), **builds[build]
        )
        owners.setdefault(model, []).append(record)
    about = _by_subject(store, {"id": "schema:name", "architecture": "schema:identifier"})
    sensors, accuracy = _sets(store, "jrg:needsSensor"), _accuracies(store)
    found = [
        ModelRecord(
            iri=model,
            sensors=sensors.get(model, frozenset()),
            accuracy=accuracy.get(model),
            builds=tuple(sorted(owned, key=lambda one: one.name)),
            **about[model],
        )
        for model, owned in owners.items()
    ]
    return sorted(found, key=lambda one: (one.id, one.iri))


def _told_apart(devices: list[DeviceRecord]) -> list[DeviceRecord]:
    """Devices whose name two fleets use get their fleet before it, or else their IRI."""
    counted: dict[str, int] = {}
    for one in devices:
        counted[one.id] = counted.get(one.id, 0) + 1
    named = [one if counted[one.id] == 1 else replace(one, id=f"{one.fleet}/{one.node}/{one.id}") for one in devices]
    again: dict[str, int] = {}
    for one in named:
        again[one.id] = again.get(one.id, 0) + 1
    return [one if again[one.id] == 1 else replace(one, id=one.iri) for one in named]


def _by_subject(store: GraphStore, terms: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for field, term in terms.items():
        for _, subject, value in store.values(term):
            found.setdefault(subject, {})[field] = value
    return found


def _sets(store: GraphStore, term: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for _, subject, value in store.values(term):
        found.setdefault(subject, set()).add(value)
    return {subject: frozenset(values) for subject, values in found.items()}


def _timings(store: GraphStore) -> dict[str, tuple[tuple[str, float, float], ...]]:
    """Build -> core, least and most cycles per instruction."""
    terms = {"core": "jrg:timedCore", "low": "jrg:cyclesPerInstructionLow", "high": "jrg:cyclesPerInstructionHigh"}
    about = _by_subject(store, terms)
    found: dict[str, list[tuple[str, float, float]]] = {}
    for _, build, node in store.values("jrg:timing"):
        one = about[node]
        found.setdefault(build, []).append((one["core"], one["low"], one["high"]))
    return {build: tuple(sorted(timings)) for build, timings in found.items()}


def _accuracies(store: GraphStore) -> dict[str, float]:
    """Model -> the best measured accuracy."""
    kinds = {subject for _, subject, kind in store.values("rdf:type") if kind.endswith("Top_1_accuracy")}
    values = {subject: value for _, subject, value in store.values("nnet:hasMetricValue") if subject in kinds}
    found: dict[str, float] = {}
    for _, model, metric in store.values("nnet:hasMetric"):
        if metric in values:
            found[model] = max(found.get(model, 0.0), values[metric])
    return found
