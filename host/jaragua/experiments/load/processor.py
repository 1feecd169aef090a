"""Processor time of the processes of a measurement, from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat behind the name: parent, user and system time.
_PARENT, _USER, _SYSTEM = 1, 11, 12


def seconds(coordinator: int, devices: int) -> dict[str, float]:
    """Of the coordinator, its aggregators, the devices, and mosquitto below this process; 0 of what is not there."""
    found = dict.fromkeys(("broker", "coordinator", "aggregators", "devices"), 0.0)
    table = _table()
    for pid, (parent, name, used) in table.items():
        if pid == coordinator:
            found["coordinator"] += used
        elif parent == coordinator:
            found["aggregators"] += used
        elif pid == devices:
            found["devices"] += used
        elif name == "mosquitto" and os.getpid() in _ancestors(table, pid):
            found["broker"] += used
    return found


def _ancestors(table: Mapping[int, tuple[int, str, float]], pid: int) -> set[int]:
    found: set[int] = set()
    while pid in table and pid not in found:
        found.add(pid)
        pid = table[pid][0]
    return found


def _table() -> dict[int, tuple[int, str, float]]:
    """By process: parent, name and seconds used."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        name, _, rest = text.partition("(")[2].rpartition(")")
        values = rest.split()
        used = (int(values[_USER]) + int(values[_SYSTEM])) / _TICKS_A_SECOND
        found[int(folder.name)] = int(values[_PARENT]), name, used
    return found
