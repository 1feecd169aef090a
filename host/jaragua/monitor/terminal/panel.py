"""What is known of a board, beside the lines: who it is, how its link is, its last rounds. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from jaragua.printable import printable
from jaragua.serial.lines import Line

_ROUNDS = 12


@dataclass
class Panel:
    """Takes the lines of one port."""

    port: str
    state: str = "opening"
    identity: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    rounds: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_ROUNDS))
    adapted: dict[str, Any] = field(default_factory=dict)

    def take(self, line: Line) -> None:
        """A line of the port."""
        match line.kind:
            case "identity":
                self.identity = line.fields
            case "health":
                self.health = line.fields
            case "progress":
                self.progress = line.fields
            case "round":
                self.progress = {}
                self.rounds.append(line.fields)
            case "adaptation":
                self.progress = {}
                self.adapted = line.fields

    def text(self) -> str:
        """The panel, line by line."""
        parts = [f"{self.port}\n{self.state}", self._board(), self._link(), self._work()]
        return printable("\n\n".join(part for part in parts if part), keep="\n")

    def _board(self) -> str:
        who = self.identity
        if not who:
            return ""
        return (
            f"board     {who.get('board')}\nunique id {who.get('uid')}\nfirmware  {who.get('firmware')}\n"
            f"model     {who.get('model')}\nRAM       {who.get('ram_bytes')} bytes"
        )

    def _link(self) -> str:
        now = self.health
        if not now:
            return ""
        return (
            f"up        {_number(now.get('uptime_ms')) / 1000:.0f} s\nretries   {now.get('retransmits')}\n"
            f"bad CRC   {now.get('bad_crc')}\nround trip {now.get('rtt_ms')} ms"
        )

    def _work(self) -> str:
        lines = [f"{'round':>5} {'loss':>8} {'score':>7}"] if self.rounds else []
        lines += [
            f"{one.get('round'):>5} {_number(one.get('loss')):8.4f} {_number(one.get('score')):7.3f}"
            for one in self.rounds
        ]
        if self.adapted:
            before, after = (_number(self.adapted.get(name)) for name in ("before", "after"))
            lines.append(f"adapted {before:.3f} -> {after:.3f}")
        if self.progress:
            lines.append(f"at work: {self.progress.get('done')} of {self.progress.get('samples')} samples")
        return "\n".join(lines)


def _number(value: object) -> float:
    """What a gateway sent as a number, 0 if it is none."""
    return float(value) if isinstance(value, int | float) else 0.0
