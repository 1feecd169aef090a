"""Loss, delay and partitions between coordinator, broker and nodes: no update is lost, and rounds end when they heal.

The final model is that of a simulation of the same run, which knows no network. The long form, `make test-network`,
cuts lines for longer than a broker waits for a sign of life, so that connections are lost and made anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from common.real_fleet import FLEET, configuration
from jaragua.simulation import Simulation, device_names, simulate
from jaragua.store import Store
from limits import GENEROUS_S
from network.namespaces import CUT, LOSSY, Place, Quality, network, require_namespaces

LONG = "JARAGUA_TEST_NETWORK" in os.environ
#: The keepalive of 15 s and half of it again, and a margin.
CUT_SECONDS = 40.0 if LONG else 4.0
ROUNDS = 12 if LONG else 6
DEVICES = 3


@contextmanager
def running(place: Place, said: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of `jaragua` at a place; ended with the block."""
    command = place.command(sys.executable, "-m", "jaragua.cli.main", *words)
    with said.with_suffix(".json").open("wb") as output, said.open("wb") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=GENEROUS_S)


def wait_for(said: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    """Until a command has said so."""
    deadline = time.monotonic() + GENEROUS_S
    while text not in said.read_text(encoding="utf-8"):
        assert process.poll() is None, said.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, f"no {text!r} in {said.read_text(encoding='utf-8')}"
        time.sleep(0.05)


def cut(*places: Place) -> None:
    """A partition, which heals after a while: what is tested is its length."""
    for place in places:
        place.set_line(CUT)
    time.sleep(CUT_SECONDS)
    for place in places:
        place.set_line(LOSSY)


def test_rounds_complete_after_partitions_heal_and_no_update_is_lost(tmp_path: Path) -> None:
    """First a node is cut off, then the coordinator, then both at once."""
    require_namespaces()
    names = device_names(DEVICES)
    wanted = Simulation(
        task="sine",
        strategy="tinyreptile",
        engine="w16",
        ways=1,
        alpha=1.0,
        alpha_final=0.5,
        seed=5,
        rounds=ROUNDS,
        clients=DEVICES,
        devices=names,
        shots=4,
        learning_rate=0.02,
    )
    with network(["coordinator", *names], tmp_path) as places, ExitStack() as stack:
        for place in places.values():
            place.set_line(LOSSY)
        for name in names:
            where = ("client", "--broker", places[name].url, "--fleet", FLEET, "--node", name, "--model", "sine")
            stack.enter_context(
                running(
                    places[name], tmp_path / name, *where, "--insecure", "--data-dir", str(tmp_path / f"{name}-data")
                )
            )
        path, said = tmp_path / "run.toml", tmp_path / "run-said"
        text = configuration(wanted, places["coordinator"].url, tmp_path)
        text = text.replace("[broker]", "[broker]\ninsecure = true")
        path.write_text(f"{text}[round]\nquorum = {DEVICES}\ndeadline_s = 900\n", encoding="utf-8")
        run = stack.enter_context(running(places["coordinator"], said, "run", str(path), "--json"))
        wait_for(said, "round 1/", run)
        cut(places[names[0]])
        wait_for(said, "round 2/", run)
        cut(places["coordinator"])
        wait_for(said, "round 3/", run)
        cut(places["coordinator"], places[names[1]])
        assert run.wait(timeout=GENEROUS_S) == 0, said.read_text(encoding="utf-8")
        data = json.loads(said.with_suffix(".json").read_text(encoding="utf-8"))["data"]
    with Store(tmp_path / "run" / "run.sqlite", read_only=True) as store:
        record = store.run()
        assert record is not None
        assert len(store.stored_keys(record.run)) == ROUNDS * DEVICES
    assert data["model_hash"] == simulate(wanted).final_hash


PROBE = """
import socket, time
began = time.monotonic()
socket.create_connection(("10.77.1.1", 1883), 3)
print(time.monotonic() - began)
"""


@pytest.mark.parametrize("quality", [LOSSY, CUT], ids=["lossy", "cut"])
def test_the_emulated_line_is_what_it_says(tmp_path: Path, quality: Quality) -> None:
    """The test above would pass without any emulation."""
    require_namespaces()
    with network(["here"], tmp_path) as places:
        here = places["here"]
        here.set_line(quality)
        command = here.command(sys.executable, "-c", PROBE)
        done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
        if quality is CUT:
            assert done.returncode != 0
        else:
            assert float(done.stdout) > 0.035  # there and back
