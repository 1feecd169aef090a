"""A fleet in Home Assistant, by its MQTT discovery: one device for each device, and one for the run.

Jaragua's own topics are CBOR, which Home Assistant does not read: this program reads them and publishes JSON beside
them. docs/how-to/see-a-fleet.md lists the topics.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from jaragua import __version__
from jaragua.node.connection.session import Incoming, Participant, Session
from jaragua.node.program import ended
from jaragua.observe.fleet_view import DeviceView, FleetView
from jaragua.observe.observer import Observer
from jaragua.wire.rejections import RejectedError
from jaragua.wire.wear import wear_of

DISCOVERY: Final = "homeassistant"
_ROOT: Final = "jaragua-ha"
_EVERY_SECONDS: Final = 1.0
_FLUSH_SECONDS: Final = 10.0

Entities: TypeAlias = dict[str, tuple[str, Mapping[str, str]]]

#: Entities of a device: key of the state, name, and what Home Assistant should know.
_OF_DEVICE: Final[Entities] = {
    "state": ("State", {}),
    "updates": ("Updates", {"state_class": "total_increasing"}),
    "damaged_frames": ("Damaged frames", {"state_class": "total_increasing", "entity_category": "diagnostic"}),
    "stack_free": ("Stack free", {"unit_of_measurement": "B", "entity_category": "diagnostic"}),
    "before": ("Before adaptation", {"state_class": "measurement"}),
    "after": ("After adaptation", {"state_class": "measurement"}),
}
#: Of a board that keeps what it has learned (K9).
_OF_FLASH: Final[Entities] = {
    "flash_saves": ("Flash saves", {"state_class": "total_increasing", "entity_category": "diagnostic"}),
    "flash_most_saves": ("Flash saves possible", {"entity_category": "diagnostic"}),
    "flash_erases": ("Flash erases since start", {"state_class": "total_increasing", "entity_category": "diagnostic"}),
    "flash_erases_per_1000_jobs": (
        "Flash erases per 1,000 jobs",
        {"state_class": "measurement", "entity_category": "diagnostic"},
    ),
}
_OF_RUN: Final[Entities] = {
    "run": ("Run", {}),
    "phase": ("Phase", {}),
    "round": ("Round", {"state_class": "measurement"}),
    "loss": ("Loss", {"state_class": "measurement"}),
    "score": ("Score", {"state_class": "measurement"}),
    "devices": ("Devices present", {"state_class": "measurement"}),
}
#: The run's own device; no device of a fleet has a name with a dot.
RUN: Final = "fleet.run"


def availability_topic(fleet: str) -> str:
    """Where it stands whether this program is at work: online or offline."""
    return f"{_ROOT}/{fleet}/$state"


def state_topic(fleet: str, name: str) -> str:
    """Where the JSON state of a device stands."""
    return f"{_ROOT}/{fleet}/{name}"


def discovery_topic(fleet: str, name: str, prefix: str = DISCOVERY) -> str:
    """Where Home Assistant looks for a device; its ids have letters, digits, - and _ only."""
    return f"{prefix}/device/{_identifier(fleet, name)}/config"


def _identifier(fleet: str, name: str) -> str:
    return f"jaragua_{fleet}_{name}".replace(".", "_")


def discovery(fleet: str, name: str, one: DeviceView | None) -> dict[str, Any]:
    """The discovery message of a device, or of the run (None)."""
    identifier = _identifier(fleet, name)
    entities = _OF_RUN if one is None else _OF_DEVICE | (_OF_FLASH if wear_of(one.health) else {})
    facts = one.facts if one else {}
    device: dict[str, Any] = {
        "identifiers": [identifier],
        "name": f"Jaragua {fleet}" if one is None else f"{name} ({fleet})",
        "manufacturer": "Jaragua",
        "model": facts.get("board") or (one.kind if one else "fleet"),
    }
    if firmware := facts.get("firmware"):
        device["sw_version"] = firmware
    return {
        "device": device,
        "origin": {"name": "jaragua", "sw_version": __version__},
        "availability_topic": availability_topic(fleet),
        "state_topic": state_topic(fleet, name),
        "components": {
            key: {
                "platform": "sensor",
                "unique_id": f"{identifier}_{key}",
                "name": title,
                "value_template": f"{{{{ value_json.{key} }}}}",
                **more,
            }
            for key, (title, more) in entities.items()
        },
    }


def device_state(one: DeviceView) -> dict[str, Any]:
    """The state of a device, as JSON values; null where nothing is known."""
    return {
        "state": one.state,
        "updates": one.updates,
        "damaged_frames": one.health.get("bad_crc"),
        "stack_free": one.health.get("stack_free_bytes"),
        "before": one.before[-1] if one.before else None,
        "after": one.after[-1] if one.after else None,
        **_wear(one),
    }


def _wear(one: DeviceView) -> dict[str, Any]:
    """K9; nothing of a device that keeps nothing."""
    wear = wear_of(one.health)
    if wear is None:
        return {}
    values = wear.saves, wear.most_saves, wear.erases, wear.erases_per_thousand_jobs
    return dict(zip(_OF_FLASH, values, strict=True))


def run_state(view: FleetView) -> dict[str, Any]:
    """The state of the run, as JSON values."""
    last = next(reversed(view.rounds.values())) if view.rounds else {}
    return {
        "run": view.run.run if view.run else None,
        "phase": view.run.phase if view.run else None,
        "round": view.run.round if view.run else None,
        "loss": last.get("loss"),
        "score": last.get("score"),
        "devices": sum(one.state in ("ready", "training") for one in view.devices.values()),
    }


class _Quiet:
    """Listens to nothing."""

    def connected(self) -> None:
        """See `Listener`."""

    def received(self, message: Incoming) -> None:
        """See `Listener`."""

    def dropped(self, count: int, topic: str) -> None:
        """See `Listener`."""

    def refused(self, topic: str, error: RejectedError) -> None:
        """See `Listener`."""


class HomeAssistant:
    """`await HomeAssistant(observer).run()` until cancelled. Errors: BrokerError."""

    def __init__(self, observer: Observer, prefix: str = DISCOVERY) -> None:
        self._observer = observer
        self._fleet = observer.fleet
        self._prefix = prefix
        self._said: dict[str, bytes] = {}
        will = (availability_topic(self._fleet), b"offline")
        identifier = f"jaragua-{self._fleet}-ha-{secrets.token_hex(4)}"
        participant = Participant(observer.url, identifier, will, lambda: 0, None)
        self._session = Session(participant, _Quiet())

    async def run(self) -> None:
        """Publish what has changed, once a second. What is taken out of the fleet is taken out there, too."""
        tasks = [asyncio.create_task(one.run()) for one in (self._observer, self._session)]
        self._session.retain(availability_topic(self._fleet), b"online")
        try:
            while not any(task.done() for task in tasks):
                self._publish()
                await asyncio.wait(tasks, timeout=_EVERY_SECONDS)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            self._session.retain(availability_topic(self._fleet), b"offline")
            await asyncio.shield(self._session.flush(_FLUSH_SECONDS))
            await ended(*tasks)

    def _publish(self) -> None:
        view = self._observer.view
        wanted = {}
        for name, one in (*view.devices.items(), (RUN, None)):
            wanted[discovery_topic(self._fleet, name, self._prefix)] = discovery(self._fleet, name, one)
            found = run_state(view) if one is None else device_state(one)
            wanted[state_topic(self._fleet, name)] = found
        for topic, content in wanted.items():
            payload = json.dumps(content, ensure_ascii=False).encode()
            if self._said.get(topic) != payload:
                self._said[topic] = payload
                self._session.retain(topic, payload)
        for topic in self._said.keys() - wanted.keys():
            del self._said[topic]
            self._session.clear(topic)
