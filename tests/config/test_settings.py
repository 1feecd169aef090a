"""One definition of each setting: the run file, the reference page and the command line follow `jaragua.settings`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jaragua.cli.verbs.simulate import SETTINGS
from jaragua.config import load, parse
from jaragua.config.schema import as_json
from jaragua.errors import ConfigurationError
from jaragua.settings import Key, all_keys, key
from jaragua.simulation.settings import simulation_of
from jaragua.store.files import to_toml

WHERE = Path("/somewhere/run.toml")
NUMBERS = [one for one in all_keys() if one.type in (int, float)]


def with_value(one: Key, value: float) -> str:
    """A file that gives one key that value."""
    text = repr(value) if one.type is float else str(value)
    return f'[model]\nname = "digits"\n[{one.section}]\n{one.name} = {text}\n'


def problems(text: str) -> str:
    """What is wrong with a file, "" if nothing is."""
    try:
        parse(text, WHERE, fleet=False)
    except ConfigurationError as error:
        return error.message
    return ""


@pytest.mark.parametrize("one", [one for one in NUMBERS if one.setting.least is not None], ids=lambda one: one.path)
def test_the_file_takes_the_least_value_of_a_setting_and_nothing_below(one: Key) -> None:
    least = one.setting.least
    assert least is not None
    below = least - 1 if one.type is int else least - max(abs(least), 1.0) / 2
    assert one.path in problems(with_value(one, below))
    assert "must be" not in problems(with_value(one, one.type(least)))  # what does not go with another key is said so


@pytest.mark.parametrize("one", [one for one in NUMBERS if one.setting.most is not None], ids=lambda one: one.path)
def test_the_file_takes_nothing_above_the_greatest_value_of_a_setting(one: Key) -> None:
    assert one.setting.most is not None
    above = one.setting.most + 1 if one.type is int else one.setting.most * 2
    assert one.path in problems(with_value(one, above))


def test_every_setting_is_explained_in_a_sentence() -> None:
    for one in all_keys():
        assert re.fullmatch(r"[A-Z`].*[.`]", one.setting.help), one.path


def test_the_options_of_simulate_are_settings_with_their_ranges() -> None:
    for option in SETTINGS:
        setting = key(option.key).setting
        assert (option.least, option.most) == (setting.least, setting.most)
        assert option.help.startswith(setting.help.rstrip(".")) or option.name == "task"


def test_a_configuration_that_is_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    config = parse('[model]\nname = "digits"\n[strategy]\nname = "tinymetafed"\n', tmp_path / "run.toml")
    (tmp_path / "again.toml").write_text(to_toml(as_json(config)), encoding="utf-8")
    assert load(tmp_path / "again.toml") == config


def test_a_simulation_has_the_values_of_the_file() -> None:
    text = (
        '[model]\nname = "digits"\n[run]\nseed = 7\n[client]\nloss_threshold = 0.2\n[strategy]\ntrim = 0.1\n'
        "[round]\nbuffer = 2\nmax_staleness = 3\n[simulation]\nslow_fraction = 0.5\ndevices = 8\n"
        "[evaluation]\ntasks = 9\n"
    )
    found = simulation_of(parse(text, WHERE, {"client.passes": 3}, fleet=False))
    assert (found.seed, found.loss_threshold, found.trim, found.passes, len(found.devices)) == (7, 0.2, 0.1, 3, 8)
    assert found.buffered is not None
    assert (found.buffered.buffer, found.buffered.max_staleness, found.buffered.slow_fraction) == (2, 3, 0.5)
    assert found.evaluation.tasks == 9


def test_changes_take_the_place_of_the_files_values_and_reach_into_options() -> None:
    text = '[model]\nname = "digits"\n[client]\nways = 3\n[strategy]\nname = "fedprox"\noptions = { proximal = 0.5 }\n'
    changed = {"client.ways": 4, "strategy.options.proximal": 0.25}
    config = parse(text, WHERE, changed)
    assert (config.client.ways, config.strategy.options["proximal"]) == (4, 0.25)
