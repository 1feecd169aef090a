"""docs/how-to/container.md on an image that was built here, with a client of this machine (`make test-container`).

tools/setup/container.sh builds the image and tells Podman where its storage is. The commands of the page run as they
stand there; `broker.example` is this machine. The run must end with the simulation's hash.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from common.on_demand import SECONDS, block_of, running
from jaragua.config.load import load
from jaragua.simulation import simulate
from jaragua.simulation.settings import simulation_of
from wheel.wheels import ROOT

PAGE = ROOT / "docs" / "how-to" / "container.md"
JARAGUA = Path(sys.executable).with_name("jaragua")
#: Of a short run with one device; the page's file has the rest.
SHORT = "[run]\nrounds = 3\n[strategy]\nclients_per_round = 1\n"


def call(words: list[str | Path], folder: Path) -> str:
    """What it says on stdout. AssertionError, with all it said, if it fails."""
    began = time.monotonic()
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    line = shlex.join(map(str, words))
    assert done.returncode == 0, f"{line}:\n{done.stdout}{done.stderr}"
    print(f"{time.monotonic() - began:7.1f} s  {line if len(line) < 90 else line[:87] + '...'}", flush=True)
    return done.stdout.strip()


def follow(heading: str, folder: Path) -> list[str]:
    """What each command of a section says, with `localhost` for the name of the page's broker."""
    lines = block_of(PAGE, heading, "sh").body.replace("broker.example", "localhost").splitlines()
    return [call([*shlex.split(line)], folder) for line in lines]


def wait_for(container: str, text: str) -> None:
    """Until the container's log has it. AssertionError if it does not come."""
    end = time.monotonic() + SECONDS
    while True:
        done = subprocess.run(["podman", "logs", container], capture_output=True, text=True, check=True)
        if text in done.stdout + done.stderr:
            return
        assert time.monotonic() < end, f"{container} did not say {text!r}: {done.stdout}{done.stderr}"
        time.sleep(0.5)


def simulated_hash(path: Path) -> str:
    """Of the simulation of that run file, whose device has the client's name."""
    wanted = replace(simulation_of(load(path)), devices=("pi-1",))
    learned, first = (simulate(wanted.changed(rounds=rounds)).final_hash for rounds in (wanted.rounds, 0))
    assert learned != first
    return learned


def run_fleet(folder: Path) -> str:
    """The hash that the coordinator's container ends with."""
    follow("2. Make the fleet's authority", folder)
    token = follow("3. Start the broker", folder)[-1]
    wait_for("jaragua-broker", "broker runs")
    wait_for("jaragua-enrolment", "may enrol")
    call([JARAGUA, "join", token], folder)
    client = [JARAGUA, "client", "--identity", folder / "pi-1", "--data-dir", folder / "outbox"]
    with running(client, "connected to the broker", folder / "client.log"):
        follow("4. Start the coordinator", folder)
        code = call(["podman", "wait", "jaragua-coordinator"], folder)
    log = call(["podman", "logs", "jaragua-coordinator"], folder)
    assert code == "0", log
    return next(line.split()[1] for line in log.splitlines() if line.split()[:1] == ["model"])


def main(base: Path) -> None:
    folder = base / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "run.toml").write_text(SHORT + block_of(PAGE, "4. Start the coordinator", "toml").body, encoding="utf-8")
    (folder / "simulated.toml").write_text(SHORT + '[model]\nname = "sine"\n', encoding="utf-8")
    clean: list[list[str | Path]] = [
        ["podman", "rm", "--all", "--force", "--time", "10"],
        ["podman", "volume", "prune", "--force"],
    ]
    for words in clean:
        call(words, folder)
    try:
        learned = run_fleet(folder)
    finally:
        for words in clean:
            call(words, folder)
    assert learned == simulated_hash(folder / "simulated.toml"), learned
    print(f"the coordinator's container and the simulation end with {learned}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
