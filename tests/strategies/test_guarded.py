"""A strategy of one's own that fails: one sentence with its name, the round and the line."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.plain_simulation import PLAIN
from jaragua import strategies
from jaragua.cli.main import run
from jaragua.errors import ConfigurationError, RunError
from jaragua.settings import EvaluationSettings, TrainingSettings
from jaragua.simulation import Buffered, device_names, simulate
from jaragua.strategies import ModelProperties, Settings, Strategy
from jaragua.strategies.guarded import checked_aggregate
from jaragua.strategies.registry import options_of, step_size_of, work_of

START = np.zeros(4)


class Answers(Strategy):
    """Moves to whatever it was given."""

    answer: Any = None

    def aggregate(self, round_number: int, initialisation: Any, updates: Any) -> Any:
        return self.answer() if callable(self.answer) else self.answer


def raising() -> None:
    raise KeyError("oops")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (raising, r"the strategy Answers failed in round 7: KeyError: 'oops' \(test_guarded\.py, line \d+\)"),
        (None, "gave for round 7 NoneType in the place of 4 weights"),
        (1.0, "gave for round 7 float in the place"),
        (np.zeros(3), r"gave for round 7 an array of float64 \[3\]"),
        (np.zeros((4, 1)), r"an array of float64 \[4, 1\]"),
        (np.array(["a", "b", "c", "d"]), "an array of <U1"),
        (np.array([0, np.nan, np.inf, 1]), "gave for round 7 2 of 4 weights that are no numbers"),
        (np.array([0, 0, 0, 1e300]), "1 of 4 weights that are no numbers, or too large for float32"),
    ],
)
def test_what_is_no_set_of_weights_is_refused(answer: Any, sentence: str) -> None:
    strategy = Answers(Settings(5))
    strategy.answer = answer
    with pytest.raises(RunError, match=sentence):
        checked_aggregate(strategy, 7, START, [])


def test_a_step_size_that_fails_is_named_and_what_it_prints_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    class Talks(Strategy):
        def step_size(self, round_number: int) -> float:
            print("alpha is", round_number)
            return 1.0 / (round_number - 3)

    assert step_size_of(Talks(Settings(5)), 4) == 1.0
    assert capsys.readouterr() == ("", "alpha is 4\n")
    with pytest.raises(RunError, match="Talks failed when asked for the step size of round 3: ZeroDivisionError"):
        step_size_of(Talks(Settings(5)), 3)


def test_weights_in_another_type_of_number_are_taken() -> None:
    strategy = Answers(Settings(5))
    for kind in (np.float32, np.int64):
        strategy.answer = np.ones(4, kind)
        found = checked_aggregate(strategy, 1, START, []).vector
        assert (found.dtype, found.tolist()) == (np.dtype(np.float64), [1.0] * 4)


class NoWork(Strategy):
    """Asks for nothing that is work."""

    def client_work(self, round_number: int) -> Any:
        return None if round_number > 2 else super().client_work(round_number)


class NoSettings(Strategy):
    """Cannot be made."""

    def __init__(self) -> None:
        """Takes nothing."""


class NoOptions(Strategy):
    """Fails before it is made."""

    @classmethod
    def own_options(cls, properties: ModelProperties) -> dict[str, float]:
        return {"fraction": 1 / properties.layers}


def test_work_that_is_none_is_named_with_its_round() -> None:
    with pytest.raises(RunError, match="NoWork failed when asked for the work of round 3: TypeError: NoneType is no"):
        work_of(NoWork(Settings(5)), 3)


def test_a_class_that_cannot_be_made_or_asked_is_named() -> None:
    with pytest.raises(RunError, match="NoSettings failed when it was made: TypeError"):
        strategies.create(f"{__name__}:NoSettings", Settings(5))
    with pytest.raises(RunError, match="NoOptions failed when asked for its options: ZeroDivisionError"):
        options_of(NoOptions, ModelProperties())


@pytest.mark.parametrize("rate", [-0.1, 0.0, 1.0, float("nan"), float("inf")])
def test_a_rate_no_engine_takes_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="learning_rate is "):
        strategies.create("tinyreptile", Settings(5, training=TrainingSettings(rate)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"local_layers": 3.0}, "local_layers is 3, but the network has 3 layers that train"),
        ({"local_layers": 0.5}, r"local_layers is 0\.5"),
        ({"delta_bits": 8.5}, r"delta_bits is 8\.5"),
    ],
)
def test_an_option_that_no_network_can_follow_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        strategies.create("tinymetafed", Settings(5, properties=ModelProperties(layers=3), options=options))


OWN = """
from jaragua.strategies import Strategy

class FailsLater(Strategy):
    def step_size(self, round_number):
        return 1 / (4 - round_number)
"""


@pytest.mark.parametrize("buffered", [None, Buffered(2)])
def test_a_simulation_keeps_the_rounds_before_the_one_that_failed_and_goes_on_once_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffered: Buffered | None
) -> None:
    module = f"fails_later_{bool(buffered)}".lower()
    (tmp_path / f"{module}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    wanted = replace(
        PLAIN,
        strategy=f"{module}:FailsLater",
        devices=device_names(4),
        evaluation=EvaluationSettings(tasks=2),
        buffered=buffered,
    )
    state, kind = tmp_path / "state", strategies.registry.find(wanted.strategy)
    with pytest.raises(RunError, match=rf"failed in round 4: ZeroDivisionError: .*\({module}\.py, line 6\)"):
        simulate(wanted, state_folder=state)
    with np.load(state / "simulation.npz") as saved:
        assert saved["numbers"][0] == 3
    monkeypatch.setattr(kind, "step_size", lambda self, number: 0.5 if number == 4 else 1 / (4 - number))
    assert simulate(wanted, state_folder=state).final_hash == simulate(wanted).final_hash


def test_a_module_that_is_no_python_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no_python.py").write_text("def (")
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["simulate", "--task", "sine", "--strategy", "no_python:X"]) == 3
    assert "the strategy 'no_python:X' cannot be loaded: SyntaxError" in capsys.readouterr().err


LEAVING = "import sys\nfrom jaragua.strategies import Strategy\nclass Own(Strategy):\n    {}\n"


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("def step_size(self, number): sys.exit(0)", 9, "the strategy Own failed in round 1: SystemExit: 0"),
        ("sys.exit(0)", 3, "cannot be loaded: SystemExit: 0"),
        ("PASSES = '3'", 3, "PASSES of 'own:Own' is '3'"),
        ("PASSES = 1.5", 3, "PASSES of 'own:Own' is 1.5"),
        ("PASSES = 0", 3, "PASSES of 'own:Own' is 0"),
        ("BATCH = -1", 3, "BATCH of 'own:Own' is -1"),
        ("OPTIONS = {'doubt': 'much'}", 9, "option 'doubt' is 'much', which is not a number"),
    ],
)
def test_a_class_with_a_wrong_inside_ends_with_a_sentence(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    code: int,
    sentence: str,
) -> None:
    (tmp_path / "own.py").write_text(LEAVING.format(body))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own", raising=False)
    words = ["--task", "sine", "--strategy", "own:Own", "--rounds", "2", "--clients", "2", "--eval-tasks", "2"]
    assert run(["simulate", *words, "--workers", "1", "--json"]) == code
    assert sentence in json.loads(capsys.readouterr().out)["error"]["message"]
    monkeypatch.delitem(sys.modules, "own", raising=False)


def test_what_a_class_prints_is_not_the_result(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "print('loaded')\n    def step_size(self, number):\n        print('step', number)\n        return 1.0"
    body += "\n    def client_work(self, number):\n        print('work', number)"
    body += "\n        return super().client_work(number)"
    (tmp_path / "own.py").write_text(LEAVING.format(body))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own", raising=False)
    words = ["--task", "sine", "--strategy", "own:Own", "--rounds", "2", "--clients", "2", "--eval-tasks", "2"]
    assert run(["simulate", *words, "--workers", "1", "--json"]) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["status"] == "ok"
    assert "loaded\n" in found.err
    assert "step 2\n" in found.err
    assert "work 2\n" in found.err
    monkeypatch.delitem(sys.modules, "own", raising=False)
