"""A simulation repeats, whatever the number of workers; it can be stopped and gone on with; it learns."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ConfigurationError, DataError, RunError, StoreError
from jaragua.simulation import Buffered, SimulationProgress, device_names, simulate
from jaragua.simulation.clients.samples import joined
from jaragua.simulation.models import model_for, model_named
from jaragua.simulation.rounds.simulation import fleet_of_one_thread
from jaragua.simulation.rounds.state import StateFolder
from jaragua.simulation.scheduling import draws as drawing
from jaragua.simulation.scheduling.draws import draw_round, draws
from jaragua.strategies import ClientWork


class Stop(Exception):
    """What ends a simulation early in these tests."""


def stopping_after(rounds: int) -> Any:
    def look(now: SimulationProgress) -> None:
        if now.rounds_done == rounds:
            raise Stop

    return look


def test_it_repeats(make: Any) -> None:
    assert simulate(make()).final_hash == simulate(make()).final_hash
    assert simulate(make()).final_hash != simulate(make(seed=4)).final_hash


@pytest.mark.parametrize("strategy", ["tinyreptile", "reptile", "transfer"])
def test_the_number_of_workers_changes_nothing(make: Any, strategy: str) -> None:
    wanted = make(strategy=strategy, shots=64, clients=5)
    results = [simulate(wanted, workers=workers) for workers in (1, 2, 3)]
    assert len({result.final_hash for result in results}) == 1
    assert len({result.scores for result in results}) == 1


@pytest.mark.parametrize("own", [{"task": "sine"}, {"task": "digits", "ways": 2}])
def test_what_is_drawn_ahead_is_what_would_be_drawn_now(make: Any, own: dict[str, Any]) -> None:
    """Sines by a thread, digits by worker processes."""
    wanted = make(rounds=900, clients=5, shots=2, **own)
    here = (draw_round(wanted, number) for number in range(1, 901))
    for one, other in zip(here, draws(wanted, 1, 2), strict=True):
        assert (one.round_number, one.devices) == (other.round_number, other.devices)
        assert one.batch.x.tobytes() + one.batch.y.tobytes() == other.batch.x.tobytes() + other.batch.y.tobytes()


@pytest.mark.parametrize(("task", "ways", "shots"), [("sine", 1, 10), ("omniglot", 5, 1), ("omniglot", 20, 20)])
def test_what_is_drawn_ahead_fits_a_small_machine(make: Any, task: str, ways: int, shots: int) -> None:
    """Seven pieces of 500 MB waited once, of tasks of Omniglot with 400 drawings each."""
    wanted = make(task=task, ways=ways, shots=shots)
    inputs = {"sine": 1, "omniglot": 28 * 28}[task]
    tasks = drawing._tasks_at_once(wanted)
    assert 1 <= tasks <= 400
    assert tasks * ways * shots * inputs * 4 <= 16 << 20
    assert (tasks + 1) * ways * shots * inputs * 4 > 16 << 20 or tasks == 400


@pytest.mark.parametrize("changes", [{}, {"server_optimiser": "adam", "alpha": 0.01}])
def test_what_was_stopped_goes_on_to_the_same_end(make: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    """R18.5: with the moments of the server's optimiser, too."""
    wanted = make(**changes)
    with pytest.raises(Stop):
        simulate(wanted, state_folder=tmp_path, on_progress=stopping_after(4))
    rounds: list[int] = []
    result = simulate(wanted, state_folder=tmp_path, on_progress=lambda now: rounds.append(now.rounds_done))
    undisturbed = simulate(wanted)
    assert rounds in ([4, 5, 6], [5, 6])
    assert result.final_hash == undisturbed.final_hash
    assert (result.bytes_up, result.client_tasks) == (undisturbed.bytes_up, undisturbed.client_tasks)


def test_a_finished_one_is_only_evaluated_again(make: Any, tmp_path: Path) -> None:
    first = simulate(make(), state_folder=tmp_path)
    again = simulate(make(eval_tasks=9), state_folder=tmp_path)
    assert again.final_hash == first.final_hash
    assert (again.tasks, again.client_tasks_per_second) == (9, 0.0)


def test_the_shots_of_evaluation_do_not_change_what_is_learned(make: Any, tmp_path: Path) -> None:
    first = simulate(make(), state_folder=tmp_path)
    fewer = simulate(make(eval_shots=1), state_folder=tmp_path)
    assert fewer.final_hash == first.final_hash
    assert fewer.client_tasks_per_second == 0.0
    assert fewer.scores != first.scores


@pytest.mark.parametrize("engine", ["w16", "w8", "float32"])
def test_loss_threshold_and_replay_buffer_hold_in_rounds_and_in_adapting(
    make: Any, tmp_path: Path, engine: str
) -> None:
    plain, numbers = make(engine=engine, passes=2, eval_passes=3), {"loss_threshold": 0.02, "replay_buffer_size": 4}
    wanted = replace(plain, **numbers)
    with pytest.raises(Stop):
        simulate(wanted, state_folder=tmp_path, on_progress=stopping_after(4))
    with pytest.raises(StoreError, match="other values of loss_threshold, replay_buffer_size"):
        simulate(plain, state_folder=tmp_path)
    gone_on, whole = simulate(wanted, state_folder=tmp_path), simulate(wanted, workers=1)
    assert (gone_on.final_hash, gone_on.scores) == (whole.final_hash, whole.scores)
    found = {simulate(plain).final_hash} | {
        simulate(replace(plain, **{name: numbers[name]})).final_hash for name in numbers
    }
    assert len(found | {whole.final_hash}) == 4
    evaluated = [
        simulate(replace(plain, rounds=0, **changed)).scores
        for changed in ({}, {"replay_buffer_size": 4}, {"loss_threshold": 0.02})
    ]
    assert len(set(evaluated)) == 3


@pytest.mark.parametrize("changes", [{"engine": "float32"}, {"float_fraction": 0.5}])
def test_a_setting_that_float32_has_not_is_refused(make: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="devices in float32 have no error_clip"):
        simulate(make(error_clip=0.1, **changes))


def test_who_trains_elsewhere_keeps_to_them_too(make: Any) -> None:
    """In one place, as Pis among boards, as a classifier of true classes, and on a clock."""
    digits = {"task": "digits", "ways": 5, "shots": 5, "learning_rate": 0.1}
    ways = (
        {"strategy": "transfer"},
        {"float_fraction": 0.5},
        {"strategy": "pretrained"} | digits,
        {"buffered": Buffered(2)},
    )
    for changes in ways:
        plain = make(passes=2, **changes)
        found = [simulate(replace(plain, **more)) for more in ({}, {"loss_threshold": 0.1}, {"replay_buffer_size": 3})]
        assert len({one.final_hash for one in found}) == 3, changes
        assert len({one.client_tasks for one in found}) == 1


def test_a_folder_of_another_simulation_is_refused(make: Any, tmp_path: Path) -> None:
    simulate(make(), state_folder=tmp_path)
    with pytest.raises(StoreError, match="other values of learning_rate, seed"):
        simulate(make(seed=4, learning_rate=0.02), state_folder=tmp_path)


def test_a_damaged_state_is_refused(make: Any, tmp_path: Path) -> None:
    simulate(make(), state_folder=tmp_path)
    saved = tmp_path / "simulation.npz"
    saved.write_bytes(saved.read_bytes()[: os.path.getsize(saved) // 2])
    with pytest.raises(StoreError, match="cannot be read"):
        simulate(make(), state_folder=tmp_path)


def test_a_file_that_is_no_state_is_refused(make: Any, tmp_path: Path) -> None:
    saved = tmp_path / "simulation.npz"
    for content in (b"", b"hello", b"PK\x03\x04"):
        saved.write_bytes(content)
        with pytest.raises(StoreError, match=r"cannot be read: it is damaged, or no saved simulation"):
            simulate(make(), state_folder=tmp_path)
    for identity, numbers in (("not JSON", np.zeros(4, int)), ("[1]", np.zeros(4, int)), ("{}", np.array(1))):
        np.savez(saved, identity=identity, numbers=numbers, vector=np.zeros(3))
        with pytest.raises(StoreError, match=r"cannot be read: it is damaged, or no saved simulation"):
            simulate(make(), state_folder=tmp_path)


def test_two_simulations_do_not_share_a_folder(make: Any, tmp_path: Path) -> None:
    with StateFolder(tmp_path, make()), pytest.raises(StoreError, match="another process works in the state folder"):
        simulate(make(), state_folder=tmp_path)
    assert simulate(make(), state_folder=tmp_path).rounds == 6


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_learned(make: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    events: list[Any] = []
    with pytest.raises(StoreError, match=r"the state folder .*file cannot be used: a file is in its place"):
        simulate(make(), state_folder=tmp_path / "file", on_progress=events.append)
    assert not events


def test_a_full_disk_leaves_what_was_saved_before(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    wanted = make()
    whole = simulate(wanted, state_folder=tmp_path)
    saved = (tmp_path / "simulation.npz").read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="cannot be written: No space left on device"):
        simulate(wanted, state_folder=tmp_path)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["simulation.lock", "simulation.npz"]
    assert (tmp_path / "simulation.npz").read_bytes() == saved
    assert simulate(wanted, state_folder=tmp_path).final_hash == whole.final_hash


def test_a_task_that_cannot_be_drawn_is_named(make: Any) -> None:
    with pytest.raises(DataError, match="one way"):
        simulate(make(ways=3))


def test_two_seeds_share_no_random_start(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the seeds of "from scratch" would be nearly one seed, and its interval over them too narrow."""
    drawn: list[set[int]] = []
    random_start = ModelCodec.initial
    monkeypatch.setattr(ModelCodec, "initial", lambda self, seed: drawn[-1].add(seed) or random_start(self, seed))
    for seed in (1, 2):
        drawn.append(set())
        simulate(make(strategy="scratch", seed=seed, eval_tasks=20))
    assert all(len(seeds) >= 20 for seeds in drawn)
    assert drawn[0] & drawn[1] <= {0}  # of which weights are only counted


def test_meta_learning_beats_from_scratch(make: Any) -> None:
    numbers = {"shots": 32, "rounds": 150, "clients": 5, "eval_tasks": 50}
    learned, scratch = (simulate(make(strategy=name, **numbers)) for name in ("tinyreptile", "scratch"))
    print(f"after: learned {learned.after}, from scratch {scratch.after}")
    assert learned.after.mean + learned.after.ci95 < scratch.after.mean - scratch.after.ci95


def test_tasks_are_the_same_for_every_seed_and_strategy(make: Any) -> None:
    """From the same start, the same scores: only what was learned makes a difference."""
    results = [simulate(make(strategy="scratch", rounds=rounds)) for rounds in (1, 5)]
    assert results[0].scores == results[1].scores


def test_checkpoints_are_evaluated_as_a_simulation_that_ended_there_would_be(make: Any, tmp_path: Path) -> None:
    """With a constant alpha the rounds do not depend on how many are to come."""
    whole = make(alpha_final=1.0, checkpoints=(2, 4), curve_tasks=5)
    result = simulate(whole, state_folder=tmp_path)
    assert [point.rounds for point in result.curve] == [0, 2, 4, 6]
    for point in result.curve[1:]:
        assert point.after == simulate(make(alpha_final=1.0, rounds=point.rounds)).after
    assert simulate(whole, state_folder=tmp_path).curve == result.curve


def test_more_ways_than_the_model_has_outputs_get_a_network_with_more(make: Any) -> None:
    assert model_for(make(task="omniglot-cnn", ways=20)).network.outputs == 20
    assert model_for(make(task="omniglot-cnn", ways=5)).network.outputs == 5


def test_a_network_has_no_outputs_for_classes_that_prototypes_stand_for(make: Any) -> None:
    """Of rounds with prototypes none, of new devices those that take steps."""
    own = {"task": "omniglot-cnn", "strategy": "protoreptile", "shots": 2, "options": {"adapt_by_steps": 1}}
    wide = make(**own, ways=20, eval_ways=5)
    assert model_for(wide).network.outputs == 5
    assert model_for(make(**own, ways=5, eval_ways=7)).network.outputs == 7
    assert model_for(make(**own | {"options": {}}, ways=20, eval_ways=7)).network.outputs == 5


def test_adaptation_by_steps_is_that_of_tinyreptile_from_the_same_start(make: Any) -> None:
    own = {"task": "metric:digits", "ways": 5, "shots": 2, "learning_rate": 0.03, "rounds": 0, "eval_passes": 3}
    steps = simulate(make(**own, strategy="protoreptile", options={"adapt_by_steps": 1}))
    enrolled = simulate(make(**own, strategy="protoreptile"))
    assert steps.scores == simulate(make(**own, strategy="tinyreptile")).scores
    assert steps.scores != enrolled.scores


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"clients": 6}, "clients = 6 is more than the 5 devices there are"),
        ({"float_fraction": 0.5, "engine": "float32"}, "they all compute in float32"),
        ({"float_fraction": 0.5, "strategy": "tinymetafed"}, "takes its model's format only"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"learning_rate": -0.1, "engine": "float32"}, r"learning_rate is -0\.1"),
        ({"eval_learning_rate": 0.0}, "learning_rate is 0"),
        ({"eval_learning_rate": float("nan"), "engine": "float32"}, "learning_rate is nan"),
        ({"strategy": "tinymetafed", "options": {"local_layers": 9.0}}, "local_layers is 9, but the network has 3"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_learned(
    make: Any, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        simulate(make(**changes), state_folder=tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_a_held_out_device_with_too_few_samples_is_said_before_the_training(make: Any, tmp_path: Path) -> None:
    rows = [f"{number},{'ab'[number % 2]},m{device}" for device in range(4) for number in range(6 if device else 40)]
    rows += [f"{number},{'ab'[number % 2]},full" for number in range(40)]
    (tmp_path / "own.csv").write_text("\n".join(["x,label,device", *rows]))
    text = '[task]\nkind = "table"\npath = "own.csv"\nlabel = "label"\ndevice = "device"\nheld_out = ["full", "m3"]\n'
    (tmp_path / "own.toml").write_text(text)
    events: list[Any] = []
    own = {"task": str(tmp_path / "own.toml"), "ways": 2, "shots": 2, "eval_queries": 10, "eval_tasks": 30}
    with pytest.raises(DataError, match="device 'm3' has 0 classes with 7 samples"):
        simulate(make(**own), on_progress=events.append)
    assert not events


@pytest.mark.parametrize("engine", ["w16", "float32"])
def test_fedprox_decays_all_devices_alike(make: Any, tmp_path: Path, engine: str) -> None:
    """As a coordinator commands it: by the samples that are asked for, though `few` has none of class c."""
    rows = [f"{n},{'abc'[n % 3]},m{device}" for device in range(3) for n in range(30)]
    rows += [f"{n},{'ab'[n % 2]},few" for n in range(30)]
    (tmp_path / "own.csv").write_text("\n".join(["x,label,device", *rows]))
    text = '[task]\nkind = "table"\npath = "own.csv"\nlabel = "label"\ndevice = "device"\nheld_out = ["m1", "m2"]\n'
    (tmp_path / "own.toml").write_text(text)
    model_named.cache_clear()
    wanted = make(task=str(tmp_path / "own.toml"), engine=engine, ways=3, shots=3)
    model = model_named(wanted.task)
    tasks = [model.tasks.train_task(device, 1, 3, 3).support for device in ("few", "m0")]
    assert [len(task) for task in tasks] == [6, 9]
    work = ClientWork(0.1, proximal=2.0)
    assert work.proximal_decay(6) != work.proximal_decay(9)
    with fleet_of_one_thread(wanted) as fleet:
        start = fleet.start(ModelCodec(model_for(wanted)).initial(1))
        free = fleet.train(start, replace(work, proximal=0.0), joined(tasks, [1, 1])).learned
        for order in ([0, 1], [1, 0], [0], [1]):
            learned = fleet.train(start, work, joined([tasks[one] for one in order], [1] * len(order))).learned
            np.testing.assert_allclose(learned, free[order] * 0.8**9, rtol=1e-3, atol=1e-3)


def test_a_training_device_with_too_few_samples_is_said_before_the_training(make: Any, tmp_path: Path) -> None:
    """However late its turn would come."""
    rows = [f"{number},{'ab'[number % 2]},m{device}" for device in range(4) for number in range(40 if device else 3)]
    (tmp_path / "own.csv").write_text("\n".join(["x,label,device", *rows]))
    text = '[task]\nkind = "table"\npath = "own.csv"\nlabel = "label"\ndevice = "device"\nheld_out = ["m3"]\n'
    (tmp_path / "own.toml").write_text(text)
    events: list[Any] = []
    own = {"task": str(tmp_path / "own.toml"), "ways": 2, "shots": 2, "eval_queries": 10, "clients": 1, "rounds": 40}
    with pytest.raises(DataError, match="device 'm0' has 1 class with 2 samples"):
        simulate(make(**own, devices=device_names(1000)), on_progress=events.append)
    assert not events
    assert simulate(make(**own | {"rounds": 0})).rounds == 0  # who only evaluates needs none of them


def test_a_training_that_diverges_is_said(make: Any) -> None:
    with pytest.raises(RunError, match="of 5 held-out tasks the error is not a number after adapting"):
        simulate(make(strategy="scratch", engine="float32", eval_learning_rate=0.99, eval_shots=200))


def test_a_folder_of_other_data_is_refused(make: Any, tmp_path: Path) -> None:
    """The file of one's own data is the same, what it describes is not."""
    own = {"task": str(tmp_path / "own.toml"), "ways": 2, "shots": 2, "eval_queries": 10, "eval_tasks": 2}
    text = '[task]\nkind = "table"\npath = "own.csv"\nlabel = "label"\ndevice = "device"\n'
    (tmp_path / "own.toml").write_text(text)
    for place, factor in enumerate((1, 1, 3)):
        rows = [f"{n ** (factor + 1)},{'ab'[n % 2]},m{device}" for device in range(5) for n in range(20 + device)]
        rows[0] = "7,a,m0" if factor > 1 else rows[0]
        (tmp_path / "own.csv").write_text("\n".join(["x,label,device", *rows]))
        model_named.cache_clear()
        if place < 2:
            simulate(make(**own), state_folder=tmp_path / "state")
            continue
        with pytest.raises(StoreError, match="other values of data"):
            simulate(make(**own), state_folder=tmp_path / "state")
