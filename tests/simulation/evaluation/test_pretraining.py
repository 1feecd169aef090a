"""`pretrained`: a classifier of all classes from one place; devices start from its hidden layers, to the bit."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaragua.cli.main import run
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ConfigurationError, RunError
from jaragua.simulation import Buffered, SimulationProgress, simulate
from jaragua.simulation.clients.engine import VirtualFleet
from jaragua.simulation.clients.float_clients import FloatFleet
from jaragua.simulation.clients.integer_clients import IntegerFleet
from jaragua.simulation.evaluation import pretraining
from jaragua.simulation.evaluation.pretraining import Server, require_held
from jaragua.simulation.models import model_for
from jaragua.simulation.scheduling.draws import draw_round, draws
from jaragua.simulation.settings import default_cache
from jaragua.strategies.vectors import flat, layers_of
from jaragua_compiler import initial_weights
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_models import get
from jaragua_models.digits.tasks import DigitTasks

DIGITS = {"task": "digits", "strategy": "pretrained", "ways": 5, "shots": 5, "learning_rate": 0.1, "clients": 5}
OWN_TOML = 'kind = "table"\npath = "own.csv"\nlabel = "label"\ndevice = "device"\nnaming = "shuffled"\n'


@pytest.fixture
def digits(make: Any) -> Callable[..., Any]:
    """A short simulation of digits with some of its values changed."""
    return lambda **changes: make(**(DIGITS | changes))


def fleet_of(simulation: Any) -> tuple[VirtualFleet, ModelCodec]:
    codec = ModelCodec(model_for(simulation))
    if simulation.engine == "float32":
        return FloatFleet(codec.model, 1, default_cache()), codec
    return IntegerFleet(codec.model, codec, 1, default_cache()), codec


def saved_vector(folder: Path) -> Any:
    with np.load(folder / "simulation.npz") as saved:
        return saved["vector"]


@pytest.mark.parametrize(
    ("task", "folder", "ways", "classes"),
    [
        ("digits", "", 5, 10),
        ("keywords", "speech_commands", 5, 10),
        ("omniglot-cnn", "omniglot", 5, 4800),
        ("omniglot-cnn", "omniglot", 20, 4800),
    ],
)
def test_hidden_layers_are_the_classifiers_and_the_last_one_is_as_first_drawn(
    make: Any, use_data: Callable[[str], Path], task: str, folder: str, ways: int, classes: int
) -> None:
    if folder:
        use_data(folder)
    wanted = make(task=task, strategy="pretrained", ways=ways)
    codec = ModelCodec(model_for(wanted))
    server = Server(wanted, codec, default_cache())
    network = pretraining.classifier_for(wanted).network
    assert network.outputs == classes
    np.testing.assert_array_equal(server.start_of(server.first), codec.initial(wanted.seed))
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    trained = np.random.default_rng(seed).normal(size=len(server.first))
    shapes = [network.weight_shapes(index) for index in network.weighted]
    *hidden, head = layers_of(server.start_of(trained), codec.plan.shapes)
    for mine, others in zip(hidden, layers_of(trained, shapes), strict=False):
        np.testing.assert_array_equal(mine[0], others[0])
        np.testing.assert_array_equal(mine[1], others[1])
    np.testing.assert_array_equal(head[0], layers_of(codec.initial(wanted.seed), codec.plan.shapes)[-1][0])
    assert not head[1].any()


def test_samples_are_those_of_transfer_under_their_classes(digits: Any) -> None:
    for number in (1, 2, 6):
        mine, others = (draw_round(digits(strategy=name), number) for name in ("pretrained", "transfer"))
        assert mine.devices == others.devices
        assert mine.batch.x.tobytes() == others.batch.x.tobytes()
        assert mine.batch.seeds.tolist() == others.batch.seeds.tolist()
        by_class = [
            DigitTasks().train_support_by_class(device, seed, 5, 5).y
            for device, seed in zip(mine.devices, mine.batch.seeds.tolist(), strict=True)
        ]
        assert mine.batch.y.tolist() == np.concatenate(by_class).tolist()


def test_what_is_drawn_ahead_is_what_would_be_drawn_now(digits: Any) -> None:
    wanted = digits(rounds=900, ways=2, shots=2)
    for one, other in zip((draw_round(wanted, number) for number in range(1, 901)), draws(wanted, 1, 2), strict=True):
        assert one.batch.x.tobytes() + one.batch.y.tobytes() == other.batch.x.tobytes() + other.batch.y.tobytes()


def test_a_round_is_a_step_on_each_sample_in_turn(digits: Any, tmp_path: Path) -> None:
    """As the NumPy engine does it, from the seed's first weights."""
    wanted = digits(rounds=3)
    simulate(wanted, state_folder=tmp_path)
    network = pretraining.classifier_for(wanted).network
    engine = FloatEngine(network, initial_weights(network, wanted.seed), np.float64)
    for number in range(1, 4):
        batch = draw_round(wanted, number).batch.interleaved()
        for x, y in zip(batch.x, batch.y, strict=True):
            engine.train_step(x, y, wanted.learning_rate)
    np.testing.assert_allclose(saved_vector(tmp_path), flat(engine.weights), atol=2e-4)


@pytest.mark.parametrize("engine", ["w16", "w8", "float32"])
def test_devices_hold_what_was_learned_in_float32(digits: Any, tmp_path: Path, engine: str) -> None:
    """Rounded and nothing more: an int16 to 12 bits beside its head-room, an int8 to 5. What is cut off is said."""
    wanted = digits(engine=engine, rounds=100)
    result = simulate(wanted, state_folder=tmp_path)
    fleet, codec = fleet_of(wanted)
    with fleet:
        start = Server(wanted, codec, default_cache()).start_of(saved_vector(tmp_path))
        require_held(fleet, codec, start)
        assert result.parameters == len(start)
        off, largest = np.abs(fleet.numbers(fleet.start(start)) - start).max(), np.abs(start).max()
        print(f"largest weight {largest:.3f}, off by {off:.5f}")
        assert off <= largest * {"w16": 2**-11, "w8": 2**-5, "float32": 2**-23}[engine]
        if engine == "w16":
            with pytest.raises(RunError, match=r"layer 0 was trained to weights of .*more than the devices' format"):
                require_held(fleet, codec, 200 * start)


@pytest.mark.parametrize("engine", ["w16", "w8", "float32"])
def test_it_beats_from_scratch_after_adapting(digits: Any, engine: str) -> None:
    numbers = {"engine": engine, "rounds": 60, "eval_tasks": 50, "eval_queries": 50}
    learned, scratch = (simulate(digits(strategy=name, **numbers)) for name in ("pretrained", "scratch"))
    print(f"after: pretrained {learned.after}, from scratch {scratch.after}")
    assert learned.after.mean - learned.after.ci95 > scratch.after.mean + scratch.after.ci95 + 0.1
    assert learned.before.mean < 0.3  # names are the tasks' own: nobody knows them before


def test_workers_and_stops_change_nothing(digits: Any, tmp_path: Path) -> None:
    def stop(now: SimulationProgress) -> None:
        if now.rounds_done == 4:
            raise InterruptedError

    wanted = digits(checkpoints=(2, 5), curve_tasks=3)
    with pytest.raises(InterruptedError):
        simulate(wanted, state_folder=tmp_path, on_progress=stop)
    results = [simulate(wanted, state_folder=tmp_path), *(simulate(wanted, workers=count) for count in (1, 2))]
    assert len({(result.final_hash, result.scores, result.curve) for result in results}) == 1
    assert simulate(wanted, state_folder=tmp_path).client_tasks_per_second == 0.0


def test_a_checkpoint_is_evaluated_as_a_simulation_that_ended_there(digits: Any) -> None:
    result = simulate(digits(checkpoints=(2, 4), curve_tasks=5))
    assert [point.rounds for point in result.curve] == [0, 2, 4, 6]
    for point in result.curve[1:]:
        assert point.after == simulate(digits(rounds=point.rounds)).after


def test_own_data_with_names_of_the_tasks_own(make: Any, tmp_path: Path) -> None:
    rows = [f"{n % 4},{n},{'abcd'[n % 4]},m{device}" for device in range(6) for n in range(24)]
    (tmp_path / "own.csv").write_text("\n".join(["x,z,label,device", *rows]))
    (tmp_path / "own.toml").write_text(f"[task]\n{OWN_TOML}[defaults]\nways = 3\n")
    wanted = make(task=str(tmp_path / "own.toml"), strategy="pretrained", ways=3, shots=2, eval_queries=6)
    assert pretraining.classifier_for(wanted).network.outputs == 4
    assert simulate(wanted).parameters == 32 * 3 + 3 * 33  # two columns, three ways


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": "sine", "ways": 1}, r"labels of a task's own: those of 'sine' mean the same in every task"),
        ({"task": "presence", "ways": 2}, r"labels of a task's own: those of 'presence' mean the same"),
        ({"buffered": Buffered(2)}, "with a buffer: it trains on the samples of all devices in one place"),
        ({"float_fraction": 0.5}, r"float_fraction.*it trains in one place, and all of it in float32"),
        ({"options": {"upload_fraction": 0.5}}, "sends nothing but raw samples"),
    ],
)
def test_what_makes_no_sense_is_refused(digits: Any, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        simulate(digits(**changes))


def test_a_source_that_does_not_know_its_classes_is_named(digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "task_model", lambda _: replace(get("digits"), tasks=get("sine").tasks))
    with pytest.raises(ConfigurationError, match="The tasks of 'digits' do not tell which class a sample is of"):
        simulate(digits())


def test_the_verb_says_what_to_take_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["simulate", "--task", "sine", "--strategy", "pretrained", "--rounds", "2"]) == ConfigurationError.exit_code
    )
    said = capsys.readouterr().err
    assert "take 'transfer'" in said
    assert "Traceback" not in said
