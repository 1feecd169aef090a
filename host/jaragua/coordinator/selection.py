"""Which devices of the fleet a run's `devices.match` picks, from the knowledge graph (semantics.md, S7).

The graph is another process's: it is opened for reading, and again when it may have changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jaragua.config import RunConfig, strategy_of
from jaragua.coordinator.connection.roster import Change, Presence
from jaragua.errors import JaraguaError
from jaragua.folders import state_folder
from jaragua.semantics.described import model_record
from jaragua.semantics.matching.conditions import parse
from jaragua.semantics.matching.decide import IN_ROUNDS, Verdict, decide_for_run
from jaragua.semantics.matching.records import DeviceRecord
from jaragua.semantics.models.writing import described
from jaragua.strategies.registry import work_of
from jaragua_models import Model

LOGGER = logging.getLogger(__name__)
_AGAIN_MS: Final = 2_000

#: Reads the devices that the graph describes.
ReadDevices = Callable[[], list[DeviceRecord]]


@dataclass(frozen=True)
class Chosen:
    """A device that was picked: where, with which build, and the SHA-256 of the description that said so."""

    node: str
    build: str
    buffers: int
    description: str


class Selection:
    """Decides about devices, and notices when the graph says something else. Pure but for `read`."""

    def __init__(
        self, expression: str, model: Model, fleet: str, read: ReadDevices, parts: Collection[str] = IN_ROUNDS
    ) -> None:
        """parts: what a device of the run may train (`trained_parts`)."""
        self.chosen: dict[str, Chosen] = {}
        """All devices that were picked, with what was decided last."""
        self._constraints = parse(expression)
        self._model = model_record(described(model))
        self._fleet = fleet
        self._read = read
        self._parts = parts
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self._read_at_ms: int | None = None
        self._refused: dict[str, str] = {}

    def look(self, now_ms: int) -> bool:
        """Read the graph again if that is due; whether it was. A graph that cannot be read keeps what was decided."""
        if self._read_at_ms is not None and now_ms - self._read_at_ms < _AGAIN_MS:
            return False
        self._read_at_ms = now_ms
        try:
            devices = self._read()
        except JaraguaError as error:
            LOGGER.warning("devices.match: %s (%s)", error.message, error.hint)
            return False
        here = [one for one in devices if one.fleet == self._fleet]
        self._verdicts = {
            (one.name, one.node or ""): decide_for_run(one, self._model, self._constraints, self._parts) for one in here
        }
        return True

    def admits(self, device: str, node: str) -> bool:
        """Whether the graph describes this device and finds that it can train the run's model."""
        verdict = self._verdicts.get((device, node))
        if verdict is None or not verdict.fits or verdict.build is None:
            self._say(device, "the graph does not describe it" if verdict is None else "; ".join(verdict.reasons))
            return False
        self._refused.pop(device, None)
        self.chosen[device] = Chosen(node, verdict.build.name, verdict.buffers, verdict.device.digest)
        return True

    def present(self, devices: dict[str, str]) -> dict[str, str]:
        """Those of the devices at their nodes that are picked."""
        return {device: node for device, node in devices.items() if self.admits(device, node)}

    def changes(self, changes: Iterable[Change]) -> list[Change]:
        """Of what happened to devices, that which concerns the run: nobody comes who is not picked."""
        return [one for one in changes if one.presence is not Presence.PRESENT or self.admits(one.device, one.node)]

    def corrections(self, there: dict[str, str], working: Iterable[str]) -> list[Change]:
        """After `look`: who is there and picked and does not work yet, and who works and is not picked any more."""
        at_work = set(working)
        picked = self.present(there)
        came = [Change(device, node, Presence.PRESENT) for device, node in picked.items() if device not in at_work]
        gone = [device for device in sorted(at_work) if device in there and device not in picked]
        return came + [Change(device, there[device], Presence.AWAY) for device in gone]

    def _say(self, device: str, reason: str) -> None:
        """Why a device is not picked, once a reason."""
        if self._refused.get(device) != reason:
            self._refused[device] = reason
            LOGGER.info("devices.match leaves %s out: %s", device, reason)

    def record(self) -> dict[str, Any]:
        """What the run's folder keeps (S7.4)."""
        return {
            device: {"node": one.node, "build": one.build, "buffers": one.buffers, "description": one.description}
            for device, one in sorted(self.chosen.items())
        }


def selection_of(config: RunConfig, model: Model) -> Selection | None:
    """The selection of a run; None if it has no `devices.match`. Raises: ToolError without the extra, StoreError."""
    if not config.devices.match:
        return None
    folder = Path(config.devices.graph) if config.devices.graph else state_folder() / "graph"
    parts = trained_parts(config)
    return Selection(config.devices.match, model, config.run.fleet, lambda: read_devices(folder), parts)


def trained_parts(config: RunConfig) -> frozenset[str]:
    """What a device of a run may train: all layers, or the last one alone too (S3.2, R35.6)."""
    work = work_of(strategy_of(config), 1)
    whole = work.compressed or work.prototypes or config.privacy.sums or config.strategy.combine != "own"
    return frozenset({"all"}) if whole else IN_ROUNDS


@dataclass(frozen=True)
class ImageRoom:
    """What an image must have beside the network for a run: sums (A11.1), and prototypes of so many classes (A12)."""

    accumulate: bool = False
    prototypes: int = 0
    episodes: bool = False
    """Enrolled samples teach, by the gradients of their prototypes (A12.9)."""

    def holds(self, needed: ImageRoom) -> bool:
        """Whether an image with this room has what is needed."""
        holds = self.accumulate >= needed.accumulate and self.prototypes >= needed.prototypes
        return holds and self.episodes >= needed.episodes


NO_ROOM: Final = ImageRoom()


def image_room(config: RunConfig, model: Model) -> ImageRoom:
    """What boards of a run need. model: of the run."""
    work = work_of(strategy_of(config), 1)
    classes = classes_of(config, model) if work.prototypes else 0
    return ImageRoom(work.batch != 1, classes, bool(work.episode_queries))


def classes_of(config: RunConfig, model: Model) -> int:
    """Labels of a run's tasks are below this number."""
    return config.client.ways if model.own_labels else max(config.client.ways, model.network.outputs)


def read_devices(folder: Path) -> list[DeviceRecord]:
    """The devices of the graph in a folder. Raises: StoreError, ToolError."""
    from jaragua.semantics.graph.facts import device_records
    from jaragua.semantics.graph.store import GraphStore

    with GraphStore(folder, read_only=True) as store:
        return device_records(store)
