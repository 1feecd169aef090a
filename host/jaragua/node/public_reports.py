"""What a device tells clients that know its Thing Description alone: properties and events in JSON (M50)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jaragua.node.reports import Adapted, JobBegun, Report, Trained
from jaragua.node.throttle import LatestThrottle
from jaragua.node.training.trainer import Progress
from jaragua.wire.topics import TopicKind

HEALTH_SECONDS: Final = 10.0
EVENT_SECONDS: Final = 2.0

#: Kind and name of a topic, and what is published there.
Publish = Callable[[TopicKind, str, bytes], None]
#: Terms of a Thing Description that are about memory.
MEMORY: Final = (
    "ramBytes",
    "flashBytes",
    "freeRamBytes",
    "freeFlashBytes",
    "usedRamBytes",
    "usedFlashBytes",
    "arenaBytes",
    "blobBytes",
)


@dataclass(frozen=True)
class _Job:
    """The job that a device has begun, in the words of its progress."""

    about: Mapping[str, str | int]

    def progress(self, done: int, samples: int) -> bytes:
        return _json({**self.about, "done": done, "samples": samples})


class PublicReports:
    """Of one device. Properties are published when they change; `health` and events at most once a period."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._told: dict[str, bytes] = {}
        self._job = _Job({})
        self._health = LatestThrottle(lambda payload: self._property("health", payload), HEALTH_SECONDS)
        self._events = {name: self._event_throttle(name) for name in ("progress", "rejected")}

    def memory(self, facts: Mapping[str, Any]) -> None:
        """Of all facts of the device those about memory, if there are any."""
        known = {name: facts[name] for name in MEMORY if name in facts}
        if known:
            self._property("memory", _json(known))

    def model(self, document: Mapping[str, Any]) -> None:
        """What the device computes."""
        self._property("model", _json(document))

    def health(self, counters: Mapping[str, int]) -> None:
        """Counters of the link and the board (L4.8), by their names in Python."""
        self._health.offer(_json({camel_case(name): value for name, value in counters.items()}))

    def progress(self, progress: Progress) -> None:
        """How far the job is."""
        self._events["progress"].offer(self._job.progress(progress.done, progress.samples))

    def report(self, report: Report, rounds: int | None) -> None:
        """A job begins or has ended. rounds: of its run, if it is known."""
        match report:
            case JobBegun(run=run, round=None, trial=trial):
                self._job = _Job({"run": run, "trial": trial or 0})
            case JobBegun(run=run, round=number):
                self._job = _Job({"run": run, "round": number or 0, **({"rounds": rounds} if rounds else {})})
            case Trained(samples=samples):
                self._events["progress"].offer(self._job.progress(samples, samples))
            case Adapted(queries=queries):
                self._events["progress"].offer(self._job.progress(queries, queries))

    def rejected(self, reason: str, why: str, count: int) -> None:
        """Something that was asked of the device was refused; count: so many since the start."""
        self._events["rejected"].offer(_json({"reason": reason, "why": why, "count": count}))

    def close(self) -> None:
        """Publish nothing more."""
        for throttle in (self._health, *self._events.values()):
            throttle.close()

    def _property(self, name: str, payload: bytes) -> None:
        if self._told.get(name) != payload:
            self._told[name] = payload
            self._publish(TopicKind.DEVICE_PROPERTY, name, payload)

    def _event_throttle(self, name: str) -> LatestThrottle:
        return LatestThrottle(lambda payload: self._publish(TopicKind.DEVICE_EVENT, name, payload), EVENT_SECONDS)


def camel_case(name: str) -> str:
    """`frames_in` -> `framesIn`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
