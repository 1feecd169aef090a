"""Lines between namespaces of the network, with delay, loss and cuts: a process that carries the packets itself.

It does what `tc netem` does, on kernels that have no sch_netem: each end of a line is a TUN device in a namespace, and
what one end sends comes out of the other one later, or never. Arguments: `NUMBER:NAMESPACE:NAMESPACE` of each line. A
line of stdin sets one: `NUMBER DELAY_MS JITTER_MS LOSS`; loss 1 cuts it. It ends with stdin.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import selectors
import struct
import sys
import time
from dataclasses import dataclass
from itertools import count

_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_LARGEST_PACKET = 65_536
#: What waits on one line at most, as in any queue of a router.
_MOST_WAITING = 2000


@dataclass
class Line:
    """Both of its ends, and what it is like."""

    ends: tuple[int, int]
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0

    def due(self, now_s: float) -> float | None:
        """When a packet of now comes out; None: never."""
        if random.random() < self.loss:
            return None
        return now_s + max(0.0, self.delay_s + random.uniform(-self.jitter_s, self.jitter_s))


def device_in(namespace: str, name: str) -> int:
    """A TUN device in a namespace, as a descriptor that this process reads and writes."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as own, open(f"/run/netns/{namespace}", "rb") as other:
        if libc.setns(other.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"no way into {namespace}")
        try:
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        finally:
            libc.setns(own.fileno(), _CLONE_NEWNET)
    return device


class Wire:
    """All lines."""

    def __init__(self, lines: dict[int, Line]) -> None:
        self._lines = lines
        self._other = {
            end: (line, line.ends[1 - place]) for line in lines.values() for place, end in enumerate(line.ends)
        }
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._number = count()
        self._selector = selectors.DefaultSelector()
        for end in (*self._other, sys.stdin.fileno()):
            self._selector.register(end, selectors.EVENT_READ)

    def carry(self) -> None:
        """Until stdin ends."""
        while True:
            timeout_s = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            for key, _ in self._selector.select(timeout_s):
                if key.fd == sys.stdin.fileno():
                    words = os.read(key.fd, 4096)
                    if not words:
                        return
                    for said in words.decode().splitlines():
                        self._set(said)
                else:
                    self._take(key.fd)
            self._give()

    def _set(self, said: str) -> None:
        number, delay_ms, jitter_ms, loss = said.split()
        line = self._lines[int(number)]
        line.delay_s, line.jitter_s, line.loss = float(delay_ms) / 1000, float(jitter_ms) / 1000, float(loss)
        print("set", flush=True)

    def _take(self, end: int) -> None:
        line, other = self._other[end]
        due_s = line.due(time.monotonic())
        packet = os.read(end, _LARGEST_PACKET)
        if due_s is not None and len(self._waiting) < _MOST_WAITING * len(self._lines):
            heapq.heappush(self._waiting, (due_s, next(self._number), other, packet))

    def _give(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(self._waiting)
            try:
                os.write(end, packet)
            except OSError:  # its queue is full, or the device is down: the packet is lost
                continue


def main() -> None:
    """Make the devices, say so, carry."""
    random.seed(7)
    lines = {}
    for said in sys.argv[1:]:
        number, *namespaces = said.split(":")
        first, second = (device_in(namespace, f"line{number}") for namespace in namespaces)
        lines[int(number)] = Line((first, second))
    print("ready", flush=True)
    Wire(lines).carry()


if __name__ == "__main__":
    main()
