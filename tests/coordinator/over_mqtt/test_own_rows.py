"""M17, M20, N2 to N5, R27: each node holds the rows of its own device, and computes with the run's scaling."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import pytest

from common.kill_points import wait_for
from common.own_task import TASK, valves, write_valves
from forked import Forked, Forker, until_done
from jaragua.cli.main import run
from jaragua.config import RunConfig
from jaragua.emulate import QemuBoard, build_image
from jaragua.errors import DataError
from jaragua.wire.topics import TopicKind, build
from jaragua_compiler.export.inputs.weights_file import read_interface
from jaragua_models import ModelError, from_toml
from limits import GENEROUS_S

#: What does not follow from a part of the data.
TOLD = 'features = ["pressure", "flow"]\nclasses = ["closed", "leaking", "open"]\n[network]'


def own_rows(folder: Path, machine: str) -> Path:
    """The task's file beside a table with the rows of one machine."""
    folder.mkdir()
    header, *rows = valves()
    kept = [row for row in rows if row.startswith(f"{machine},")]
    (folder / "valves.csv").write_text("\n".join([header, *kept]) + "\n")
    (folder / "valves.toml").write_text(TASK.replace("[network]", TOLD))
    return folder / "valves.toml"


@contextlib.contextmanager
def nodes(forker: Forker, config: RunConfig, tasks: dict[str, Path]) -> Iterator[None]:
    """A Pi of each name with its own file; the last is a board behind a gateway."""
    running = []
    *_, last = tasks
    try:
        with QemuBoard(build_image("qemu_m4", str(tasks[last]))) as board:
            for name, task in tasks.items():
                where = ("--broker", config.broker.url, "--fleet", config.run.fleet)
                own = ("--model", str(task), "--data-dir", str(task.parent))
                kind = ["gateway", "--port", board.url, "--id"] if name == last else ["client", "--node"]
                running.append(forker.start([*kind, name, *where, *own]))
            yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


@pytest.mark.board
def test_m17_nodes_with_their_own_rows_learn_what_one_file_with_all_rows_gives(
    config_text: Callable[..., str],
    make_config: Callable[..., RunConfig],
    forker: Forker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """N3: each file has the rows of its own device, and says the features, the classes and who is held out."""
    whole = write_valves(tmp_path / "all")
    tasks = {f"device-{number}": own_rows(tmp_path / f"m{number}", f"m{number}") for number in (1, 2, 3)}
    scalings = {one.inputs for path in (whole, *tasks.values()) if (one := from_toml(path).interface) is not None}
    assert len(scalings) == 4  # a part of the data would give another
    text = config_text(clients=2, quorum=2, minimum=3, strategy="tinyreptile")
    path = tmp_path / "own.toml"
    path.write_text(text.replace('name = "sine"', f'name = "{whole}"') + "[simulation]\ndevices = 3\n")
    with nodes(forker, make_config(), tasks):
        process = forker.start(["run", str(path), "--json"], tmp_path / "run.json")
        assert process.wait() == 0, process.said
    learned: dict[str, Any] = json.loads((tmp_path / "run.json").read_text())["data"]
    assert run(["simulate", str(path), "--json"]) == 0
    assert {one["id"]: one["kind"] for one in learned["devices"]}["device-3"] == "cortex-m4"
    assert learned["model_hash"] == json.loads(capsys.readouterr().out)["data"]["final_hash"]
    told = (tmp_path / "run" / "input.json").read_text().strip()
    interface = from_toml(whole).interface
    assert interface is not None
    assert told == interface.to_json()
    assert read_interface(tmp_path / "run" / "weights" / "final.safetensors") == interface


def without_rows(folder: Path) -> Path:
    """N5: the coordinator's copy of the task's file, without a table."""
    folder.mkdir()
    path = folder / "valves.toml"
    path.write_text(TASK.replace('path = "valves.csv"\n', "").replace("[network]", TOLD))
    return path


def lying(folder: Path, name: str) -> Path:
    """A node's table whose pressure is a million times that of the others."""
    path = own_rows(folder, name)
    header, *rows = (folder / "valves.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    far = [",".join([machine, str(1e6 * float(pressure)), *others]) for machine, pressure, *others in cells]
    (folder / "valves.csv").write_text("\n".join([header, *far]) + "\n")
    return path


def test_r27_a_coordinator_without_rows_collects_the_scaling_that_all_rows_give(
    config_text: Callable[..., str],
    make_config: Callable[..., RunConfig],
    forker: Forker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """R27.1, R27.2, R27.3, R27.6, R27.7, N5, D10; m4 tells nonsense, and is named."""
    whole = write_valves(tmp_path / "all")
    told = whole.read_text().replace("[network]", TOLD)
    whole.write_text(told.replace('held_out = ["m5", "m6"]', 'held_out = ["m4", "m5", "m6"]'))
    tasks = {f"m{number}": own_rows(tmp_path / f"m{number}", f"m{number}") for number in (1, 2, 3)}
    tasks["m4"] = lying(tmp_path / "m4", "m4")
    text = config_text(clients=2, quorum=2, minimum=4, strategy="tinyreptile")
    learned = fleet_without_rows(text, make_config(), forker, tmp_path, tasks)
    interface = from_toml(whole).interface
    assert interface is not None
    collected = json.loads((tmp_path / "run" / "input.json").read_text())
    assert collected == json.loads(interface.to_json())
    summary = json.loads((tmp_path / "run" / "run.json").read_text())
    assert summary["scaling"]["devices"] == ["m1", "m2", "m3"]
    assert summary["scaling"]["rows"] == 108
    assert "its mean of 'pressure' is" in summary["scaling"]["excluded"]["m4"]
    assert run(["run", str(tmp_path / "own.toml"), "--json"]) == 0  # finished: nobody is asked again
    assert json.loads(capsys.readouterr().out)["data"]["model_hash"] == learned["model_hash"]


def fleet_without_rows(
    text: str, config: RunConfig, forker: Forker, folder: Path, tasks: dict[str, Path]
) -> dict[str, Any]:
    """What `jaragua run` prints of a coordinator without rows, and a Pi client for each task."""
    path = folder / "own.toml"
    path.write_text(text.replace('name = "sine"', f'name = "{without_rows(folder / "none")}"'))
    where = ("--broker", config.broker.url, "--fleet", config.run.fleet)
    running = [
        forker.start(["client", "--node", name, *where, "--model", str(task), "--data-dir", str(task.parent)])
        for name, task in tasks.items()
    ]
    with until_done(running):
        process = forker.start(["run", str(path), "--json"], folder / "run.json")
        assert process.wait() == 0, process.said
    learned: dict[str, Any] = json.loads((folder / "run.json").read_text())["data"]
    return learned


def test_r27_3_a_fleet_whose_coordinator_has_no_rows_ends_with_the_hash_of_a_simulation_with_all_rows(
    config_text: Callable[..., str],
    make_config: Callable[..., RunConfig],
    forker: Forker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = write_valves(tmp_path / "all")
    tasks = {f"device-{number}": own_rows(tmp_path / f"m{number}", f"m{number}") for number in (1, 2, 3, 4)}
    text = config_text(clients=2, quorum=2, minimum=4, strategy="tinyreptile")
    learned = fleet_without_rows(text, make_config(), forker, tmp_path, tasks)
    simulated = tmp_path / "simulated.toml"
    simulated.write_text(text.replace('name = "sine"', f'name = "{whole}"') + "[simulation]\ndevices = 4\n")
    assert run(["simulate", str(simulated), "--json", "--no-comparison"]) == 0
    assert learned["model_hash"] == json.loads(capsys.readouterr().out)["data"]["final_hash"]


def test_r27_7_a_device_that_comes_after_the_scaling_was_collected_takes_it_from_the_run(
    config_text: Callable[..., str], make_config: Callable[..., RunConfig], forker: Forker, tmp_path: Path
) -> None:
    """m3 comes while the coordinator stands before the second round; its rows alone would give another scaling."""
    tasks = {name: own_rows(tmp_path / name, name) for name in ("m1", "m2", "m3")}
    path, config = tmp_path / "own.toml", make_config()
    text = config_text(clients=3, quorum=2, minimum=2, strategy="tinyreptile")
    path.write_text(text.replace('name = "sine"', f'name = "{without_rows(tmp_path / "none")}"'))
    where = ("--broker", config.broker.url, "--fleet", config.run.fleet)
    asked, go = tmp_path / "asked", tmp_path / "go"
    for pipe in (asked, go):
        os.mkfifo(pipe)

    def client(name: str) -> Forked:
        own = ("--model", str(tasks[name]), "--data-dir", str(tasks[name].parent))
        return forker.start(["client", "--node", name, *where, *own])

    running = [client("m1"), client("m2")]
    armed = {"number": 4, "when": "before", "asked": str(asked), "go": str(go)}
    with until_done(running):
        process = forker.start(["run", str(path), "--json"], tmp_path / "run.json", armed=armed)
        wait_for(asked, process)
        running.append(client("m3"))
        asyncio.run(is_there(config, "m3"))
        with go.open("wb"):
            pass
        assert process.wait() == 0, process.said
    summary = json.loads((tmp_path / "run" / "run.json").read_text())
    assert summary["scaling"]["devices"] == ["m1", "m2"]
    learned: dict[str, Any] = json.loads((tmp_path / "run.json").read_text())["data"]
    assert {one["id"]: one["updates"] for one in learned["devices"]} == {"m1": 3, "m2": 3, "m3": 1}
    collected, alone = json.loads((tmp_path / "run" / "input.json").read_text()), from_toml(tasks["m3"]).interface
    assert alone is not None
    assert collected["inputs"] != json.loads(alone.to_json())["inputs"]


async def is_there(config: RunConfig, name: str) -> None:
    """Until a Pi says that it is there."""
    broker = urlsplit(config.broker.url)
    assert broker.hostname is not None
    async with (
        asyncio.timeout(GENEROUS_S),
        aiomqtt.Client(broker.hostname, broker.port or 1883, protocol=aiomqtt.ProtocolVersion.V5) as session,
    ):
        await session.subscribe(build(TopicKind.DEVICE_STATE, config.run.fleet, node=name, device=name))
        await anext(aiter(session.messages))


def test_n5_a_coordinators_file_without_rows_has_to_name_what_rows_would_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = without_rows(tmp_path / "none")
    model = from_toml(path)
    assert model.network.inputs == 2
    assert model.interface is not None
    assert model.interface.classes == ("closed", "leaking", "open")
    for words in (["simulate", "--task"], ["data"], ["data", "--statistics"], ["data", "--scaling"], ["tune"]):
        assert run([*words, str(path)]) == DataError.exit_code
        assert "this file has no path, so there are no rows" in capsys.readouterr().err
    path.write_text(TASK.replace('path = "valves.csv"\n', ""))
    with pytest.raises(ModelError, match="has no path, and no features and no classes"):
        from_toml(path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("m5", "valves.csv: device 'm5' is held out: it measures what was learned, and never trains."),
        ("pi-1", "valves.csv: no row is of a device 'pi-1'."),
    ],
)
def test_n4_a_client_that_is_held_out_or_unknown_is_refused(
    name: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--broker", "mqtt://127.0.0.1:1", "--fleet", "home", "--data-dir", str(tmp_path)]
    assert (
        run(["client", *where, "--node", name, "--model", str(own_rows(tmp_path / "m1", "m1"))]) == DataError.exit_code
    )
    assert sentence in capsys.readouterr().err


def test_n4_a_board_without_rows_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--broker", "mqtt://127.0.0.1:1", "--fleet", "home", "--data-dir", str(tmp_path)]
    task = str(own_rows(tmp_path / "m1", "m1"))
    assert run(["gateway", *where, "--port", "/dev/null", "--id", "m7", "--model", task]) == DataError.exit_code
    assert "no row is of a device 'm7'" in capsys.readouterr().err
