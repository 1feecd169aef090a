"""Worker processes that draw ahead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from common.processes import is_running

#: A process that lives with two workers until it is killed.
_PARENT = """
import os, time
from jaragua.simulation.scheduling.draws import _processes
with _processes(2) as pool:
    pids = set()
    while len(pids) < 2:
        pids |= {one.result() for one in [pool.submit(os.getpid) for _ in range(20)]}
    print(*pids, flush=True)
    time.sleep(600)
"""
PATIENCE_S = 60


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_parent_that_is_killed(how: signal.Signals) -> None:
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as parent:
        try:
            assert parent.stdout
            workers = [int(pid) for pid in parent.stdout.readline().split()]
            assert len(workers) == 2
            assert all(map(is_running, workers))
            os.kill(parent.pid, how)
            parent.wait(PATIENCE_S)
        finally:
            parent.kill()
    until = time.monotonic() + PATIENCE_S
    while any(map(is_running, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
