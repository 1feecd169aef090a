"""Flash-commands as a test sends them to a real gateway, and the reports that come back."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from fleet_bench import FLEET, Headquarters, until
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.emulate.image import sources_hash
from jaragua.models import model_named
from jaragua.wire.messages import FlashCommand, FlashReport, decode, encode
from jaragua.wire.topics import TopicKind, build

REPORTS = build(TopicKind.FLASHED, FLEET, asker="test")
LAST = {"done", "same", "refused", "failed"}


def flash_command(image: bytes, device: str = "left", model: str = "sine", **changes: Any) -> FlashCommand:
    """For a native board; `changes` of its fields."""
    found = model_named(model)
    fields: dict[str, Any] = {
        "id": secrets.token_bytes(8),
        "device": device,
        "environment": "native",
        "image": hashlib.sha256(image).digest(),
        "size": len(image),
        "build": sources_hash(),
        "model": found.network.name,
        "architecture": ModelCodec(found).plan.architecture,
        "accumulate": False,
        "prototypes": 0,
        "force": False,
        "patience": 300,
    }
    return FlashCommand(**fields | changes)


async def order(
    headquarters: Headquarters,
    node: str,
    command: FlashCommand,
    topic: str = REPORTS,
    signed: Sequence[tuple[str, str]] = (),
) -> None:
    """Publish the command once the node is there. signed: user properties of a signature."""
    await headquarters.node_is(node, "ready")
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ResponseTopic, properties.CorrelationData = topic, command.id
    if signed:
        properties.UserProperty = list(signed)
    where = build(TopicKind.COMMAND, FLEET, node=node, verb="flash")
    await headquarters._client.publish(where, encode(command), qos=1, properties=properties)


def reports(headquarters: Headquarters, command: FlashCommand) -> list[FlashReport]:
    """Of one command, in their order."""
    found = [decode(FlashReport, one.payload) for one in headquarters.of(TopicKind.FLASHED)]
    return [one for one in found if one.id == command.id]


async def last_report(headquarters: Headquarters, command: FlashCommand) -> FlashReport:
    """The one that ends a command."""
    return await until(lambda: next((one for one in reports(headquarters, command) if one.phase in LAST), None))


async def ordered(headquarters: Headquarters, image: bytes, command: FlashCommand) -> FlashReport:
    """Publish image and command; the last report."""
    await headquarters.publish_blob(image)
    await order(headquarters, "gw", command)
    return await last_report(headquarters, command)
