"""A fleet's figures for Prometheus (extra `prometheus`): an endpoint that reads the view when it is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from jaragua.errors import ToolError, UsageError
from jaragua.observe.fleet_view import FleetView
from jaragua.observe.observer import Observer
from jaragua.reasons import reason_of

#: Counters of a link (L3.5, L4.8), as telemetry has them.
_LINK: Final = ("retransmits", "naks", "bad_crc", "duplicates", "bytes_in", "bytes_out")
#: What K9 counts, of boards that keep something.
_WEAR: Final = (("saves", "Saves of the flash so far (K5)."), ("erases", "Erase operations since the start (K9)."))
_PRESENT: Final = ("ready", "training")


class Sample(NamedTuple):
    """One value. labels: name and value of each; counts: whether it only rises."""

    name: str
    help: str
    labels: tuple[tuple[str, str], ...]
    value: float
    counts: bool = False


def samples(view: FleetView) -> Iterator[Sample]:
    """All values of now, those of one name one after the other."""
    yield from _run(view)
    devices = sorted(view.devices.items())
    for name, one in devices:
        place = (("device", name), ("node", one.node), ("kind", one.kind))
        yield Sample("jaragua_device_present", "Whether a device can be given work.", place, one.state in _PRESENT)
    for name, one in devices:
        seen = one.seen_ms / 1000
        yield Sample("jaragua_device_seen_seconds", "Unix time of the last message.", (("device", name),), seen)
    for name, one in devices:
        yield Sample("jaragua_updates", "Updates that were stored.", (("device", name),), one.updates, counts=True)
    for key in _LINK:
        for name, one in devices:
            if key in one.health:
                labels = (("device", name),)
                yield Sample(f"jaragua_link_{key}", f"Link: {key} (L3.5).", labels, one.health[key], counts=True)
    for name, one in devices:
        if one.health.get("stack_bytes"):
            free = one.health.get("stack_free_bytes", 0)
            yield Sample("jaragua_stack_free_bytes", "Stack never used so far.", (("device", name),), free)
    for key, words in _WEAR:
        for name, one in devices:
            if one.health.get("most_saves") and key in one.health:
                labels, counts = (("device", name),), key == "erases"
                yield Sample(f"jaragua_flash_{key}", words, labels, one.health[key], counts=counts)


def _run(view: FleetView) -> Iterator[Sample]:
    if view.run is not None:
        labels = (("run", view.run.run), ("model", view.run.model))
        yield Sample("jaragua_round", "Round that is open or was closed last.", labels, view.run.round)
        yield Sample("jaragua_rounds", "Rounds of the run.", labels, view.run.rounds)
        training = view.run.phase == "training"
        yield Sample("jaragua_training", "Whether the run goes on.", labels, training)
    if view.rounds:
        last = next(reversed(view.rounds.values()))
        yield Sample("jaragua_loss", "Mean loss of the newest round's updates.", (), last["loss"])
        words = "Mean metric of the newest round's updates."
        yield Sample("jaragua_score", words, (("metric", view.metric),), last["score"])
    refused = Counter(one.result for one in view.refused)
    for result, times in sorted(refused.items()):
        yield Sample("jaragua_updates_refused", "Newest updates that did not count.", (("result", result),), times)
    for reason, times in view.rejections.counts().items():
        words = "Messages that the exporter did not use (P2)."
        yield Sample("jaragua_messages_rejected", words, (("reason", reason),), times, counts=True)


class _Collector:
    """What prometheus_client asks for values."""

    def __init__(self, view: FleetView) -> None:
        self._view = view

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        family: Any = None
        for one in list(samples(self._view)):
            if family is None or family.name != one.name:
                if family is not None:
                    yield family
                kind = CounterMetricFamily if one.counts else GaugeMetricFamily
                family = kind(one.name, one.help, labels=[name for name, _ in one.labels])
            family.add_metric([value for _, value in one.labels], float(one.value))
        if family is not None:
            yield family


async def serve(observer: Observer, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve `/metrics` until cancelled. port: 0 for a free one. Raises: ToolError, UsageError, BrokerError."""
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as error:
        raise ToolError("the endpoint needs prometheus_client", "pip install 'jaragua[prometheus]'") from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(observer.view))
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        message = f"{host}:{port} cannot be listened on: {reason_of(error)}"
        raise UsageError(message, "give another --port, or 0 for a free one") from error
    try:
        on_ready(f"http://{host}:{server.server_port}/metrics")
        await observer.run()
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
