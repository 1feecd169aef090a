"""`jaragua.simulate` and `Result`: the same hashes as the command line, in words and pictures for Python code."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import jaragua
from jaragua.cli.main import run
from jaragua.errors import ConfigurationError, Interrupted, ModelError, StoreError, ToolError, UsageError
from jaragua.report.intervals import paired_interval
from jaragua.simulation import SimulationProgress
from jaragua.strategies import registry

FEW: dict[str, Any] = {"rounds": 4, "clients": 2, "eval_tasks": 3}
WORDS = ("--rounds", "4", "--clients", "2", "--eval-tasks", "3", "--json")


@pytest.fixture(scope="module")
def trained() -> jaragua.Result:
    """Four rounds of sine with a learning curve."""
    return jaragua.simulate("sine", settings={"simulation.checkpoints": [2]}, **FEW)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["simulate", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["data"]
    return found


def test_the_weights_and_figures_are_those_of_the_command(
    trained: jaragua.Result, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "--task", "sine", "--set", "simulation.checkpoints=[2]", *WORDS)
    assert trained.final_hash == found["final_hash"]
    assert (trained.after.mean, trained.before.ci95) == (found["mse_mean"], found["mse_before_ci95"])
    assert [point["rounds"] for point in found["curve"]] == [point.rounds for point in trained.curve] == [0, 2, 4]
    assert len(trained.scores) == 3


def test_a_run_file_and_a_task_object_can_be_simulated(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('[model]\nname = "sine"\n[run]\nrounds = 4\n[strategy]\nclients_per_round = 2\n', encoding="utf-8")
    by_file = jaragua.simulate(file, eval_tasks=3, settings={"evaluation.queries": np.int64(5)})
    by_task = jaragua.simulate(jaragua.load_task("sine"), **FEW)
    assert by_file.final_hash == by_task.final_hash
    assert by_file.simulation.evaluation.queries == 5
    assert not (tmp_path / "runs").exists()


def test_history_has_a_record_a_round(trained: jaragua.Result) -> None:
    assert [record.round for record in trained.history] == [1, 2, 3, 4]
    assert sum(record.bytes_up for record in trained.history) == trained.outcome.bytes_up
    assert all(record.loss is not None and record.loss > 0 and record.updates == 2 for record in trained.history)


def test_a_simulation_goes_on_in_its_directory_with_all_of_its_history(trained: jaragua.Result, tmp_path: Path) -> None:
    def stop(progress: SimulationProgress) -> None:
        if progress.rounds_done == 2:
            raise Interrupted("enough")

    settings = {"simulation.checkpoints": [2]}
    with pytest.raises(Interrupted):
        jaragua.simulate("sine", directory=tmp_path / "kept", on_progress=stop, settings=settings, **FEW)
    seen: list[int] = []
    whole = jaragua.simulate(
        "sine",
        directory=tmp_path / "kept",
        on_progress=lambda now: seen.append(now.rounds_done),
        settings=settings,
        **FEW,
    )
    assert seen == [3, 4]
    assert (whole.final_hash, whole.history, whole.curve) == (trained.final_hash, trained.history, trained.curve)


def test_what_was_saved_starts_a_simulation_and_a_board(trained: jaragua.Result, tmp_path: Path) -> None:
    file = trained.save(tmp_path / "start.safetensors")
    assert {name: array.tobytes() for name, array in load_file(file).items()} == {
        name: array.tobytes() for name, array in trained.weights.items()
    }
    from_file = jaragua.simulate("sine", start=file, **FEW)
    assert from_file.final_hash == jaragua.simulate("sine", start=trained, **FEW).final_hash != trained.final_hash
    compiled = [jaragua.compile_network("sine", "nano33ble", start=one) for one in (file, trained)]
    assert compiled[0].files == compiled[1].files
    with pytest.raises(StoreError, match="there is no folder"):
        trained.save(tmp_path / "no" / "start.safetensors")
    with pytest.raises(ModelError, match="the result"):
        jaragua.simulate("digits", start=trained, **FEW)


class Twice(jaragua.Strategy):
    """Devices go over their samples twice."""

    PASSES = 2


def test_a_strategy_is_a_class_wherever_it_was_defined(trained: jaragua.Result) -> None:
    class Local(Twice):
        def step_size(self, round_number: int) -> float:
            return 0.5

    found = jaragua.simulate("sine", strategy=Local, **FEW)
    assert (found.simulation.passes, found.strategy.rpartition(".")[2]) == (2, "Local")
    assert [record.alpha for record in found.history] == [0.5] * 4
    assert registry.register(registry.REGISTRY["fedavg"]) == "fedavg"
    assert jaragua.simulate("sine", strategy=registry.REGISTRY["tinyreptile"], **FEW).final_hash == trained.final_hash
    with pytest.raises(ConfigurationError, match="not a strategy"):
        jaragua.simulate("sine", strategy=int, **FEW)  # type: ignore[arg-type]


def test_a_script_needs_no_guard_for_its_main_module(tmp_path: Path) -> None:
    """So many tasks are drawn by worker processes, which import neither the script nor its strategy."""
    script = (
        "import jaragua\n"
        "class Mine(jaragua.Strategy):\n    pass\n"
        "print('begun')\n"
        "many = dict(rounds=400, clients=10, eval_tasks=1, ways=2, settings={'client.shots': 1}, strategy=Mine)\n"
        "print(*(jaragua.simulate('digits', workers=workers, **many).final_hash for workers in (1, 2)))\n"
    )
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    begun, hashes = done.stdout.splitlines()
    assert begun == "begun"
    assert len(set(hashes.split())) == 1


def test_two_results_differ_by_a_paired_interval(trained: jaragua.Result) -> None:
    other = jaragua.simulate("sine", strategy=Twice, **FEW)
    found = trained.difference(other)
    expected = paired_interval(trained.scores, other.scores)
    assert (found.low, found.mean, found.high) == (expected.low, expected.mean, expected.high)
    with pytest.raises(ConfigurationError, match="same held-out tasks"):
        trained.difference(jaragua.simulate("sine", seed=2, **FEW))


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"no argument 'round'.*rounds"):
        jaragua.simulate("sine", round=3)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match=r"run\.rounds is given twice"):
        jaragua.simulate("sine", rounds=3, settings={"run.rounds": 4})
    with pytest.raises(ConfigurationError, match=r"not section\.key"):
        jaragua.simulate("sine", settings={"rounds": 4})
    with pytest.raises(ConfigurationError, match=r"simulate\(\): .*run\.rounds"):
        jaragua.simulate("sine", rounds=-1)
    with pytest.raises(ConfigurationError, match="No such file"):
        jaragua.simulate(tmp_path / "run.toml")


def test_settings_that_change_nothing_are_not_silently_ignored() -> None:
    with pytest.warns(UserWarning, match=r"^rounds, strategy\.combine: 'scratch' trains nothing") as caught:
        jaragua.simulate("sine", strategy="scratch", settings={"strategy.combine": "median"}, rounds=3, eval_tasks=2)
    assert [one.filename for one in caught] == [__file__]
    with pytest.warns(UserWarning, match=r"^client\.shots: 'rounds=0' only evaluates"):
        jaragua.simulate("sine", rounds=0, eval_tasks=2, settings={"client.shots": 4})
    with pytest.raises(UsageError, match=r"without round\.buffer, round\.max_staleness would change nothing"):
        jaragua.simulate("sine", settings={"round.max_staleness": 3}, **FEW)


def test_a_result_is_readable(trained: jaragua.Result) -> None:
    assert repr(trained).splitlines()[0] == "Result of sine: 4 rounds of tinyreptile, 2 of 2 devices"
    assert f"mse {trained.after.mean:.4f} ± {trained.after.ci95:.4f}" in repr(trained)
    html = trained._repr_html_()
    assert html.startswith("<table>")
    assert trained.final_hash in html


def test_a_picture_has_losses_and_intervals(trained: jaragua.Result, tmp_path: Path) -> None:
    other = jaragua.simulate("sine", strategy=Twice, **FEW)
    figure = trained.plot(tmp_path / "curve.svg", others=[other])
    losses, scores = figure.axes
    assert [line.get_label() for line in losses.lines] == ["tinyreptile", "Twice"]
    assert list(losses.lines[0].get_ydata()) == [record.loss for record in trained.history]
    assert list(scores.lines[0].get_ydata()) == [point.after.mean for point in trained.curve]
    assert (tmp_path / "curve.svg").read_text(encoding="utf-8").startswith("<?xml")
    ends = other.plot().axes[1]
    assert [list(line.lines[0].get_ydata()) for line in ends.containers] == [[other.before.mean], [other.after.mean]]
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="not a picture"):
        trained.plot(tmp_path / "curve.txt")


def test_without_matplotlib_a_picture_names_the_extra(trained: jaragua.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "jaragua.api.plotting", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ToolError, match="matplotlib") as caught:
        trained.plot()
    assert caught.value.hint == "pip install 'jaragua[plots]'"
