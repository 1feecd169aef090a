"""Strategies by name: known, unknown, a user's own, and which of them a fleet can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua import strategies
from jaragua.errors import ConfigurationError
from jaragua.settings import TrainingSettings
from jaragua.strategies import ClientWork, Settings, Strategy, TinyReptile
from jaragua.strategies.base import ModelProperties, image_needed

OWN = '''
from jaragua.strategies import Strategy

class Halfway(Strategy):
    """φ ← φ + (mean - φ) / 2."""

    def step_size(self, round_number):
        return 0.5

class NoStrategy:
    pass
'''


#: How a new device of `protoreptile` adapts.
STEPS = {"enrolment": {}, "steps": {"adapt_by_steps": 1.0}}


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_strategies.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_strategies"


def test_a_strategy_is_made_by_its_name() -> None:
    settings = Settings(5, 1.0, 0.0)
    assert strategies.create("tinyreptile", settings) == TinyReptile(settings)


@pytest.mark.parametrize("name", ["tiny-reptile", "TinyReptile", "tiny_reptile"])
def test_a_name_may_be_written_in_other_ways(name: str) -> None:
    settings = Settings(5, 1.0, 0.0)
    assert strategies.create(name, settings) == TinyReptile(settings)


def test_an_unknown_strategy_has_a_nearest_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        strategies.create("TinyReptil", Settings(5))
    assert "did you mean 'tinyreptile'?" in caught.value.hint


def test_one_class_is_a_strategy(own_module: str) -> None:
    strategy = strategies.create(f"{own_module}:Halfway", Settings(5))
    assert isinstance(strategy, Strategy)
    assert strategy.step_size(3) == 0.5
    assert strategies.fleet_obstacle(strategy) == ""


@pytest.mark.parametrize("name", ["no_such_module:Halfway", "own_strategies:Quarter", ":x", "own_strategies:"])
def test_a_strategy_that_cannot_be_loaded_is_named(own_module: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        strategies.create(name, Settings(5))


def test_a_class_that_is_no_strategy_is_refused(own_module: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a strategy"):
        strategies.create(f"{own_module}:NoStrategy", Settings(5))


def test_an_option_that_the_strategy_has_not_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        strategies.create("fedprox", Settings(5, options={"proximal": 1.0, "mu": 1.0}))
    assert (caught.value.message, caught.value.hint) == (
        "this strategy has no option 'mu'",
        "its options: delta_bits, download_fraction, proximal, upload_fraction",
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tinyreptile", Settings(5, training=TrainingSettings(0.1, passes=0))),
        ("reptile", Settings(5, training=TrainingSettings(0.1, batch=-1))),
        ("fedprox", Settings(5, options={"proximal": -1.0})),
        ("tinymetafed", Settings(5, options={"upload_fraction": 0.0})),
        ("tinymetafed", Settings(5, options={"delta_bits": 4})),
        ("protoreptile", Settings(5, options={"episode_queries": -1})),
        ("protoreptile", Settings(5, options={"adapt_by_steps": 2})),
        ("protoreptile", Settings(5, options={"episode_queries": 1, "enrolled_shots": 0})),
        ("protoreptile", Settings(5, options={"episode_queries": 1}, training=TrainingSettings(0.1, batch=2))),
    ],
)
def test_numbers_that_make_no_sense_are_refused(name: str, settings: Settings) -> None:
    with pytest.raises(ConfigurationError):
        strategies.create(name, settings).adaptation(ClientWork(0.1))


def test_a_new_device_enrols_or_takes_the_steps_that_are_asked_for() -> None:
    asked = ClientWork(0.1, passes=16)
    own = {name: strategies.create("protoreptile", Settings(5, options=options)) for name, options in STEPS.items()}
    enrolled, steps = (own[name].adaptation(asked) for name in STEPS)
    assert (enrolled.prototypes, enrolled.passes, enrolled.enrolled_shots) == (True, 0, 0)
    assert steps == asked
    assert [one.client_work(1).prototypes for one in own.values()] == [True, True]
    enrols = {name: strategies.REGISTRY[name].enrols({}) for name in strategies.names()}
    assert [name for name, does in enrols.items() if does] == ["protoreptile"]
    assert not strategies.REGISTRY["protoreptile"].enrols(STEPS["steps"])


def test_what_a_fleet_can_run_and_why_not_the_others() -> None:
    reasons = {name: strategies.fleet_obstacle(strategies.create(name, Settings(5))) for name in strategies.names()}
    able = {name for name, reason in reasons.items() if not reason}
    assert able == {"fedavg", "fedprox", "fedsgd", "protoreptile", "reptile", "tinymetafed", "tinyreptile"}
    assert "raw samples never cross the broker" in reasons["transfer"]
    assert reasons["pretrained"] == reasons["transfer"]
    assert reasons["scratch"] == "it trains nothing"


def test_mini_batches_take_an_image_with_sums_and_prototypes_one_with_room_for_them() -> None:
    works = {name: strategies.create(name, Settings(5)).client_work(1) for name in strategies.names()}
    needed = {name: image_needed(work, 7) for name, work in works.items()}
    assert "steps of 5 samples" in needed["reptile"]
    assert "steps of the whole set" in needed["fedsgd"]
    assert "JARAGUA_ACCUMULATE=1" in needed["fedsgd"]
    assert needed["tinyreptile"] == ""
    assert "prototypes of 7 classes" in needed["protoreptile"]
    assert "JARAGUA_PROTOTYPES=7" in needed["protoreptile"]
    assert "no sums" not in needed["protoreptile"]
    episodes = strategies.create("protoreptile", Settings(5, options={"episode_queries": 1})).client_work(1)
    assert image_needed(episodes, 7).endswith("whose image has no sums (A12.10): build it with JARAGUA_PROTOTYPES=7")


def test_a_step_has_no_more_samples_than_a_board_counts() -> None:
    too_many = strategies.create("reptile", Settings(5, training=TrainingSettings(0.1, batch=65536)))
    assert "65535" in strategies.fleet_obstacle(too_many)


def test_any_strategy_may_send_differences() -> None:
    work = strategies.create("tinyreptile", Settings(5, options={"delta_bits": 8})).client_work(1)
    assert (work.compressed, work.delta_bits, work.upload_fraction) == (True, 8, 1.0)
    assert not strategies.create("tinyreptile", Settings(5)).client_work(1).compressed


def test_prototypes_are_of_classes() -> None:
    with pytest.raises(ConfigurationError, match="the model has none"):
        strategies.create("protoreptile", Settings(5, properties=ModelProperties(classifier=False)))
