"""R9: killed at any moment and started again, a run ends with the model of the uninterrupted run."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_rounds_over_mqtt import nodes_at_work, run_to_end, two_nodes

from forked import Forker
from jaragua.config import RunConfig
from jaragua.coordinator import run as run_module
from jaragua.coordinator.events import BrokerLost, RoundFinished, RunEvent
from jaragua.errors import BrokerError
from jaragua_broker import Broker
from limits import GENEROUS_S

MakeConfig = Callable[..., RunConfig]
ROUNDS = 80
KILLS = 6
LONGEST_LIFE_S = 0.3
#: R18.5: the moments of a server optimiser survive like all else.
WITH_MOMENTS = 'server_optimiser = "{}"'


async def begin(config_path: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "jaragua.cli.main", "run", str(config_path), "--json"]
    return await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def line_of(process: asyncio.subprocess.Process, word: str) -> None:
    """Wait for a line on stderr that begins with a word."""
    assert process.stderr is not None
    async with asyncio.timeout(GENEROUS_S):
        while line := await process.stderr.readline():
            if line.startswith(word.encode()):
                return
    pytest.fail(f"the coordinator ended before it said {word!r}")


def killed_again_and_again(forker: Forker, path: Path, draw: random.Random) -> tuple[dict[str, Any], int]:
    """The final document of a run, and how often it was killed at a moment of its work before."""
    kills, command = 0, ["run", str(path), "--json"]
    for number in range(KILLS):
        run = forker.start(command, path.with_suffix(f".{number}"))
        run.wait_for_line("run ")
        kills += run.kill_after(draw.uniform(0, LONGEST_LIFE_S)) == -signal.SIGKILL
    output = path.with_suffix(".json")
    run = forker.start(command, output)
    assert run.wait() == 0, run.said
    document: dict[str, Any] = json.loads(output.read_text())["data"]
    return document, kills


def test_sigkill_at_random_moments_changes_nothing(
    make_config: MakeConfig, config_text: Callable[..., str], forker: Forker, tmp_path: Path, seed: int
) -> None:
    """R9, R19.3."""
    adam = WITH_MOMENTS.format("adam")
    config = make_config(rounds=ROUNDS, directory=tmp_path / "undisturbed", robust=adam)
    undisturbed = run_to_end(config, two_nodes(config))
    path = tmp_path / "killed.toml"
    path.write_text(config_text(rounds=ROUNDS, directory=tmp_path / "killed", robust=adam))

    async def everything() -> tuple[dict[str, Any], int]:
        async with nodes_at_work(*two_nodes(config)):
            return await asyncio.to_thread(killed_again_and_again, forker, path, random.Random(seed))

    document, kills = asyncio.run(everything())
    print(f"{kills} kills")
    assert document["model_hash"] == undisturbed.model_hash
    lines = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == list(range(1, ROUNDS + 1))
    assert [line["model_hash"] for line in lines][-1] == undisturbed.model_hash


def test_a_torn_line_of_the_metrics_is_mended(make_config: MakeConfig) -> None:
    config = make_config(rounds=2)
    result = run_to_end(config, two_nodes(config))
    metrics = config.run.directory / "metrics.jsonl"
    whole = metrics.read_text()
    metrics.write_text(whole + whole[:25])
    (config.run.directory / "weights" / "final.safetensors").unlink()
    assert run_to_end(config, ()) == result
    assert metrics.read_text() == whole
    assert (config.run.directory / "weights" / "final.safetensors").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_cleanly_and_it_says_how_to_go_on(
    config_text: Callable[..., str], make_config: MakeConfig, tmp_path: Path, number: signal.Signals
) -> None:
    config = make_config(rounds=5000)
    path = tmp_path / "long.toml"
    path.write_text(config_text(rounds=5000))

    async def everything() -> tuple[int | None, str, str]:
        async with nodes_at_work(*two_nodes(config)):
            process = await begin(path)
            await line_of(process, "round 2/5000")
            process.send_signal(number)
            stdout, stderr = await process.communicate()
            return process.returncode, stdout.decode(), stderr.decode()

    code, stdout, stderr = asyncio.run(everything())
    assert code == 130
    assert json.loads(stdout)["error"]["code"] == "interrupted"
    assert f"hint: go on with `jaragua run {path} --resume`" in stderr
    assert "Traceback" not in stderr
    with sqlite3.connect(config.run.directory / "run.sqlite") as database:
        assert database.execute("SELECT status FROM runs").fetchone() == ("stopped",)
    database.close()


def test_a_broker_that_stays_away_stops_the_run_which_can_go_on(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(rounds=4, directory=tmp_path / "undisturbed")
    undisturbed = run_to_end(config, two_nodes(config))
    monkeypatch.setattr(run_module, "_BROKER_PATIENCE_MS", 200)
    with Broker() as broker:
        config = make_config(rounds=4, url=broker.url)

        seen: list[RunEvent] = []

        def away_after_round_two(event: RunEvent) -> None:
            seen.append(event)
            if isinstance(event, RoundFinished) and event.round_number == 2:
                broker.stop()

        with pytest.raises(BrokerError, match="has been away for"):
            run_to_end(config, two_nodes(config), away_after_round_two)
    assert any(isinstance(event, BrokerLost) for event in seen)
    config = make_config(rounds=4)
    assert run_to_end(config, two_nodes(config)).model_hash == undisturbed.model_hash
