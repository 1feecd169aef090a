"""A line that damages, drops and doubles bytes, and what the link makes of it (protocol.md, L3.8 to L3.12).

``python -m jaragua.wire.link.noise`` prints throughput against error rate: two ends of the real delivery code, a line
of 115200 baud with 1 ms of delay, a clock of 1 ms steps. The same seed gives the same table on every machine.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jaragua.wire.definitions import (
    FRAME_OVERHEAD_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_WINDOW,
    MIN_SEGMENT_BYTES,
    FrameType,
)
from jaragua.wire.link.counters import LinkCounters
from jaragua.wire.link.delivery import Delivery
from jaragua.wire.link.frames import FrameError, Splitter, pack, unpack
from jaragua.wire.link.segments import SegmentSize

#: 115200 baud, ten bits a byte.
_BYTES_PER_MS: Final = 11.52
_DELAY_MS: Final = 1
_LONGEST_MS: Final = 240_000
RATES: Final = (0.0, 0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03)


def survival(payload_bytes: int, error_rate: float) -> float:
    """L3.10: the probability that a frame of this payload arrives, with the 0x00 before it intact."""
    return (1 - error_rate) ** (payload_bytes + FRAME_OVERHEAD_BYTES + 1)


def goodput(payload_bytes: int, error_rate: float, under_way: int = 1) -> float:
    """L3.11: the fraction of the line's bytes that is payload which arrives, with go-back-N of `under_way` frames."""
    arrives = survival(payload_bytes, error_rate)
    useful = payload_bytes / (payload_bytes + FRAME_OVERHEAD_BYTES)
    return useful * arrives / (arrives + under_way * (1 - arrives))


def best_size(error_rate: float, under_way: int = 1) -> int:
    """L3.12: the payload between the smallest and the largest with the best goodput."""
    return max(range(MIN_SEGMENT_BYTES, MAX_PAYLOAD_BYTES + 1), key=lambda size: goodput(size, error_rate, under_way))


@dataclass
class Noise:
    """Spoils each byte with probability `error_rate`: one third are damaged, one third dropped, one third doubled."""

    rng: random.Random
    error_rate: float

    def spoil(self, data: bytes) -> bytes:
        """What arrives of `data`."""
        return b"".join(
            self._spoil_byte(byte) if self.rng.random() < self.error_rate else bytes([byte]) for byte in data
        )

    def _spoil_byte(self, byte: int) -> bytes:
        return self.rng.choice((b"", bytes([byte, byte]), bytes([byte ^ 1 << self.rng.randrange(8)])))


@dataclass
class _Direction:
    noise: Noise
    queue: bytearray = field(default_factory=bytearray)
    arriving: list[bytes] = field(default_factory=lambda: [b""] * _DELAY_MS)
    credit: float = 0.0
    carried_bytes: int = 0

    def step(self) -> bytes:
        """One millisecond: what comes out at the other end."""
        self.credit = min(self.credit + _BYTES_PER_MS, _BYTES_PER_MS + 1)
        count = min(int(self.credit), len(self.queue))
        self.credit -= count
        self.carried_bytes += count
        self.arriving.append(self.noise.spoil(bytes(self.queue[:count])))
        del self.queue[:count]
        return self.arriving.pop(0)


class _End:
    """One end: splitter, frames, delivery."""

    def __init__(self, size: SegmentSize) -> None:
        self.delivery = Delivery(1, MAX_WINDOW, LinkCounters(), size)
        self.received: list[bytes] = []
        self._splitter = Splitter()

    def receive(self, data: bytes, now_ms: float) -> None:
        for piece in self._splitter.feed(data):
            self._receive_piece(piece, now_ms)
        self.delivery.finish()

    def _receive_piece(self, piece: bytes, now_ms: float) -> None:
        try:
            frame = unpack(piece)
        except FrameError:
            self.delivery.damaged()
            return
        message = self.delivery.receive(frame, now_ms)
        if message is not None:
            self.received.append(message)

    def output(self) -> bytes:
        frames, self.delivery.outgoing[:] = list(self.delivery.outgoing), []
        return b"".join(map(pack, frames))


@dataclass(frozen=True)
class Transfer:
    """What a transfer took. `broken_off`: the link gave up (L3.3), or four minutes were not enough."""

    payload_bytes: int
    wire_bytes: int
    ticks_ms: int
    segment_bytes: int
    broken_off: bool

    @property
    def bytes_per_s(self) -> float:
        """Payload that arrived."""
        return 1000 * self.payload_bytes / self.ticks_ms


class FixedSize(SegmentSize):
    """A size that never changes: what the link did before L3.8, and a yardstick."""

    def __init__(self, most_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        super().__init__()
        self.most_bytes = most_bytes

    def _become(self, most_bytes: int) -> None:
        self.balance_bytes = 0


def transfer(error_rate: float, seed: int, total_bytes: int = 24_000, size: SegmentSize | None = None) -> Transfer:
    """Sends `total_bytes` in whole payloads over a line of this error rate; both ways are noisy."""
    rng = random.Random(seed)
    payloads = [rng.randbytes(MAX_PAYLOAD_BYTES) for _ in range(total_bytes // MAX_PAYLOAD_BYTES)]
    sender, receiver = _End(size or SegmentSize()), _End(SegmentSize())
    down, up = (_Direction(Noise(rng, error_rate)) for _ in range(2))
    for payload in payloads:
        sender.delivery.send(FrameType.DATA, payload, 0.0)
    now_ms, alive = 0, True
    while alive and sender.delivery.waiting and now_ms < _LONGEST_MS:
        now_ms += 1
        alive = _step(sender, receiver, down, up, now_ms)
    assert receiver.received == payloads[: len(receiver.received)]
    arrived = sum(map(len, receiver.received))
    return Transfer(
        arrived,
        down.carried_bytes + up.carried_bytes,
        now_ms,
        sender.delivery.size.most_bytes,
        bool(sender.delivery.waiting),
    )


def _step(sender: _End, receiver: _End, down: _Direction, up: _Direction, now_ms: int) -> bool:
    receiver.receive(down.step(), now_ms)
    sender.receive(up.step(), now_ms)
    alive = sender.delivery.poll(now_ms) and receiver.delivery.poll(now_ms)
    down.queue += sender.output()
    up.queue += receiver.output()
    return alive


def table(seed: int, total_bytes: int, rates: Sequence[float] = RATES) -> str:
    """Markdown: a row for each error rate, whole payloads only beside sizes by L3.8."""
    rows = [
        "| bytes spoiled | frame of 240 arrives | best size, 2 under way | whole payloads only: bytes/s | "
        "by L3.8: bytes/s | wire bytes per payload byte | last size |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate in rates:
        whole, fitted = transfer(rate, seed, total_bytes, FixedSize()), transfer(rate, seed, total_bytes)
        cost = f"{fitted.wire_bytes / fitted.payload_bytes:.2f}" if fitted.payload_bytes else "-"
        rows.append(
            f"| {rate:.2%} | {survival(MAX_PAYLOAD_BYTES, rate):.1%} | {best_size(rate, 2)} | {_speed(whole)} | "
            f"{_speed(fitted)} | {cost} | {fitted.segment_bytes} |"
        )
    return "\n".join(rows)


def _speed(done: Transfer) -> str:
    return f"{done.bytes_per_s:,.0f}" + (f", broken off after {done.payload_bytes:,} bytes" if done.broken_off else "")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Throughput of the serial link against the error rate of its line.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=int, default=24_000, help="payload of each transfer")
    options = parser.parse_args()
    sys.stdout.write(table(options.seed, options.bytes) + "\n")


if __name__ == "__main__":
    main()
