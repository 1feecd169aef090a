"""What a match looks at: devices, models and their builds as plain values. None: unknown."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DeviceRecord:
    """A device of the graph. id: its name in the fleet, or its IRI; sizes in bytes, the rest in the units of S1.5."""

    id: str
    iri: str = ""
    kind: str = "board"
    title: str = ""
    fleet: str | None = None
    node: str | None = None
    board: str | None = None
    core: str | None = None
    place: str | None = None
    sensors: frozenset[str] | None = None
    free_ram_bytes: int | None = None
    free_flash_bytes: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    clock_hz: int | None = None
    supply_millivolt: int | None = None
    current_microampere: int | None = None
    link_bytes_per_second: int | None = None
    architecture: str | None = None
    image_operators: frozenset[str] | None = None
    reflash: bool = True
    digest: str = ""
    """SHA-256 of the description that says all this."""

    @property
    def name(self) -> str:
        """Its name at its node: the id of a device whose name two fleets use begins with its place."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True)
class BuildRecord:
    """A training build (S3.2). instructions: mean and worst of a step, None where nobody counted them.

    timings: core, least and most cycles per instruction (S6.1).
    """

    core: str
    arithmetic: str
    trains: str
    training_ram_bytes: int
    flash_bytes: int
    blob_bytes: int
    operators: frozenset[str] = frozenset()
    architecture: str | None = None
    is_own: bool = False
    instructions: int | None = None
    instructions_worst: int | None = None
    timings: tuple[tuple[str, float, float], ...] = ()

    @property
    def name(self) -> str:
        """As the command line and the reasons call it."""
        return f"{self.core}:{self.arithmetic}:{self.trains}"


@dataclass(frozen=True)
class ModelRecord:
    """A model of the graph and its builds."""

    id: str
    iri: str = ""
    architecture: str | None = None
    sensors: frozenset[str] = frozenset()
    accuracy: float | None = None
    builds: tuple[BuildRecord, ...] = field(default=())
