"""Random devices, models and conditions, and a match by plain loops that shares no code with the product's."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from jaragua.semantics.matching.records import BuildRecord, DeviceRecord, ModelRecord
from jaragua.semantics.vocabulary import SENSORS

CORES = ("cortex_m0", "cortex_m0plus", "cortex_m3", "cortex_m4", "cortex_m7", "cortex_m33", "xtensa_lx6", None)
PLACES = ("kitchen", "cellar", None)
OPERATORS = ("dense", "relu", "conv", "softmax_cross_entropy")


def maybe(random_: random.Random, value: Any) -> Any:
    return None if random_.random() < 0.2 else value


def device(random_: random.Random, number: int) -> DeviceRecord:
    sensors = frozenset(random_.sample(sorted(SENSORS), random_.randint(0, 3)))
    return DeviceRecord(
        id=f"board-{number:03}",
        kind=random_.choice(("board", "board", "board", "pi")),
        board="x",
        core=random_.choice(CORES),
        place=random_.choice(PLACES),
        sensors=maybe(random_, sensors),
        free_ram_bytes=maybe(random_, random_.randint(1, 60) * 1000),
        free_flash_bytes=maybe(random_, random_.randint(1, 90) * 1000),
        clock_hz=maybe(random_, random_.choice((16_000_000, 64_000_000, 133_000_000))),
        supply_millivolt=maybe(random_, 3300),
        current_microampere=maybe(random_, random_.randint(1, 40) * 1000),
        link_bytes_per_second=maybe(random_, random_.choice((1152, 11520, 115200))),
        architecture=maybe(random_, random_.choice(("aa", "bb"))),
        image_operators=maybe(random_, frozenset(random_.sample(OPERATORS, 3))),
        reflash=random_.random() < 0.7,
    )


def build(random_: random.Random, core: str, arithmetic: str, trains: str) -> BuildRecord:
    blob = random_.randint(1, 20) * 1000
    instructions = maybe(random_, random_.randint(1000, 1_000_000))
    return BuildRecord(
        core=core,
        arithmetic=arithmetic,
        trains=trains,
        training_ram_bytes=blob + random_.randint(1, 20) * 1000,
        flash_bytes=random_.randint(1, 80) * 1000,
        blob_bytes=blob,
        operators=frozenset(random_.sample(OPERATORS, 2)),
        architecture=random_.choice(("aa", "bb", "cc")),
        is_own=(arithmetic, trains) == ("w16", "all"),
        instructions=instructions,
        instructions_worst=instructions and instructions + 100,
        timings=((core, 1.2, 1.7),) if random_.random() < 0.9 else (),
    )


def model(random_: random.Random, number: int) -> ModelRecord:
    keys = [(c, a, t) for c in ("cortex_m4", "cortex_m0plus") for a in ("w16", "w8") for t in ("all", "head", "last")]
    kept = [key for key in keys if random_.random() < 0.85]
    builds = sorted((build(random_, *key) for key in kept), key=lambda one: one.name)
    sensors = frozenset(random_.sample(sorted(SENSORS), random_.randint(0, 2)))
    return ModelRecord(f"model-{number}", "", "aa", sensors, maybe(random_, random_.random()), tuple(builds))


@dataclass(frozen=True)
class Ask:
    """A question in both forms: the text for the product, and plain values for the loops."""

    text: str
    sensor: str | None
    place: str | None
    most_ms: float | None
    most_mj: float | None
    least_link: int | None
    most_round: float | None
    senses: bool
    least_accuracy: float | None
    arithmetic: str | None
    trains: str | None
    buffers: int
    any_build: bool


def ask(random_: random.Random) -> Ask:
    def some(value: Any) -> Any:
        return value if random_.random() < 0.2 else None

    sensor, place = some(random_.choice(sorted(SENSORS))), some(random_.choice(("kitchen", "cellar")))
    ms, mj = some(random_.choice((1.0, 10.0, 50.0))), some(random_.choice((0.1, 1.0, 5.0)))
    link, round_s = some(random_.choice((5000, 50_000))), some(random_.choice((0.5, 5.0)))
    senses, accuracy = random_.random() < 0.1, some(0.5)
    texts = (
        ("sensor = {}", sensor),
        ("place = {}", place),
        ("ms_per_step < {}", ms),
        ("mj_per_step <= {}", mj),
        ("link_bytes_per_second >= {}", link),
        ("round_s < {}", round_s),
        ("senses", senses or None),
        ("accuracy > {}", accuracy),
    )
    return Ask(
        " and ".join(text.format(value) for text, value in texts if value is not None),
        sensor,
        place,
        ms,
        mj,
        link,
        round_s,
        senses,
        accuracy,
        random_.choice((None, None, "w8", "w16")),
        random_.choice((None, None, "all", "head", "last")),
        random_.choice((1, 2)),
        random_.random() < 0.3,
    )


#: The loops' own copy of what S5.2 and S6.1 say.
RUNS = {
    "cortex_m0": ["cortex_m0plus"],
    "cortex_m0plus": ["cortex_m0plus"],
    "cortex_m3": ["cortex_m0plus"],
    "cortex_m4": ["cortex_m4", "cortex_m0plus"],
    "cortex_m7": ["cortex_m4", "cortex_m0plus"],
    "cortex_m33": ["cortex_m0plus"],
}


def by_loops(device: DeviceRecord, model: ModelRecord, ask: Ask) -> bool:
    """Whether a device can train a model, as the rules read."""
    usable = []
    pi = device.kind == "pi"
    cores = sorted({one.core for one in model.builds})[:1] if pi else RUNS.get(str(device.core), [])
    for core in cores:
        usable = [one for one in model.builds if one.core == core]
        if usable:
            break
    if ask.any_build:
        usable = [one for one in usable if ask.arithmetic is None or one.arithmetic == ask.arithmetic]
        usable = [one for one in usable if ask.trains is None or one.trains == ask.trains]
        return any(holds(device, model, ask, one, n) for one in usable for n in (1, 2))
    if ask.arithmetic is None and ask.trains is None:
        chosen = [one for one in usable if one.is_own]
    else:
        chosen = [one for one in usable if one.trains == (ask.trains or "all")]
        chosen = [one for one in chosen if ask.arithmetic is None or one.arithmetic == ask.arithmetic]
    return bool(chosen) and holds(device, model, ask, chosen[0], ask.buffers)


def holds(device: DeviceRecord, model: ModelRecord, ask: Ask, build: BuildRecord, buffers: int) -> bool:
    """Every condition for one build."""
    ms = None
    cycles = {core: high for core, _, high in build.timings}
    if build.instructions and device.clock_hz and device.core in cycles:
        ms = cycles[device.core] * build.instructions / (device.clock_hz / 1000)
    mj = None
    if ms is not None and device.current_microampere and device.supply_millivolt:
        mj = ms / 1000 * device.current_microampere / 1e6 * device.supply_millivolt / 1000 * 1000
    link = device.link_bytes_per_second
    checks = [
        device.kind == "pi" or memory_holds(device, build, buffers),
        device.kind == "pi" or device.reflash or keeps_image(device, build),
        ask.sensor is None or (device.sensors is not None and ask.sensor in device.sensors),
        ask.place is None or device.place == ask.place,
        ask.most_ms is None or (ms is not None and ms < ask.most_ms),
        ask.most_mj is None or (mj is not None and mj <= ask.most_mj),
        ask.least_link is None or (link is not None and link >= ask.least_link),
        ask.most_round is None or (link is not None and 2 * build.blob_bytes / link < ask.most_round),
        not ask.senses or (device.sensors is not None and model.sensors <= device.sensors),
        ask.least_accuracy is None or (model.accuracy is not None and model.accuracy > ask.least_accuracy),
    ]
    return all(checks)


def memory_holds(device: DeviceRecord, build: BuildRecord, buffers: int) -> bool:
    if device.free_ram_bytes is None or device.free_flash_bytes is None:
        return False
    needed = build.training_ram_bytes + (build.blob_bytes if buffers == 2 else 0)
    return needed <= device.free_ram_bytes and build.flash_bytes <= device.free_flash_bytes


def keeps_image(device: DeviceRecord, build: BuildRecord) -> bool:
    has = device.image_operators or frozenset()
    return build.operators <= has and device.architecture is not None and device.architecture == build.architecture
