"""docs/how-to/raspberry-pi.md in a root of Debian under emulation, then a fleet with it (`make test-raspberry`).

tools/setup/raspberry.sh makes and mounts the root. The commands of the page run in it as they stand there, and their
seconds are printed. The broker, the coordinator and the simulation run on this machine. The native engine's run must
end with the simulation's hash; that of LiteRT computes in float32, and must end near the run of this machine's LiteRT.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from common.on_demand import CERTIFICATES, SECONDS, block_of, pip_configuration, running
from jaragua.config.load import load
from jaragua.simulation import simulate
from jaragua.simulation.settings import simulation_of
from jaragua_broker.ports import free_port
from wheel.wheels import ROOT, Road, build_wheel

PAGE = ROOT / "docs" / "how-to" / "raspberry-pi.md"
TRAINING_FILE = ROOT / "tests" / "client" / "litert" / "digits.tflite"
JARAGUA = Path(sys.executable).with_name("jaragua")
#: Float32 operators sum in another order on another processor; rounds repeat the difference.
TOLERANCE = 1e-5
#: Python compiles a module when it is first imported. Compiling all of them takes pip most of its time under emulation.
UNCOMPILED = "[install]\ncompile = false\n"
RUN_FILE = """
[run]
name = "{name}"
seed = 3
rounds = 4
fleet = "home"
directory = "{folder}"
[model]
name = "digits"
[strategy]
clients_per_round = 1
[client]
passes = 2
[broker]
url = "mqtts://127.0.0.1:{port}"
identity = "{trust}/identities/coordinator"
[devices]
members = "{trust}/members.toml"
minimum = 1
"""


@dataclass
class Pi:
    """The mounted root of an emulated Pi."""

    name: str
    root: Path
    road: Road

    @property
    def is_64_bit(self) -> bool:
        return self.name.endswith("arm64")

    @property
    def processor(self) -> str:
        """Of a Pi 4, or of a Pi 2. QEMU's own choice has more than any Pi, and BLAS takes other code for that."""
        return "cortex-a72" if self.is_64_bit else "cortex-a7"

    def words(self, command: str) -> list[str | Path]:
        """A command line of the page, to be run in the root's home."""
        path = "PATH=/usr/bin:/bin:/usr/sbin:/sbin:/opt/jaragua/bin"
        clean = ["env", "-i", path, "HOME=/root", "LC_ALL=C.UTF-8", f"QEMU_CPU={self.processor}"]
        return ["chroot", self.root, *clean, "sh", "-ec", f"cd; exec {command}"]

    def follow(self, command: str, **tokens: str) -> str:
        """Run it, with tokens in place of words in capitals, and print its seconds and those of the processor."""
        for name, value in tokens.items():
            command = command.replace(name, value)
        before = processor_seconds()
        said = self.road.step(f"{self.name}: {shown(command)}", self.words(command))
        print(f"{processor_seconds() - before:7.1f} s  of the processor", flush=True)
        return said


def processor_seconds() -> float:
    """Of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def shown(command: str) -> str:
    return command if len(command) < 90 else command[:87] + "..."


def lines(heading: str, place: int = 0) -> list[str]:
    """Commands of the block at that place below a heading of the page; `export PATH` is what `Pi.words` does."""
    found = block_of(PAGE, heading, "sh", place).body.splitlines()
    assert found, heading
    return [line for line in found if line != "export PATH=$PATH:/opt/jaragua/bin"]


def configure(pi: Pi) -> None:
    """The wheel, and how this machine's pip reaches its index."""
    home = pi.root / "root"
    build_wheel(home)
    shutil.copy(TRAINING_FILE, home)
    (pi.root / CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path("/") / CERTIFICATES, pi.root / CERTIFICATES)
    (pi.root / "etc" / "pip.conf").write_text(pip_configuration() + UNCOMPILED, encoding="utf-8")
    (pi.root / "etc" / "sudoers.d" / "processor").write_text('Defaults env_keep += "QEMU_CPU"\n', encoding="utf-8")


@dataclass
class Fleet:
    """A broker with identities on this machine, and runs on it."""

    folder: Path
    broker_port: int
    enrolment_port: int

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    def host(self, *words: str | Path) -> str:
        done = subprocess.run(
            [JARAGUA, *words], cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def started(self) -> Iterator[None]:
        """Authority, broker and enrolment."""
        port, enrolment = str(self.broker_port), str(self.enrolment_port)
        ports = ("--port", port, "--enrolment-port", enrolment)
        self.host("broker", "init", "--host", "127.0.0.1", *ports, "--folder", self.trust)
        broker = [JARAGUA, "broker", "start", "--tls", self.trust, "--port", port, "--data", self.folder / "broker"]
        serve = [JARAGUA, "pki", "serve", "--folder", self.trust]
        with (
            running(broker, "broker runs", self.folder / "broker.log"),
            running(serve, "may enrol", self.folder / "serve.log"),
        ):
            yield

    def invite(self, name: str) -> str:
        return self.host("pki", "invite", name, "--folder", self.trust).strip()

    def run_file(self, name: str) -> Path:
        path = self.folder / f"{name}.toml"
        text = RUN_FILE.format(name=name, folder=self.folder / name, port=self.broker_port, trust=self.trust)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, name: str, client: Sequence[str | Path]) -> dict[str, Any]:
        """The result of a run with that client, a process that is ended afterwards."""
        path = self.run_file(name)
        with running(client, "connected to the broker", self.folder / f"{name}.log"):
            data: dict[str, Any] = json.loads(self.host("run", path, "--json"))["data"]
        rounds = load(path).run.rounds
        assert [(one["id"], one["updates"]) for one in data["devices"]] == [("pi-1", rounds)], data["devices"]
        return data

    def simulated_hash(self, name: str) -> str:
        """Of the simulation of that run, whose device has the Pi's name."""
        wanted = replace(simulation_of(load(self.run_file(name))), devices=("pi-1",))
        learned, first = (simulate(wanted.changed(rounds=rounds)).final_hash for rounds in (wanted.rounds, 0))
        assert learned != first
        return learned

    def weights(self, name: str) -> np.ndarray[Any, Any]:
        found = load_file(self.folder / name / "weights" / "final.safetensors")
        return np.concatenate([found[key].ravel() for key in sorted(found)])


def install(pi: Pi) -> None:
    if not pi.is_64_bit:
        for command in lines("On a 32-bit system"):
            pi.follow(command)
    else:
        for command in lines("1. Install"):
            pi.follow(command)
    pi.follow(*lines("2. Check"))


def native_run(pi: Pi, fleet: Fleet) -> None:
    join, client = lines("3. Train on the Pi")
    pi.follow(join, TOKEN=fleet.invite("pi-1"))
    learned = fleet.run("native", pi.words(client))["model_hash"]
    assert learned == fleet.simulated_hash("native"), learned
    print(f"{pi.name}: native engine, the simulation's hash: {learned}", flush=True)


def litert_run(pi: Pi, fleet: Fleet) -> None:
    installing, client = lines("3. Train on the Pi", 1)
    pi.follow(installing)
    fleet.run("litert", pi.words(client))
    here = [JARAGUA, *shlex.split(client)[1:-1], pi.root / "root" / "pi-1", "--data-dir", fleet.folder / "outbox"]
    here[here.index("digits.tflite")] = TRAINING_FILE
    fleet.run("litert-here", here)
    wanted = fleet.weights("litert-here")
    distance = float(np.linalg.norm(fleet.weights("litert") - wanted) / np.linalg.norm(wanted))
    print(f"{pi.name}: LiteRT, relative distance to this machine's weights {distance:.1e}", flush=True)
    assert distance <= TOLERANCE


def compare_steps(pi: Pi) -> None:
    """Engine by engine: single steps of the networks of tests/client, on the Pi and on this machine."""
    tree = pi.root / "jaragua"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "pyproject.toml", "tests"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(lambda name: (ROOT / name).is_file(), tracked):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    steps = ROOT / "tests" / "client" / "machine_steps.py"
    subprocess.run([sys.executable, steps, tree / "this-machine.npz"], check=True)
    pi.follow("sudo /opt/jaragua/bin/pip install pytest")
    # Without the tree's conftest.py and settings of pytest: they ask for packages of a PC.
    alone = "-c /dev/null --rootdir . --confcutdir . -p no:cacheprovider"
    environment = "env -C /jaragua/tests/client JARAGUA_OTHER_MACHINE=/jaragua/this-machine.npz"
    modules = "test_other_machine.py test_litert_engine.py"
    tests = f"{environment} /opt/jaragua/bin/python -m pytest -s {alone} {modules}"
    print(pi.follow(tests), flush=True)


def main(name: str, folder: Path) -> None:
    """Print what was measured. AssertionError if anything is not as the page promises."""
    pi = Pi(name, folder / "pi", Road(folder, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, SECONDS))
    shutil.rmtree(folder / "fleet", ignore_errors=True)
    (folder / "fleet").mkdir()
    fleet = Fleet(folder / "fleet", free_port(), free_port())
    configure(pi)
    install(pi)
    with fleet.started():
        native_run(pi, fleet)
        if pi.is_64_bit:
            litert_run(pi, fleet)
    if pi.is_64_bit:
        compare_steps(pi)
    used = subprocess.run(["du", "-sm", folder / "changes"], capture_output=True, text=True, check=True).stdout.split()
    print(f"{pi.name}: {pi.road.total:.0f} s of commands, {used[0]} MB over the root", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
