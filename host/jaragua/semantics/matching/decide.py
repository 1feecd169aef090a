"""The decision about one device and one model, and the order of many (S5). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jaragua.semantics.matching.conditions import Constraint
from jaragua.semantics.matching.constraints import Pair, unmet
from jaragua.semantics.matching.estimate import Cost, cost_of_step
from jaragua.semantics.matching.records import BuildRecord, DeviceRecord, ModelRecord
from jaragua.semantics.vocabulary import RUNS_BUILDS_OF

#: A core that compiles for itself: any build stands for it, and memory is no limit (S5.2).
_OWN_COMPILER = "pi"
#: What trains (S3.2), what learns best first, in words.
_TRAINED: Final = {
    "all": "training all layers",
    "head": "training the last layer alone, in rounds",
    "last": "training the last layer alone",
}
_TRAINS: Final = tuple(_TRAINED)
#: Builds that a round has a place for: those whose layers all come with its start (R35).
IN_ROUNDS: Final = frozenset({"all", "head"})


@dataclass(frozen=True)
class Wish:
    """What is asked: conditions, and which build. None: the model's own.

    any_build: whichever fits of the builds with that arithmetic and trained part; None: of all (S5.9).
    buffers: for weights (L4.3): 2, or 1.
    """

    constraints: tuple[Constraint, ...] = ()
    arithmetic: str | None = None
    trains: str | None = None
    buffers: int = 2
    any_build: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether a device can train a model, with which build, or why not and what would make it fit."""

    device: DeviceRecord
    model: ModelRecord
    fits: bool
    build: BuildRecord | None
    buffers: int
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    cost: Cost | None
    is_ready: bool
    ram_left_bytes: int | None


def match(devices: Iterable[DeviceRecord], models: Iterable[ModelRecord], wish: Wish) -> list[Verdict]:
    """The verdicts on all pairs, in the order of S5.6: those that fit first."""
    devices = list(devices)
    return sorted((decide(device, model, wish) for model in models for device in devices), key=_order)


def decide(device: DeviceRecord, model: ModelRecord, wish: Wish) -> Verdict:
    """The verdict on one pair."""
    candidates = _candidates(device, model, wish)
    if not candidates:
        return _refused(device, model, [_no_build(device, model, wish)])
    tried = [(build, buffers, _reasons(device, model, build, buffers, wish)) for build, buffers in candidates]
    fitting = [(build, buffers) for build, buffers, reasons in tried if not reasons]
    if fitting:
        return _accepted(device, model, *fitting[0])
    build, buffers, reasons = tried[0]
    refused = _refused(device, model, reasons, build, buffers)
    return refused if wish.any_build else replace(refused, remedies=tuple(_remedies(device, model, build, wish)))


def decide_for_run(
    device: DeviceRecord,
    model: ModelRecord,
    constraints: tuple[Constraint, ...],
    parts: Collection[str] = IN_ROUNDS,
) -> Verdict:
    """The verdict on a device in a run (S7.1). parts: what a device of the run may train.

    On the build that the device's image computes if that fits, else on the first that fits (S5.9).
    """
    of_rounds = replace(model, builds=tuple(build for build in model.builds if build.trains in parts))
    for build in runnable(device, of_rounds):
        if _is_ready(device, build):
            own = decide(device, of_rounds, Wish(constraints, build.arithmetic, build.trains, any_build=True))
            if own.fits:
                return own
    return decide(device, of_rounds, Wish(constraints, any_build=True))


def _candidates(device: DeviceRecord, model: ModelRecord, wish: Wish) -> list[tuple[BuildRecord, int]]:
    """Builds that the wish names and the core runs, the first choice first, each with its buffers."""
    builds = runnable(device, model)
    if wish.any_build:
        asked = (build for build in builds if _is_asked(build, wish))
        return [(build, buffers) for build in sorted(asked, key=_preference) for buffers in (2, 1)]
    wanted = [build for build in builds if _is_wanted(build, wish)]
    return [(build, wish.buffers) for build in wanted[:1]]


def runnable(device: DeviceRecord, model: ModelRecord) -> list[BuildRecord]:
    """The builds of the best core whose builds a device's core runs (S5.2)."""
    if device.kind == _OWN_COMPILER:
        cores: Sequence[str] = sorted({build.core for build in model.builds})[:1]
    else:
        cores = RUNS_BUILDS_OF.get(device.core or "", ())
    found = ([build for build in model.builds if build.core == core] for core in cores)
    return next(filter(None, found), [])


def _preference(build: BuildRecord) -> tuple[bool, int, bool, str]:
    """Own build, then all layers, then the last one in rounds, then w16: what learns best comes first."""
    return (not build.is_own, _TRAINS.index(build.trains), build.arithmetic != "w16", build.name)


def _is_asked(build: BuildRecord, wish: Wish) -> bool:
    return wish.arithmetic in (None, build.arithmetic) and wish.trains in (None, build.trains)


def _is_wanted(build: BuildRecord, wish: Wish) -> bool:
    if wish.arithmetic is None and wish.trains is None:
        return build.is_own
    arithmetic = wish.arithmetic is None or build.arithmetic == wish.arithmetic
    return arithmetic and build.trains == (wish.trains or "all")


def _no_build(device: DeviceRecord, model: ModelRecord, wish: Wish) -> str:
    if device.kind != _OWN_COMPILER and device.core is None:
        return "its core is unknown (its type of board could state it)"
    if device.kind != _OWN_COMPILER and not RUNS_BUILDS_OF.get(device.core or ""):
        return f"there is no build for its core {device.core}"
    asked = ":".join(filter(None, (wish.arithmetic, wish.trains)))
    return f"{model.id} has no build {asked} for its core {device.core}" if asked else f"{model.id} has no build"


def ram_needed(build: BuildRecord, buffers: int) -> int:
    """Bytes of RAM in a fleet: the weights as received lie beside those that train (S5.4)."""
    return build.training_ram_bytes + (buffers - 1) * build.blob_bytes


def _reasons(device: DeviceRecord, model: ModelRecord, build: BuildRecord, buffers: int, wish: Wish) -> list[str]:
    pair = Pair(device, model, build, cost_of_step(device, build))
    conditions = (unmet(constraint, pair) for constraint in wish.constraints)
    return [*_memory(device, build, buffers), *_image(device, build), *filter(None, conditions)]


def _memory(device: DeviceRecord, build: BuildRecord, buffers: int) -> Iterator[str]:
    if device.kind == _OWN_COMPILER:
        return
    needs = (
        ("RAM", "for training", ram_needed(build, buffers), device.free_ram_bytes),
        ("flash", "for the program", build.flash_bytes, device.free_flash_bytes),
    )
    for place, purpose, needed, free in needs:
        if free is None:
            yield f"its free {place} is unknown (its type of board or owner could state it)"
        elif needed > free:
            yield f"needs {_size(needed, free)} of {place} {purpose}, {_size(free, needed)} are free"


def _image(device: DeviceRecord, build: BuildRecord) -> Iterator[str]:
    """A device that keeps its image computes what that image does (S5.3)."""
    if device.reflash or device.kind == _OWN_COMPILER:
        return
    missing = sorted(build.operators - (device.image_operators or frozenset()))
    if missing:
        yield f"its image lacks {', '.join(missing)}, and its owner allows no other image"
    elif not _is_ready(device, build):
        yield "its image is of another network, and its owner allows no other image"


def _is_ready(device: DeviceRecord, build: BuildRecord) -> bool:
    return device.architecture is not None and device.architecture == build.architecture


def _remedies(device: DeviceRecord, model: ModelRecord, refused: BuildRecord, wish: Wish) -> Iterator[str]:
    """Other builds that fit, by the same rules; one whose changes hold those of another is left out (S5.7)."""
    tried = [(build, buffers) for build in runnable(device, model) for buffers in (2, 1)]
    found = {
        _changes(refused, wish.buffers, build, buffers): ram_needed(build, buffers)
        for build, buffers in tried
        if (build, buffers) != (refused, wish.buffers) and not _reasons(device, model, build, buffers, wish)
    }
    for changes, needed in sorted(found.items(), key=lambda one: (len(one[0]), one)):
        if not any(set(other) < set(changes) for other in found):
            yield f"{' and '.join(changes)}: {_kilobytes(needed)} of RAM"


def _changes(refused: BuildRecord, buffers: int, build: BuildRecord, others: int) -> tuple[str, ...]:
    changed = {
        f"weights {build.arithmetic}": build.arithmetic != refused.arithmetic,
        _TRAINED[build.trains]: build.trains != refused.trains,
        f"{'one buffer' if others == 1 else 'two buffers'} for weights": others != buffers,
    }
    return tuple(words for words, is_new in changed.items() if is_new)


def _accepted(device: DeviceRecord, model: ModelRecord, build: BuildRecord, buffers: int) -> Verdict:
    free = None if device.kind == _OWN_COMPILER else device.free_ram_bytes
    left = None if free is None else free - ram_needed(build, buffers)
    ready = device.kind == _OWN_COMPILER or _is_ready(device, build)
    return Verdict(device, model, True, build, buffers, (), (), cost_of_step(device, build), ready, left)


def _refused(
    device: DeviceRecord,
    model: ModelRecord,
    reasons: Sequence[str],
    build: BuildRecord | None = None,
    buffers: int = 2,
) -> Verdict:
    cost = None if build is None else cost_of_step(device, build)
    return Verdict(device, model, False, build, buffers, tuple(reasons), (), cost, False, None)


def _order(verdict: Verdict) -> tuple[object, ...]:
    """S5.6."""
    cost = verdict.cost
    ms = cost.ms.middle if cost is not None and cost.ms is not None else float("inf")
    if verdict.fits:
        return (0, not verdict.is_ready, ms, -(verdict.ram_left_bytes or 0), verdict.device.id, verdict.model.id)
    return (1, len(verdict.reasons), 0.0, 0, verdict.device.id, verdict.model.id)


def _size(size: int, other: int) -> str:
    """In kilobytes, or in bytes where both would read the same."""
    return f"{size:,} bytes" if _kilobytes(size) == _kilobytes(other) else _kilobytes(size)


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.1f} KB"
