"""Properties, actions and events of a Thing Description, with MQTT forms that generic clients can use (S2.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CBOR: Final = "application/cbor"
JSON: Final = "application/json"
_OBSERVE = ["observeproperty", "unobserveproperty"]

Schema = Mapping[str, Any]
Affordance = dict[str, Any]


@dataclass(frozen=True)
class Address:
    """A topic of a broker: `broker` is mqtt://host:port without credentials."""

    broker: str
    topic: str

    @property
    def href(self) -> str:
        """The form's target."""
        return f"{self.broker}/{self.topic}"


def record(required: Sequence[str] = (), /, **properties: Schema) -> dict[str, Any]:
    """The data schema of an object."""
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in properties.items()},
        **({"required": list(required)} if required else {}),
    }


def readable(title: str, schema: Schema, address: Address, content: str = CBOR) -> Affordance:
    """A property whose last value the broker keeps: it can be read and observed."""
    form = _subscribe(address, content, ["readproperty", *_OBSERVE]) | {"mqv:retain": True}
    return {"title": title, **schema, "readOnly": True, "observable": True, "forms": [form]}


def action(title: str, address: Address, content: str, **more: Any) -> Affordance:
    """An action whose input is published. `more`: input, output, uriVariables … of the TD."""
    form = {"href": address.href, "op": "invokeaction", "contentType": content}
    mqtt = {"mqv:controlPacket": "publish", "mqv:topic": address.topic, "mqv:qos": "1"}
    return {"title": title, **more, "forms": [form | mqtt]}


def event(title: str, schema: Schema, address: Address, content: str, **more: Any) -> Affordance:
    """An event that can be subscribed to. `more`: uriVariables … of the TD."""
    form = _subscribe(address, content, ["subscribeevent", "unsubscribeevent"])
    return {"title": title, "data": dict(schema), **more, "forms": [form]}


def _subscribe(address: Address, content: str, operations: list[str]) -> dict[str, Any]:
    form = {"href": address.href, "op": operations, "contentType": content}
    return form | {"mqv:controlPacket": "subscribe", "mqv:filter": address.topic, "mqv:qos": "1"}
