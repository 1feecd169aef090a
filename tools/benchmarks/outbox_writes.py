"""What an outbox costs a memory card: bytes written and syncs, a line each for updates and for attempts to connect.

usage: python tools/benchmarks/outbox_writes.py [UPDATES] [UPDATE_BYTES]

Bytes are what this process gave to the file system (`wchar` of /proc/self/io) and what the kernel will write to the
disk (`write_bytes`, whole pages). Syncs are counted by strace, where it is installed.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jaragua.node.outbox import Outbox, OutboxEntry, UpdateKey

_FILES = "outbox.sqlite3"


def written() -> tuple[int, int]:
    """Bytes so far: given to the file system, and dirtied pages."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["wchar"]), int(lines["write_bytes"])


def keep_and_acknowledge(outbox: Outbox, updates: int, update_bytes: int) -> None:
    """Rounds as a node sees them: an update is kept, then its acknowledgement comes."""
    draw = random.Random(1)
    for number in range(1, updates + 1):
        key = UpdateKey("run-1", number, "device-1", 0)
        outbox.put(OutboxEntry(key, draw.randbytes(update_bytes)))
        outbox.acknowledge(key)


def try_to_connect(outbox: Outbox, attempts: int) -> None:
    """An outage: each attempt wants an epoch."""
    for _ in range(attempts):
        outbox.next_epoch()


def main(updates: int, update_bytes: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        outbox = Outbox(Path(folder) / _FILES)
        outbox.next_epoch()
        for what, count, work in (
            ("update", updates, lambda: keep_and_acknowledge(outbox, updates, update_bytes)),
            ("attempt to connect", 1000, lambda: try_to_connect(outbox, 1000)),
        ):
            os.write(2, f"--- {what}\n".encode())
            before = written()
            work()
            given, dirtied = (after - first for after, first in zip(written(), before, strict=True))
            print(f"{what}: {given / count:,.0f} bytes given, {dirtied / count:,.0f} bytes of pages, each of {count}")
        os.write(2, b"--- end\n")
        outbox.close()


def count_syncs(arguments: list[str]) -> None:
    """Run once more under strace, and count."""
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,write", sys.executable, __file__, *arguments]
    environment = os.environ | {"JARAGUA_COUNTED": "1"}
    trace = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    for part in trace.split('"--- ')[1:-1]:
        print(f"{part.partition(chr(92))[0]}: {part.count('sync(')} syncs in all")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers or [500, 5000]))
    if shutil.which("strace") and "JARAGUA_COUNTED" not in os.environ:
        count_syncs(sys.argv[1:])
