"""Time and energy of a training step from counted instructions (S6). Pure; unknown where a number is missing."""

from __future__ import annotations

from dataclasses import dataclass

from jaragua.semantics.matching.records import BuildRecord, DeviceRecord


@dataclass(frozen=True)
class Range:
    """A number that is not known better than this: between `low` and `high`, most likely `middle`."""

    low: float
    middle: float
    high: float

    def times(self, factor: float) -> Range:
        """Each of them, times a factor."""
        return Range(self.low * factor, self.middle * factor, self.high * factor)


@dataclass(frozen=True)
class Cost:
    """Milliseconds and millijoules of a training step; None: unknown, and `missing` says which numbers are."""

    ms: Range | None
    mj: Range | None
    missing: tuple[str, ...]


def cost_of_step(device: DeviceRecord, build: BuildRecord) -> Cost:
    """The cost of the mean step of a build on a device."""
    cycles = _cycles_per_instruction(device, build)
    missing = [
        name
        for name, value in (
            ("instructions of a step", build.instructions),
            ("cycles per instruction of its core", cycles),
            ("clock", device.clock_hz),
        )
        if value is None
    ]
    ms = None
    if build.instructions is not None and cycles is not None and device.clock_hz is not None:
        ms = cycles.times(build.instructions * 1000 / device.clock_hz)
    electric = (("current", device.current_microampere), ("supply", device.supply_millivolt))
    missing += [name for name, value in electric if value is None]
    mj = None
    if ms is not None and device.current_microampere is not None and device.supply_millivolt is not None:
        # ms · µA · mV = 1e-3 s · 1e-6 A · 1e-3 V = 1e-12 J = 1e-9 mJ
        mj = ms.times(device.current_microampere * device.supply_millivolt * 1e-9)
    return Cost(ms, mj, tuple(missing))


def _cycles_per_instruction(device: DeviceRecord, build: BuildRecord) -> Range | None:
    """S6.1."""
    for core, low, high in build.timings:
        if core == device.core:
            return Range(low, (low + high) / 2, high)
    return None


def round_seconds(device: DeviceRecord, build: BuildRecord) -> float | None:
    """Seconds that the weights of a round take on the link, down and up (S3.6)."""
    if device.link_bytes_per_second is None:
        return None
    return 2 * build.blob_bytes / device.link_bytes_per_second
