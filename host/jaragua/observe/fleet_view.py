"""A fleet as somebody sees it who only reads the broker. Pure: topics and payloads in, plain values out.

An update's header is not believed before the coordinator has acknowledged it as stored (M2): so a view shows what the
run learned from. Everything is bounded (P3): nobody can fill the memory of who watches.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jaragua.errors import ProtocolError
from jaragua.printable import printable
from jaragua.report.classification import Confusion, merged
from jaragua.semantics.things.thing_triples import BrokenDescriptionError, read_description
from jaragua.wire import messages
from jaragua.wire.figures import check_answers
from jaragua.wire.rejections import Reason, Rejections
from jaragua.wire.topics import Topic, TopicError, TopicKind, parse

MOST_NODES: Final = 1024
MOST_DEVICES: Final = 4096
MOST_ROUNDS: Final = 5000
MOST_REFUSED: Final = 200
_MOST_PENDING: Final = 4096
_MOST_DEVICES_OF_A_ROUND: Final = 512
_LONGEST_TEXT: Final = 200
_LARGEST_INPUT_BYTES: Final = 1 << 20
_FACT: Final = "jrg:"


@dataclass
class NodeView:
    """A gateway or a Pi."""

    state: str
    kind: str
    seen_ms: int


@dataclass
class DeviceView:
    """A device. seen_ms: when something of it came, by this machine's clock; retained states count as seen then.

    facts: of its Thing Description, without `jrg:`. before, after: figures of held-out tasks, one for each.
    """

    node: str
    state: str = ""
    kind: str = ""
    model: str = ""
    reason: str = ""
    seen_ms: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    health: dict[str, int] = field(default_factory=dict)
    progress: dict[str, int | float] = field(default_factory=dict)
    updates: int = 0
    enrolled: dict[str, int] = field(default_factory=dict)
    """Samples in the prototype of each class, of the last held-out task (M30)."""
    before: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    after: deque[float] = field(default_factory=lambda: deque(maxlen=1000))


@dataclass(frozen=True)
class Refused:
    """An update that did not count."""

    round: int
    device: str
    result: str
    reason: str


class FleetView:
    """All that is known of one fleet. `changes` rises with every change, so that a reader sees whether to look."""

    def __init__(self) -> None:
        self.changes = 0
        self.run: messages.RunState | None = None
        self.coordinator: messages.HostState | None = None
        self.nodes: dict[str, NodeView] = {}
        self.devices: dict[str, DeviceView] = {}
        self.rounds: OrderedDict[int, dict[str, Any]] = OrderedDict()
        """By number, in the form of a line of `metrics.jsonl` as far as the broker tells."""
        self.refused: deque[Refused] = deque(maxlen=MOST_REFUSED)
        self.metric = ""
        self.answers: Confusion | None = None
        """To queries of held-out tasks, of all devices (M30)."""
        self.classes: tuple[str, ...] = ()
        """Of a task of one's own (M17)."""
        self.rejections = Rejections("the observer")
        self._pending: OrderedDict[tuple[str, int, str, int], messages.UpdateHeader] = OrderedDict()

    def take(self, topic: str, payload: bytes, now_ms: int) -> None:
        """Take in a message; one that is not understood is counted and changes nothing (P1)."""
        try:
            self._take(parse(topic), payload, now_ms)
        except TopicError as error:
            self.rejections.add(Reason.TOPIC, topic, error)
        except (ProtocolError, BrokenDescriptionError, ValueError, RecursionError) as error:
            self.rejections.add(Reason.FORMAT, topic, error)
        else:
            self.changes += 1

    def dropped(self, count: int, topic: str) -> None:
        """So many messages were not read, because there were too many (P3)."""
        self.rejections.add(Reason.FLOOD, topic, "more than an observer reads", count)
        self.changes += 1

    def _take(self, topic: Topic, payload: bytes, now_ms: int) -> None:
        match topic.kind:
            case TopicKind.HOST_STATE:
                self.coordinator = messages.decode(messages.HostState, payload) if payload else None
            case TopicKind.RUN:
                self._run(messages.decode(messages.RunState, payload) if payload else None)
            case TopicKind.NODE_STATE:
                self._node(topic, payload, now_ms)
            case TopicKind.DEVICE_STATE:
                self._device_state(topic, payload, now_ms)
            case TopicKind.DEVICE_DESCRIPTION:
                self._description(topic, payload)
            case TopicKind.TELEMETRY:
                self._telemetry(topic, payload, now_ms)
            case TopicKind.UPDATE:
                self._update(topic, payload, now_ms)
            case TopicKind.ACK:
                self._acknowledged(messages.decode(messages.UpdateAck, payload))
            case TopicKind.REPLY:
                self._adapted(messages.decode(messages.AdaptResult, payload), now_ms)
            case TopicKind.BLOB:
                self._input(payload)
            case _:
                pass

    # ---- the run ----

    def _run(self, state: messages.RunState | None) -> None:
        if state is not None and self.run is not None and state.run != self.run.run:
            self.rounds.clear()
            self.refused.clear()
            self._pending.clear()
            self.classes, self.answers = (), None
            for device in self.devices.values():
                device.updates = 0
                device.enrolled = {}
                device.before.clear()
                device.after.clear()
        self.run = state

    def _update(self, topic: Topic, payload: bytes, now_ms: int) -> None:
        header = messages.header_of_update(payload)
        key = (header.run, header.round, header.device, header.attempt)
        self._pending[key] = header
        if len(self._pending) > _MOST_PENDING:
            self._pending.popitem(last=False)
        if (known := self.devices.get(header.device)) is not None and known.node == topic.node:
            known.seen_ms = now_ms

    def _acknowledged(self, ack: messages.UpdateAck) -> None:
        header = self._pending.pop((ack.run, ack.round, ack.device, ack.attempt), None)
        if self.run is None or ack.run != self.run.run:
            return
        if ack.result in ("rejected", "late"):
            self.refused.append(Refused(ack.round, ack.device, ack.result, shortened(ack.reason)))
        elif ack.result == "stored" and header is not None:
            self._stored(header)

    def _stored(self, header: messages.UpdateHeader) -> None:
        """Add what a device reported to its round, with the means over the devices so far."""
        one = self.rounds.setdefault(header.round, {"round": header.round, "devices": {}, "bytes_up": 0})
        if len(self.rounds) > MOST_ROUNDS:
            self.rounds.popitem(last=False)
        if len(one["devices"]) >= _MOST_DEVICES_OF_A_ROUND and header.device not in one["devices"]:
            return
        kind = self.devices[header.device].kind if header.device in self.devices else ""
        figures = {"loss": header.loss, "score": header.score, "samples": header.samples, "kind": kind}
        one["devices"][header.device] = figures | {"instructions": header.instructions}
        self.metric = one["metric"] = header.metric
        one["bytes_up"] += header.bytes
        weights = [max(1, found["samples"]) for found in one["devices"].values()]
        for name in ("loss", "score"):
            values = [found[name] for found in one["devices"].values()]
            one[name] = sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
        if header.device in self.devices:
            self.devices[header.device].updates += 1

    def _input(self, payload: bytes) -> None:
        """M17: names of the classes."""
        if not payload or len(payload) > _LARGEST_INPUT_BYTES:
            return
        found = json.loads(payload)
        classes = found.get("classes") if isinstance(found, dict) else None
        if isinstance(classes, list):
            self.classes = tuple(shortened(str(one)) for one in classes[:512])

    # ---- who is there ----

    def _node(self, topic: Topic, payload: bytes, now_ms: int) -> None:
        if not payload:
            self.nodes.pop(topic.node, None)
            return
        state = messages.decode(messages.NodeState, payload)
        if topic.node in self.nodes or len(self.nodes) < MOST_NODES:
            self.nodes[topic.node] = NodeView(state.state, state.kind, now_ms)
        else:
            self.rejections.add(Reason.CROWD, topic.node, f"more than {MOST_NODES} nodes")

    def _device_state(self, topic: Topic, payload: bytes, now_ms: int) -> None:
        if not payload:
            self.devices.pop(topic.device, None)
            return
        state = messages.decode(messages.DeviceState, payload)
        if (one := self._device(topic)) is not None:
            one.state, one.kind, one.node = state.state, state.kind, topic.node
            one.model, one.reason = shortened(state.model), shortened(state.reason or "")
            one.seen_ms = now_ms

    def _device(self, topic: Topic) -> DeviceView | None:
        """The device of a topic; None if there are too many."""
        if topic.device not in self.devices:
            if len(self.devices) >= MOST_DEVICES:
                self.rejections.add(Reason.CROWD, topic.device, f"more than {MOST_DEVICES} devices")
                return None
            self.devices[topic.device] = DeviceView(topic.node)
        return self.devices[topic.device]

    def _description(self, topic: Topic, payload: bytes) -> None:
        if payload and (one := self._device(topic)) is not None:
            found = {key.removeprefix(_FACT): value for key, value in read_description(payload).items() if _FACT in key}
            one.facts = {
                shortened(key): shortened(", ".join(map(str, value)) if isinstance(value, list) else str(value))
                for key, value in list(found.items())[:64]
            }

    def _telemetry(self, topic: Topic, payload: bytes, now_ms: int) -> None:
        told = messages.decode(messages.Telemetry, payload)
        one = self.devices.get(topic.device)
        if one is None or one.node != topic.node:
            return
        one.seen_ms = now_ms
        one.health = _bounded(told.health) if told.health is not None else one.health
        one.progress = _bounded(told.progress) if told.progress is not None else one.progress

    def _adapted(self, result: messages.AdaptResult, now_ms: int) -> None:
        one = self.devices.get(result.device)
        if one is None or not result.ok:
            return
        check_answers(result)
        self.metric = self.metric or result.metric
        self._answered(one, result)
        one.before.append(result.before)
        one.after.append(result.after)
        one.seen_ms = now_ms

    def _answered(self, one: DeviceView, result: messages.AdaptResult) -> None:
        classes = tuple(map(shortened, result.classes or ()))
        if classes and result.confusion:
            known = [self.answers] if self.answers else []
            self.answers = merged([*known, Confusion(classes, result.confusion)]) or self.answers
        names = classes or tuple(str(label) for label in range(len(result.enrolled or ())))
        one.enrolled = dict(zip(names, result.enrolled or (), strict=False))


def shortened(text: str) -> str:
    """Text of a peer as it may be shown: no control characters, at most 200 characters (P4)."""
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…"


def _bounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {shortened(key): value for key, value in list(values.items())[:32]}
