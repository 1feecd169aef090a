"""`python -m jaragua.experiments.load.secure`: a run of thousands of devices, in clear, masked, and with some gone.

One mosquitto, one coordinator, simulated devices in another process, which learn the same in all runs. The first run is
in clear. The second has secure sums in groups (U12), and ends with the same hash. In the third some devices answer no
question of a sum, and it completes without them. Ends with 1 if one of these does not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaragua.experiments.load.processes import started
from jaragua.experiments.load.run_file import written
from jaragua.store.reading import read_details
from jaragua_broker import Broker


@dataclass(frozen=True)
class Asked:
    """What is measured. group: devices of a sum; each_gone: of so many devices one is gone in the third run."""

    devices: int = 5000
    rounds: int = 2
    group: int = 30
    each_gone: int = 10
    deadline_s: int = 120
    model: str = "digits"


@dataclass(frozen=True)
class Done:
    """What came of a run. excluded: devices that are not in the model of each round."""

    model_hash: str
    seconds: tuple[float, ...]
    excluded: tuple[int, ...]
    updates: int


def run(asked: Asked, privacy: str, each_gone: int, folder: Path) -> Done:
    """One run of all devices."""
    with Broker() as broker:
        path, config = written(
            folder,
            devices=asked.devices,
            rounds=asked.rounds,
            model=asked.model,
            url=broker.url,
            deadline_s=asked.deadline_s,
            privacy=privacy,
        )
        client = config.client
        arguments = (broker.port, "load", asked.model, client.ways * client.shots, asked.devices, each_gone)
        with started("secure_devices", *arguments):
            command = [sys.executable, "-m", "jaragua.cli.main", "run", str(path), "--json"]
            done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise SystemExit(f"the coordinator failed: {done.stdout}{done.stderr}")
    told = json.loads(done.stdout)["data"]
    rounds = read_details(folder / "run").rounds
    return Done(
        told["model_hash"],
        tuple(round(one["seconds"], 1) for one in rounds),
        tuple(len(one["excluded"]) for one in rounds),
        sum(one["updates"] for one in told["devices"]),
    )


def measured(asked: Asked) -> dict[str, Done]:
    """By what is special about a run."""
    secure = f"secure_aggregation = true\ngroup = {asked.group}"
    found = {}
    for name, privacy, each_gone in (
        ("in clear", "", 0),
        ("masked", secure, 0),
        ("some gone", secure, asked.each_gone),
    ):
        with tempfile.TemporaryDirectory(prefix="jaragua-secure-") as folder:
            found[name] = run(asked, privacy, each_gone, Path(folder))
    return found


def faults(asked: Asked, found: dict[str, Done]) -> list[str]:
    """What does not hold."""
    gone = -(-asked.devices // asked.each_gone)
    said = {
        "the masked run has another hash": found["masked"].model_hash != found["in clear"].model_hash,
        "the masked run has left devices out": any(found["masked"].excluded),
        f"not {gone} devices are left out where they are gone": set(found["some gone"].excluded) != {gone},
        "an update is lost": {one.updates for one in found.values()} != {asked.devices * asked.rounds},
    }
    return [what for what, holds in said.items() if holds]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in vars(Asked()).items():
        options.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    given: dict[str, Any] = vars(options.parse_args(arguments))
    asked = Asked(**given)
    found = measured(asked)
    for name, one in found.items():
        print(f"{name:>9}: {one.model_hash}, seconds of rounds {list(one.seconds)}, left out {list(one.excluded)}")
    wrong = faults(asked, found)
    for what in wrong:
        print(f"error: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
