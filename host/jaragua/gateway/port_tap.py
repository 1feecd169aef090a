"""What a gateway tells monitors of one port: the link's events, and what the device on it does."""

from __future__ import annotations

from dataclasses import asdict

from jaragua.node.reports import Adapted, JobBegun, JobRefused, Report, Trained, describe
from jaragua.serial import lines
from jaragua.serial.lines import Line
from jaragua.serial.tap.server import Tap
from jaragua.wire.definitions import FrameType, LogLevel
from jaragua.wire.link.link import LinkEvent, Received
from jaragua.wire.messages import Health, Identity


class PortTap:
    """A tap, and the device that is on its port now. Hears the link as `serial.board.Listener`."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._device = ""
        self._last_trouble = ""

    async def open(self) -> None:
        """Lets monitors attach."""
        await self._tap.open()

    async def close(self) -> None:
        """Lets go of them."""
        await self._tap.close()

    def meet(self, device: str, identity: Identity) -> None:
        """The board on the port is known now."""
        self._device, self._last_trouble = device, ""
        self._tap.say(lines.of_message(identity))

    def healthy(self, health: Health) -> None:
        """For who comes later; who watches was told by the link."""
        if not self._tap.is_watched:
            self._tap.say(lines.of_message(health))

    def gone(self, why: str) -> None:
        """The port has no board any more; a trouble is told once, not at every try."""
        if why != self._last_trouble:
            self._last_trouble = why
            self._tap.say(Line("session", why, level=LogLevel.WARNING))

    def report(self, report: Report, rounds: int | None) -> None:
        """What a device does, if it is the one on this port."""
        if report.device == self._device:
            fields = {"rounds": rounds, **asdict(report)}
            self._tap.say(Line(_kind(report), describe(report, rounds), fields, _level(report)))

    def on_link_event(self, event: LinkEvent) -> None:
        """Tells what a monitor of its own would show; parts of blobs are no lines."""
        if self._tap.is_watched and not (isinstance(event, Received) and event.frame_type != FrameType.MSG):
            self._tap.say(lines.of_event(event))

    def on_bytes(self, data: bytes, out: bool) -> None:
        """Tells the bytes to those who asked for them."""
        self._tap.tell_bytes(data, out=out)


def _kind(report: Report) -> str:
    if isinstance(report, Trained):
        return "round"
    return "adaptation" if isinstance(report, Adapted) else "device"


def _level(report: Report) -> LogLevel:
    if isinstance(report, JobRefused):
        return LogLevel.WARNING
    return LogLevel.DEBUG if isinstance(report, JobBegun) else LogLevel.INFO
