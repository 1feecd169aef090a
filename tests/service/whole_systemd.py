"""The units of docs/how-to/run-at-boot.md under a systemd that runs (`make test-systemd`).

tools/setup/systemd.sh boots systemd in a container that is this system with a layer over it, with the wheel in
/opt/jaragua, and a unit starts this program there, as root. Broker, coordinator, client and gateway are services; the
gateway has a board that is a process. The run must end with the simulation's hash.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.on_demand import SECONDS, block_of, running
from jaragua.config.load import load
from jaragua.simulation import simulate
from jaragua.simulation.settings import simulation_of
from wheel.wheels import ROOT

PAGE = ROOT / "docs" / "how-to" / "run-at-boot.md"
JARAGUA = "/opt/jaragua/bin/jaragua"
TRUST = "/etc/jaragua/trust"
SHORT = '[run]\nrounds = 3\n[model]\nname = "sine"\n[strategy]\nclients_per_round = 2\n'
RUN_FILE = f"""{SHORT}[broker]
identity = "{TRUST}/identities/coordinator"
[devices]
members = "{TRUST}/members.toml"
minimum = 2
"""


def quietly(*words: str | Path) -> str:
    """What a command says on stdout; AssertionError with all it said if it fails."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def call(*words: str | Path) -> str:
    """The same, and the command is printed with its seconds."""
    began = time.monotonic()
    said = quietly(*words)
    print(f"{time.monotonic() - began:7.1f} s  {' '.join(map(str, words))[:110]}", flush=True)
    return said


def as_service(*words: str | Path) -> str:
    return call("runuser", "-u", "jaragua", "--", JARAGUA, *words)


def follow(place: int, **tokens: str) -> None:
    """The commands of a block of step 2, with tokens in place of words in capitals."""
    for line in block_of(PAGE, "2. Install the service", "sh", place).body.splitlines():
        for name, value in tokens.items():
            line = line.replace(name, value)
        call("sh", "-ec", line)


def property_of(unit: str, name: str) -> str:
    return quietly("systemctl", "show", "--value", f"--property={name}", unit)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.5)


@contextlib.contextmanager
def native_board(image: Path) -> Iterator[str]:
    """The port of a board that is a process."""
    with subprocess.Popen([image, "--uid", "00" * 8], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            # As udev leaves a serial port of Debian.
            shutil.chown(port, group="dialout")
            Path(port).chmod(0o660)
            yield port
        finally:
            process.kill()


def start_broker() -> None:
    call(JARAGUA, "service", "install", "broker", "--", "--tls", TRUST)
    as_service("broker", "init", "--host", "localhost", "--folder", TRUST)
    call("systemctl", "start", "jaragua-broker")


def start_gateway(port: str) -> None:
    as_service("pki", "issue", "gateway-1", "--folder", TRUST)
    identity = f"{TRUST}/identities/gateway-1"
    call(JARAGUA, "service", "install", "gateway", "--", "--identity", identity, "--port", port, "--id", "board-1")
    call("systemctl", "start", "jaragua-gateway")


def start_client(folder: Path) -> None:
    """As the page says, word for word."""
    # The process itself, to be ended: runuser has a child.
    user = ["setpriv", "--reuid=jaragua", "--regid=jaragua", "--clear-groups"]
    serve = [*user, JARAGUA, "pki", "serve", "--folder", TRUST]
    with running(serve, "may enrol", folder / "serve.log"):
        follow(0, TOKEN=as_service("pki", "invite", "pi-1", "--folder", TRUST))


def crash_and_restart() -> None:
    """A service whose process is killed is started again."""
    before = property_of("jaragua-client", "MainPID")
    call("kill", "-KILL", before)
    wait_until(lambda: property_of("jaragua-client", "NRestarts") == "1", "systemd did not start it again")
    wait_until(lambda: property_of("jaragua-client", "MainPID") not in ("0", before), "it has no process")


def run_fleet() -> dict[str, Any]:
    """What the coordinator's run folder says at the end."""
    path = Path("/var/lib/jaragua/run.toml")
    path.write_text(RUN_FILE, encoding="utf-8")
    call("chown", "jaragua:jaragua", path)
    call(JARAGUA, "service", "install", "coordinator")
    call("systemctl", "start", "jaragua-coordinator")
    began = time.monotonic()
    wait_until(lambda: has_ended("jaragua-coordinator"), "the coordinator did not end")
    print(f"{time.monotonic() - began:7.1f} s  until the coordinator had ended", flush=True)
    (found,) = Path("/var/lib/jaragua/runs").glob("*/run.json")
    data: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return data


def has_ended(unit: str) -> bool:
    """Whether it came to its end. AssertionError, with what it said, if it failed or was started again."""
    state, result, restarts = (property_of(unit, name) for name in ("ActiveState", "Result", "NRestarts"))
    assert (result, restarts) == ("success", "0"), quietly("journalctl", "--no-pager", "-n", "40", "-u", unit)
    return state == "inactive"


def simulated_hash(folder: Path) -> str:
    path = folder / "simulated.toml"
    path.write_text(SHORT, encoding="utf-8")
    wanted = replace(simulation_of(load(path)), devices=("board-1", "pi-1"))
    learned, first = (simulate(wanted.changed(rounds=rounds)).final_hash for rounds in (wanted.rounds, 0))
    assert learned != first
    return learned


def main(folder: Path, image: Path) -> None:
    with native_board(image) as port:
        start_broker()
        start_client(folder)
        start_gateway(port)
        crash_and_restart()
        found = run_fleet()
    active = {role: property_of(f"jaragua-{role}", "ActiveState") for role in ("broker", "client", "gateway")}
    assert active == {"broker": "active", "client": "active", "gateway": "active"}, active
    assert found["model_hash"] == simulated_hash(folder), found
    print(f"the services and the simulation end with {found['model_hash']}", flush=True)
    (folder / "passed").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
