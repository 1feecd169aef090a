"""`jaragua tune` chooses on training data alone, and writes what it chose."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import jaragua_models
from common.own_task import write_valves
from jaragua.cli.main import run
from jaragua.cli.verbs.tasks import tune
from jaragua.config import for_simulation
from jaragua.errors import DataError, UsageError
from jaragua.models import METRIC, VALIDATION, leaving_out, model_named
from jaragua.simulation import Means, device_names, simulate
from jaragua.simulation.comparison.adaptation_search import Tried
from jaragua.simulation.settings import simulation_of
from jaragua.tuning import advice, search, validation
from jaragua.tuning.advice import run_settings, task_settings
from jaragua.tuning.candidates import Candidate, trained, untrained
from jaragua.tuning.search import Found, Simple, Trial, Tuner
from jaragua.tuning.toml_edit import with_values
from jaragua.tuning.validation import turns_of, wide_task
from jaragua_compiler import Dense
from jaragua_models import HasValidation
from jaragua_models.keywords import tasks as keywords
from jaragua_models.omniglot import tasks as omniglot

HELD_OUT = {"m5", "m6"}
FEW = [
    Candidate("tinyreptile", 0.05, 1),
    Candidate("fedavg", 0.05, 1),
    Candidate("protoreptile", 0.05, 1, temperature=0.3, wide=True),
]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few candidates, few validation tasks."""
    monkeypatch.setattr(search, "trained", lambda model: FEW if model.network.classifier else FEW[:1])
    monkeypatch.setattr(validation, "SMALL_TASKS", 12)


def found_for(path: Path, leave_one_out: bool | None = False) -> Found:
    base = simulation_of(for_simulation(None, {"model.name": str(path), "client.shots": 3, "evaluation.shots": 3}, ""))
    clock = itertools.count(step=0.01)
    return Tuner(base, 1e6, lambda: next(clock), workers=1, leave_one_out=leave_one_out).run()


def chosen(found: Found) -> list[Any]:
    return [(trial.candidate, trial.rounds, trial.adaptation, trial.scores) for trial in found.trials]


def test_held_out_data_change_nothing(tmp_path: Path, few: None) -> None:
    """The rows of held-out machines are given other readings and other states: every score is the same."""
    clean, poisoned = write_valves(tmp_path / "clean"), write_valves(tmp_path / "poisoned")
    table = poisoned.with_name("valves.csv")
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines]
    states = {"open": "closed", "closed": "leaking", "leaking": "open"}
    changed = [[row[0], "1e6", "-1e6", states[row[3]]] if row[0] in HELD_OUT else row for row in rows]
    assert changed != rows
    table.write_text("\n".join(map(",".join, changed)) + "\n", encoding="utf-8")
    one, other = found_for(clean), found_for(poisoned)
    assert chosen(one) == chosen(other)
    assert [simple.scores for simple in one.simple] == [simple.scores for simple in other.simple]
    assert {trial.candidate.strategy for trial in one.trials} == {"scratch", "tinyreptile", "fedavg", "protoreptile"}
    source = model_named(VALIDATION + str(clean)).tasks
    assert not {source.held_out_task(seed, 3, 3, 9).device for seed in range(40)} & HELD_OUT


@pytest.mark.parametrize("name", ["digits", "sine"])
def test_validation_tasks_of_the_zoo_are_no_held_out_tasks(name: str) -> None:
    model, inner = model_named(name), model_named(VALIDATION + name)
    told = model.defaults
    asked = (told.ways, told.shots, told.queries)
    kept = {row.tobytes() for seed in range(30) for row in model.tasks.held_out_task(seed, *asked).query.x}
    drawn = [inner.tasks.held_out_task(seed, *asked) for seed in range(30)]
    trained = {row.tobytes() for seed in range(30) for row in _trained(inner, seed).x}
    if name == "digits":
        assert not {row.tobytes() for task in drawn for row in task.query.x} & (kept | trained)
    else:  # its queries are the same points of every wave
        waves = {model.tasks.held_out_task(seed, *asked).query.y.tobytes() for seed in range(30)}
        assert not {task.query.y.tobytes() for task in drawn} & waves


def _trained(model: jaragua_models.Model, seed: int) -> jaragua_models.Samples:
    return model.tasks.train_task("device-1", seed, model.defaults.ways, model.defaults.shots).support


def test_validation_sets_of_downloaded_data_are_parts_of_training_data(use_data: Callable[[str], Path]) -> None:
    for folder in ("speech_commands", "omniglot", "room_occupancy_estimation"):
        use_data(folder)
    for split in (keywords.split, omniglot.split):
        whole, inner = split(), split(True)
        assert {*np.asarray(inner.training).tolist(), *np.asarray(inner.held_out).tolist()} == set(
            np.asarray(whole.training).tolist()
        )
        assert not set(np.asarray(inner.training).tolist()) & set(np.asarray(inner.held_out).tolist())
    presence = jaragua_models.get("presence").tasks
    assert isinstance(presence, HasValidation)
    inner = presence.for_validation()
    training = {row.tobytes() for row in presence.calibration()}
    task = inner.held_out_task(1, 2, 10, 40)
    assert {row.tobytes() for row in [*task.support.x, *task.query.x]} <= training


def test_wide_tasks_have_what_the_first_devices_have(tmp_path: Path) -> None:
    """digits: ten classes and twenty images a device; valves: three states, and the samples of the poorest machine."""
    digits = simulation_of(for_simulation(None, {"model.name": "digits", "client.shots": 5}, ""))
    assert wide_task(digits) == (10, 20)
    valves = simulation_of(for_simulation(None, {"model.name": str(write_valves(tmp_path)), "client.shots": 2}, ""))
    ways, shots = wide_task(valves)
    assert ways == 3
    drawn = [model_named(valves.task).tasks.train_task(device, 1, ways, shots) for device in valves.devices]
    assert all(len(task.support) == ways * shots for task in drawn)


def test_settings_of_prototypes_are_written_and_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one sample prototypes are far ahead of what is not trained. The clock is the same on a busy machine."""
    clock = itertools.count(step=0.001)
    monkeypatch.setattr(search, "_MORE_ROUNDS", ())
    monkeypatch.setattr(tune, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(search.Tuner, "_try_own_settings", lambda self: None)
    few = [Candidate("protoreptile", 0.03, 1, temperature=0.9, wide=True)]
    monkeypatch.setattr(search, "trained", lambda model: few)
    path = tmp_path / "run.toml"
    assert run(["tune", "digits", "--shots", "1", "--minutes", "0.2", "--write", str(path)]) == 0
    written = tomllib.loads(path.read_text())
    assert written["strategy"]["name"] == "protoreptile"
    assert written["strategy"]["options"]["temperature"] == 0.9
    assert (written["client"]["ways"], written["client"]["shots"], written["evaluation"]["ways"]) == (10, 20, 5)
    assert written["evaluation"]["shots"] == 1
    capsys.readouterr()
    assert run(["simulate", str(path), "--json", "--no-comparison", "--set", "run.rounds=2", "--eval-tasks", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["strategy"] == "protoreptile"


def test_the_tasks_own_settings_are_a_candidate_with_all_their_rounds(tmp_path: Path, few: None) -> None:
    """They stand in the file already: what is written for them changes no number of training."""
    path = write_valves(tmp_path, "training_passes = 3\n")
    defaults, found = jaragua_models.from_toml(path).defaults, found_for(path)
    own = next(trial for trial in found.trials if trial.candidate.own)
    assert own.candidate == Candidate("tinyreptile", defaults.learning_rate, 3, own=True)
    assert own.rounds == defaults.rounds
    told = task_settings(replace(found, trials=(own,)))["defaults"]
    adapted = {"passes": own.adaptation.passes, "adapt_learning_rate": told["adapt_learning_rate"]}
    trained = {"learning_rate": defaults.learning_rate, "training_passes": 3, "rounds": defaults.rounds}
    assert told == {"strategy": "tinyreptile"} | trained | adapted


def test_the_speed_of_a_candidate_is_that_of_its_network_passes_and_tasks(tmp_path: Path) -> None:
    """A metric of few rounds, one pass, and four passes of a small network, which take hardly longer than one."""
    base = simulation_of(for_simulation(None, {"model.name": str(write_valves(tmp_path))}, ""))
    tuner = Tuner(base, 1e6, lambda: 0.0, workers=1, leave_one_out=False)
    metric = Candidate("protoreptile", 0.02, 1, METRIC, temperature=0.3, wide=True, rounds_fraction=0.1)
    candidates = [metric, Candidate("tinyreptile", 0.02, 1), Candidate("tinyreptile", 0.02, 4)]
    tuner._speeds = {(METRIC, 1, True, False): 0.2, ("", 1, False, False): 0.01, ("", 4, False, False): 0.02}
    assert tuner._affordable(candidates, 10.0, 1000) == 200
    assert tuner._affordable(candidates, 100.0, 300) == 300
    assert tuner._affordable(candidates, 0.1, 300) == search._LEAST_ROUNDS
    tuner._speeds.clear()
    assert tuner._seconds_of_a_round(candidates[1]) > 0
    assert list(tuner._speeds) == [("", 1, False, False)]


def test_small_networks_have_more_validation_tasks() -> None:
    counts = {}
    for name in ("digits", "omniglot-reptile"):
        base = simulation_of(for_simulation(None, {"model.name": name}, ""))
        counts[name] = validation.validation_tasks(base)
    assert counts == {"digits": validation.SMALL_TASKS, "omniglot-reptile": validation.TASKS}


def test_a_narrow_round_of_prototypes_is_written_as_it_was_tried() -> None:
    """`keywords` has rounds of ten words by default; what was tried with five must say so."""
    narrow = Candidate("protoreptile", 0.01, 1, temperature=0.3)
    best = Trial(narrow, 100, Tried(0.97, 0, 0.01), Means(0.97, 0.01), (0.97, 0.97), 1.0)
    rounds = (10, 3), (5, 3), (10, 4)
    found = Found("accuracy", "protoreptile", ("a", "b"), (best,), (), False, *rounds, 5, own_labels=True, rounds=100)
    assert run_settings("keywords", found)["client"] == {"learning_rate": 0.01, "passes": 1, "ways": 5, "shots": 3}
    wide = replace(found, trials=(replace(best, candidate=replace(narrow, wide=True)),))
    assert run_settings("keywords", wide)["client"]["ways"] == 10
    own = replace(found, trials=(replace(best, candidate=replace(narrow, own=True)),))
    assert run_settings("keywords", own)["client"] == {"learning_rate": 0.01, "passes": 1, "ways": 10, "shots": 4}


def test_own_settings_that_were_cut_short_stay_as_they_are() -> None:
    """A search of a minute lets `omniglot` train 20 of its 1,000 rounds: the file must not say 20."""
    own = Candidate("protoreptile", 0.01, 1, temperature=0.3, queries=10, own=True)
    best = Trial(own, 20, Tried(0.8, -16, 0.03), Means(0.8, 0.01), (0.8, 0.8), 1.0)
    rounds = (10, 3), (5, 3), (10, 4)
    found = Found("accuracy", "protoreptile", ("a", "b"), (best,), (), True, *rounds, 5, own_labels=True, rounds=1000)
    assert task_settings(found) == {}
    assert task_settings(found, 1) == {"defaults": {"shots": 1}}
    told = run_settings("omniglot", found, 1)
    assert told["run"] == {"rounds": 1000}
    assert told["evaluation"] == {"shots": 1, "ways": 5}
    assert told["strategy"]["options"] == {"temperature": 0.3, "episode_queries": 10, "adapt_by_steps": 0}
    assert any("20 of their 1000 rounds, and stay as they are" in one for one in advice.advice(found))
    whole = replace(found, trials=(replace(best, rounds=1000),))
    assert not whole.is_short
    assert run_settings("omniglot", whole)["evaluation"]["learning_rate"] == 0.03
    other = replace(found, trials=(replace(best, candidate=replace(own, own=False)),))
    assert run_settings("omniglot", other)["run"] == {"rounds": 20}


def test_one_training_device_is_too_few(tmp_path: Path) -> None:
    path = write_valves(tmp_path)
    path.write_text(path.read_text().replace('["m5", "m6"]', '["m2", "m3", "m4", "m5", "m6"]'))
    with pytest.raises(DataError, match="no validation set"):
        found_for(path)


def test_the_verb_writes_the_settings_and_nothing_else(
    tmp_path: Path, few: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_valves(tmp_path, "shots = 3   # few\n")
    before = path.read_text()
    words = ["tune", str(path), "--minutes", "5", "--no-leave-one-out"]
    assert run([*words, "--dry-run"]) == 0
    assert path.read_text() == before
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    after = path.read_text()
    kept = [line for line in before.splitlines() if not line.startswith(("rounds", "hidden"))]
    assert [line for line in kept if line not in after.splitlines()] == []
    assert tomllib.loads(after)["defaults"]["strategy"] == data["best"]["strategy"]
    assert tomllib.loads(after)["defaults"]["passes"] == data["best"]["adapt_passes"]
    assert run(["simulate", "--task", str(path), "--json", "--no-comparison", "--eval-tasks", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["strategy"] == data["best"]["strategy"]


def test_settings_of_a_zoo_model_make_a_runs_file(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clock is the same on a busy machine, and leaves time for all rounds of the model's own settings."""
    clock = itertools.count(step=1e-6)
    monkeypatch.setattr(tune, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(search, "_MORE_ROUNDS", ())
    path = tmp_path / "run.toml"
    assert run(["tune", "sine", "--minutes", "0.05", "--write", str(path)]) == 0
    written = tomllib.loads(path.read_text())
    assert written["model"]["name"] == "sine"
    assert written["evaluation"].keys() == {"learning_rate", "passes"}
    capsys.readouterr()
    assert run(["simulate", str(path), "--json", "--no-comparison", "--set", "run.rounds=0"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["task"] == "sine"


def found_of(own: Trial, *others: Trial, simple: tuple[Simple, ...] = (), own_labels: bool = True) -> Found:
    """Of four validation devices with one task each; the task's own strategy is that of the first."""
    strategy, devices = own.candidate.strategy, ("m1", "m2", "m3", "m4")
    return Found("accuracy", strategy, devices, (own, *others), simple, False, *[(5, 5)] * 3, 5, own_labels, 100)


def test_a_simpler_candidate_is_chosen_if_the_best_is_not_ahead_of_it() -> None:
    """Differences +0.02, -0.01, +0.02, -0.01 have mean 0.005 and standard error 0.00866; four times 0.01 have none."""
    best = trial("fedavg", (0.97, 0.94, 0.97, 0.94))
    near, far = trial("tinyreptile", (0.95, 0.95, 0.95, 0.95)), trial("tinyreptile", (0.96, 0.93, 0.96, 0.93))
    assert found_of(near, best).best is near
    assert found_of(far, best).best is best


def test_what_is_not_trained_gives_way_to_the_tasks_own_settings_or_to_what_is_clearly_better() -> None:
    """0.015 is more than the standard error 0.00866, and less than the interval of four devices, 0.0276."""
    steps = trial("scratch", (0.95, 0.95, 0.95, 0.95))
    steps = replace(steps, candidate=replace(steps.candidate, trains=False))
    ahead = trial("tinyreptile", (0.98, 0.95, 0.98, 0.95))
    assert found_of(ahead, steps).best is steps  # one of many trials, and perhaps the luckiest
    own = replace(ahead, candidate=replace(ahead.candidate, own=True))
    assert found_of(own, steps).best is own
    metric = trial("protoreptile", (0.98, 0.95, 0.98, 0.95))
    metric = replace(metric, candidate=replace(metric.candidate, variant=METRIC))
    assert found_of(trial("tinyreptile", (0.94, 0.94, 0.94, 0.94)), steps, metric).best is metric
    clear = trial("tinyreptile", (0.99, 0.97, 0.99, 0.97))
    assert found_of(clear, steps).best is clear


def test_where_labels_mean_the_same_the_best_need_not_be_clearly_better_than_what_is_not_trained() -> None:
    """The same trials with a task's own labels, and with the same labels on all devices."""
    steps = trial("scratch", (0.95, 0.95, 0.95, 0.95))
    steps = replace(steps, candidate=replace(steps.candidate, trains=False))
    own, best = trial("tinyreptile", (0.94, 0.94, 0.94, 0.94)), trial("fedavg", (0.98, 0.95, 0.98, 0.95))
    assert found_of(own, steps, best).best is steps
    assert found_of(own, steps, best, own_labels=False).best is best


def test_a_strategy_that_loses_to_a_method_without_training_gives_way() -> None:
    own, other = trial("protoreptile", (0.95, 0.95, 0.95, 0.95)), trial("tinyreptile", (0.97, 0.94, 0.97, 0.94))
    ahead = Simple("nearest neighbour", Means(0.951, 0.01), (0.951,) * 4)
    found = found_of(own, other, simple=(ahead,))
    assert found.best is other
    assert replace(found, simple=()).best is own
    far = replace(ahead, score=Means(0.99, 0.01))
    assert replace(found, simple=(far,)).best is other  # nobody is as good, and it is nearer
    assert replace(found, devices=("m1",) * 4).best is own


def trial(strategy: str, scores: tuple[float, ...]) -> Trial:
    """One that did so on each validation task."""
    mean = sum(scores) / len(scores)
    return Trial(Candidate(strategy, 0.1, 1), 10, Tried(mean, -4, 0.1), Means(mean, 0.05), scores, 1.0)


def test_one_validation_device_changes_no_strategy(tmp_path: Path, few: None) -> None:
    """Its tasks say nothing of other devices, however large the difference."""
    path = write_valves(tmp_path)
    path.write_text(path.read_text().replace('["m5", "m6"]', '["m3", "m4", "m5", "m6"]'))
    found = found_for(path)
    assert found.has_one_device
    assert found.best.candidate.strategy == "tinyreptile"
    assert not any(found.is_clear(one, other) for one in found.trials for other in found.trials)


def test_d11_each_of_few_training_devices_is_the_validation_set_once(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """m1 to m4 train: without being told, each is left out once, and the scores of a candidate are of all four."""
    monkeypatch.setattr(search, "trained", lambda model: FEW[:1])
    path = write_valves(tmp_path)
    found = found_for(path, leave_one_out=None)
    assert found.devices == tuple(name for name in ("m1", "m2", "m3", "m4") for _ in range(60))
    assert all(len(trial.scores) == 240 for trial in found.trials)
    assert not found.has_one_device
    for number, excluded in enumerate(("m1", "m2", "m3", "m4")):
        inner = model_named(leaving_out(number) + str(path)).tasks
        asked = {inner.held_out_task(seed, 3, 3, 9).device for seed in range(6)}
        trains = {inner.train_task(name, seed, 3, 3).device for name in device_names(3) for seed in range(3)}
        assert (asked, trains) == ({excluded}, {"m1", "m2", "m3", "m4"} - {excluded})


def test_d11_other_searches_have_one_validation_set(tmp_path: Path) -> None:
    """Five training devices; a model of the zoo, whose devices are not left out, says so."""
    path = write_valves(tmp_path)
    base = simulation_of(for_simulation(None, {"model.name": str(path)}, ""))
    assert [len(turns_of(base, told)) for told in (None, True, False)] == [4, 4, 1]
    path.write_text(path.read_text().replace('["m5", "m6"]', '["m6"]'))
    model_named.cache_clear()
    assert [len(turns_of(base, told)) for told in (None, True, False)] == [1, 5, 1]
    zoo = simulation_of(for_simulation(None, {"model.name": "digits"}, ""))
    assert len(turns_of(zoo, None)) == 1
    with pytest.raises(UsageError, match="'digits' cannot leave one device out"):
        turns_of(zoo, True)


def test_logistic_regression_by_steps_is_a_candidate_and_can_be_written() -> None:
    """Also of a model of the zoo, which then is named without its hidden layers."""
    candidates = list(untrained(model_named("digits")))
    linear = next(one for one in candidates if one.variant and one.strategy == "scratch")
    assert str(linear) == "logistic regression by steps on the features"
    scores = (1.0, 0.9, 1.0)
    best = Trial(linear, 0, Tried(0.97, -64, 0.03), Means(0.97, 0.01), scores, 1.0)
    rounds = (5, 5), (5, 5), (5, 5)
    found = Found("accuracy", "tinyreptile", ("", "", ""), (best,), (), False, *rounds, 5, own_labels=True, rounds=100)
    told = run_settings("digits", found)
    assert told["model"] == {"name": "linear:digits"}
    assert told["evaluation"] == {"learning_rate": 0.03, "passes": 64}
    assert [one.variant for one in untrained(model_named("sine"))] == [""]


def test_a2_8_a_learned_metric_is_a_candidate_and_can_be_written(tmp_path: Path) -> None:
    """Of a model of the zoo and of own data, in few rounds and in all; not where it has too many weights."""
    path = write_valves(tmp_path)
    found = {name: [one for one in trained(model_named(name)) if one.variant] for name in ("digits", str(path))}
    assert [(one.rounds_of(300), one.queries) for one in found["digits"]] == [(30, 0), (30, 2), (300, 2)]
    assert str(found["digits"][0]).startswith("protoreptile of a learned metric, rate ")
    assert not [one for name in ("omniglot", "sine") for one in trained(model_named(name)) if one.variant]
    best = Trial(found[str(path)][0], 30, Tried(0.97, 0, 0.03), Means(0.97, 0.01), (1.0, 0.9), 1.0)
    told = Found("accuracy", "tinyreptile", ("", ""), (best,), (), False, *[(5, 5)] * 3, 5, True, 100)
    assert run_settings("digits", told)["model"] == {"name": "metric:digits"}
    path.write_text(with_values(path.read_text(), task_settings(told)))
    model_named.cache_clear()
    inputs = model_named(str(path)).network.inputs
    assert model_named(str(path)).network.layers[:-1] == (Dense(inputs),)


def test_a2_8_a_metric_is_tried_by_enrolment_and_by_steps_from_one_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is written makes the same start, and new devices adapt as they did."""
    metric = Candidate("protoreptile", 0.03, 1, METRIC, temperature=0.3, queries=1)
    trainings: list[str] = []
    learned = search.Tuner._learned
    monkeypatch.setattr(
        search.Tuner, "_learned", lambda self, wanted: trainings.append(wanted.task) or learned(self, wanted)
    )
    monkeypatch.setattr(search, "trained", lambda model: [metric])
    monkeypatch.setattr(search, "_MORE_ROUNDS", ())
    path = write_valves(tmp_path)
    found = found_for(path)
    enrolled, steps = (one for one in found.trials if one.candidate.variant == METRIC)
    assert [one.candidate for one in (enrolled, steps)] == list(metric.adaptations)
    assert len([name for name in trainings if METRIC in name]) == 1
    assert str(steps.candidate).endswith("episodes, then plain steps")
    assert steps.adaptation.passes == 16
    for trial in (enrolled, steps):
        told = replace(found, trials=(trial,))
        by_steps = trial is steps
        assert run_settings("digits", told)["strategy"]["options"]["adapt_by_steps"] == by_steps
        assert ("passes" in run_settings("digits", told)["evaluation"]) is by_steps
        path.write_text(with_values(path.read_text(), task_settings(told, shots=3)))
        model_named.cache_clear()
        own = simulation_of(for_simulation(None, {"model.name": VALIDATION + str(path)}, ""))
        own = own.changed({"tasks": len(found.devices)}, clients=3, devices=device_names(3))
        assert simulate(own, workers=1).after.mean == pytest.approx(trial.score.mean, abs=1e-9)


def test_a2_8_before_training_a_metric_is_prototypes_on_the_features() -> None:
    """The identity has exact weights, and the layer's outputs have the format of its inputs here."""
    told = {"strategy.name": "protoreptile", "run.rounds": 0, "evaluation.tasks": 12}
    found = [
        simulate(simulation_of(for_simulation(None, {"model.name": f"{variant}:digits", **told}, "")))
        for variant in ("linear", "metric")
    ]
    assert found[0].after == found[1].after
