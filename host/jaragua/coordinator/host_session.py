"""The coordinator's connection to the broker: the session that nodes use too, with requests and clearing added."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from jaragua.errors import BrokerError
from jaragua.node.session import Session, _Outgoing


@dataclass(frozen=True)
class _Request(_Outgoing):
    response_topic: str | None = None

    def properties(self) -> Properties | None:
        properties = super().properties() or Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if self.response_topic is not None:
            properties.ResponseTopic = self.response_topic
        return properties


@dataclass(frozen=True)
class Reply:
    """Where and under which name the answer to a command is wanted (MQTT 5, request and response)."""

    topic: str
    correlation: bytes


class HostSession(Session):
    """A `Session` that also sends commands that expire, and takes retained messages back."""

    def command(
        self, topic: str, payload: bytes, expiry_seconds: int, key: Hashable, reply: Reply | None = None
    ) -> None:
        """Publish a command that the broker drops after `expiry_seconds`; an unsent one with that key is replaced."""
        request = _Request(
            topic,
            payload,
            correlation=reply.correlation if reply else None,
            expiry_seconds=max(1, expiry_seconds),
            response_topic=reply.topic if reply else None,
        )
        self._enqueue(("command", key), request)

    def clear(self, topic: str) -> None:
        """Take a retained message off the broker, once."""
        self._retained.pop(topic, None)
        self._enqueue(("retained", topic), _Outgoing(topic, b"", retain=True))

    def _give_up_if_hopeless(self, error: Exception, deadline: float) -> None:
        """The session's own words, with what a coordinator's user can do."""
        try:
            super()._give_up_if_hopeless(error, deadline)
        except BrokerError as hopeless:
            hint = "start one with `jaragua broker start`, or check broker.url in the configuration"
            raise BrokerError(hopeless.message, hint) from error
