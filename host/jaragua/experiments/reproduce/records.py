"""What came of experiments: a JSON file each, named by the content of what was asked, so that nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from jaragua.errors import StoreError
from jaragua.reasons import reason_of
from jaragua.simulation import CurvePoint, Means, Natural, SimulationResult
from jaragua.store.files import write_whole

_VERSION: Final = 1

Record = TypeVar("Record")


@dataclass(frozen=True)
class Outcome:
    """Record of one simulation under one seed. seconds: of wall time, evaluation included."""

    seed: int
    metric: str
    before: Means
    after: Means
    tasks: int
    curve: tuple[CurvePoint, ...]
    natural: Natural | None
    bytes_up: int
    bytes_down: int
    client_tasks: int
    final_hash: str
    seconds: float

    @classmethod
    def of(cls, seed: int, result: SimulationResult, seconds: float) -> Self:
        """What is kept of a result."""
        return cls(
            seed,
            result.metric,
            result.before,
            result.after,
            result.tasks,
            result.curve,
            result.natural,
            result.bytes_up,
            result.bytes_down,
            result.client_tasks,
            result.final_hash,
            seconds,
        )

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """The inverse of `asdict`. Raises: KeyError or TypeError if it is none."""
        found["before"], found["after"] = Means(**found["before"]), Means(**found["after"])
        found["curve"] = tuple(
            CurvePoint(point["rounds"], Means(**point["before"]), Means(**point["after"])) for point in found["curve"]
        )
        if found["natural"]:
            found["natural"] = Natural(**{name: Means(**one) for name, one in found["natural"].items()})
        return cls(**found)


@dataclass(frozen=True)
class Costs:
    """Record of one network on a Cortex-M4: RAM after the compiler's table, instructions counted on the emulated board.

    step_instructions: the mean of training steps on one sample each, in mini-batches of `batch`; 0 without the tools.
    """

    ram_bytes: int
    step_instructions: int
    batch: int
    seconds: float


class Store:
    """A folder of records. Each is written at once, so a kill leaves none half."""

    def __init__(self, folder: Path) -> None:
        self._records = folder / "records"
        self._states = folder / "states"

    def state(self, training_key: str) -> Path:
        """Where a simulation that is not finished keeps where it stands."""
        return self._states / training_key

    def outcome(self, key: str) -> Outcome | None:
        """Record of a simulation, None if it was not finished. Raises: StoreError."""
        return self._read(f"simulation-{key}", Outcome.from_json)

    def costs(self, key: str) -> Costs | None:
        """Record of a network, None if it was not measured. Raises: StoreError."""
        return self._read(f"costs-{key}", lambda found: Costs(**found))

    def put(self, key: str, name: str, record: Outcome | Costs) -> None:
        """Keep a record; name: for people who look into the folder. Raises: StoreError."""
        kind = "costs" if isinstance(record, Costs) else "simulation"
        content = {"version": _VERSION, "name": name, "record": asdict(record)}
        text = json.dumps(content, indent=1) + "\n"
        write_whole(self._records / f"{kind}-{key}.json", text.encode())

    def _read(self, stem: str, made_of: Callable[[dict[str, Any]], Record]) -> Record | None:
        path = self._records / f"{stem}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return made_of(content["record"]) if content["version"] == _VERSION else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {reason_of(error)}", "check the path and its rights") from error
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path} cannot be read: it is damaged, or no record"
            raise StoreError(message, "delete it, and it is made again") from error
