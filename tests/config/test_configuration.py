"""A run's TOML: defaults of the model, every problem at once, each with its line and a suggestion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jaragua_models
from common.own_task import write_valves
from jaragua.config import RunConfig, for_simulation, load, parse, strategy_of
from jaragua.errors import ConfigurationError
from jaragua.settings import all_keys
from jaragua.store.run_folder import FREE_TO_CHANGE

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
MINIMAL = '[model]\nname = "digits"\n'


def read(text: str) -> RunConfig:
    return parse(text, Path("/somewhere/my run.toml"))


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return [line.strip() for line in caught.value.message.splitlines()[1:]]


def test_the_model_fills_in_what_the_file_leaves_out() -> None:
    config, defaults = read(MINIMAL), jaragua_models.get("digits").defaults_of(None)
    assert (config.client.learning_rate, config.client.ways, config.client.shots) == (
        defaults.learning_rate,
        defaults.ways,
        defaults.shots,
    )
    assert (config.run.rounds, config.strategy.alpha) == (defaults.rounds, defaults.alpha)
    assert config.strategy.clients_per_round == config.round.quorum == config.devices.minimum == defaults.clients


def test_a_strategy_that_is_named_has_the_models_numbers_for_it() -> None:
    text = '[model]\nname = "omniglot"\n'
    own, plain = (read(text + more) for more in ("", '[strategy]\nname = "tinyreptile"'))
    assert (own.strategy.name, own.client.ways, own.evaluation.ways, own.client.shots) == ("protoreptile", 20, 5, 20)
    assert (own.strategy.options["episode_queries"], own.strategy.options["temperature"]) == (1, 0.1)
    assert (own.run.rounds, own.client.learning_rate) == (1000, 0.015)
    assert (plain.client.ways, plain.client.shots, plain.run.rounds) == (5, 10, 5000)
    keywords = read('[model]\nname = "keywords"\n')
    assert (keywords.simulation.devices, keywords.strategy.options["temperature"]) == (29, 0.3)


def test_devices_train_with_the_models_samples_where_a_new_device_has_fewer() -> None:
    """Trained with one sample of each digit, a start is worse than random weights (docs/results/tasks.md)."""
    assert [read(MINIMAL + f"[evaluation]\nshots = {shots}\n").client.shots for shots in (1, 5, 7)] == [5, 5, 7]
    assert read(MINIMAL + "[client]\nshots = 2\n[evaluation]\nshots = 1\n").client.shots == 2


def test_of_ones_own_data_devices_train_with_as_many_samples_as_each_has(tmp_path: Path) -> None:
    """m1 keeps three readings of each state: a new device with two takes of each does without the usual five."""
    path = write_valves(tmp_path)
    table = tmp_path / "valves.csv"
    header, *rows = table.read_text().splitlines()
    own = [row for row in rows if row.startswith("m1,")][:9]
    table.write_text("\n".join([header, *own, *(row for row in rows if not row.startswith("m1,"))]) + "\n")
    asked = {shots: for_simulation(None, {"model.name": str(path), "evaluation.shots": shots}, "") for shots in (2, 4)}
    assert {shots: config.client.shots for shots, config in asked.items()} == {2: 3, 4: 4}


def test_a_round_with_prototypes_needs_samples_that_it_does_not_enrol() -> None:
    wanted = MINIMAL + '[strategy]\nname = "protoreptile"\n[client]\nshots = {}\n'
    assert problems(wanted.format(1)) == [
        "my run.toml:6: client.shots: 1 is too few for 'protoreptile', which enrols 1 and trains on others (at least 2)"
    ]
    assert read(wanted.format(2)).client.shots == 2


def test_the_name_and_the_folder_come_from_the_file() -> None:
    config = read(MINIMAL)
    assert config.run.name == "my-run"
    assert config.run.directory == Path("/somewhere/runs/my-run")


def test_what_the_file_says_is_taken() -> None:
    config = read(MINIMAL + "[strategy]\nclients_per_round = 1\nalpha = 0.5\n[devices]\nminimum = 6\n[run]\nseed = 9")
    assert (config.strategy.clients_per_round, config.round.quorum, config.devices.minimum) == (1, 1, 6)
    assert (config.strategy.alpha, config.run.seed) == (0.5, 9)


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = """[run]
name = "Bad Name"
rouds = 3
[model]
name = "digitz"
[strategi]
x = 1
[round]
quorum = 9
deadline_s = "soon"
[strategy]
name = "tinyreptil"
clients_per_round = 4
[broker]
url = "localhost"
"""
    found = problems(text)
    assert [re.match(r"my run.toml:(\d+): ([a-z._]+):", line).groups() for line in found] == [  # type: ignore[union-attr]
        ("2", "run.name"),
        ("3", "run.rouds"),
        ("5", "model.name"),
        ("6", "strategi"),
        ("9", "round.quorum"),
        ("9", "round.quorum"),
        ("10", "round.deadline_s"),
        ("12", "strategy.name"),
        ("15", "broker.url"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (MINIMAL + "[client]\nlearning_rat = 0.1", "did you mean 'learning_rate'?"),
        ('[model]\nname = "digit"', "Did you mean 'digits'?"),
        (MINIMAL + "[cleint]", "did you mean 'client'?"),
        (MINIMAL + '[strategy]\nname = "tinireptile"', "did you mean 'tinyreptile'?"),
    ],
)
def test_the_nearest_name_is_suggested(text: str, sentence: str) -> None:
    assert sentence in "\n".join(problems(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[model]\n",
        "model = 3",
        MINIMAL + "[run]\nrounds = 0",
        MINIMAL + "[run]\nrounds = true",
        MINIMAL + "[run]\nrounds = 2.5",
        MINIMAL + '[run]\nrounds = "3"',
        MINIMAL + "[run]\nseed = -1",
        MINIMAL + "[run]\nseed = 9223372036854775808",
        MINIMAL + "[run]\nname = 5",
        MINIMAL + "[run]\ndirectory = 5",
        MINIMAL + '[run]\nfleet = "a/b"',
        MINIMAL + "[strategy]\nalpha = 1.5",
        MINIMAL + "[strategy]\nalpha = nan",
        MINIMAL + "[strategy]\nalpha = 0.1\nalpha_final = 0.2",
        MINIMAL + "[client]\nlearning_rate = 1.0",
        MINIMAL + "[client]\nlearning_rate = 0",
        MINIMAL + "[client]\nbatch = -1",
        MINIMAL + '[client]\nloss_threshold = "0.1"',
        MINIMAL + "[client]\nreplay_buffer_size = 1.5",
        MINIMAL + "[strategy]\noptions = 3",
        MINIMAL + '[strategy]\nname = "no_module:Strategy"',
        MINIMAL + "[round]\ndeadline_s = inf",
        MINIMAL + "[round]\nquorum = 100",
        MINIMAL + '[broker]\nurl = "http://example.org"',
        MINIMAL + '[broker]\nurl = "mqtt://host:0"',
        MINIMAL + '[devices]\nexclude = ["No Name"]',
        MINIMAL + "[[client]]\nways = 3",
    ],
)
def test_a_value_that_does_not_fit_is_a_problem(text: str) -> None:
    assert problems(text)


def test_the_strategy_fills_in_how_devices_train() -> None:
    assert (read(MINIMAL).client.passes, read(MINIMAL).client.batch) == (1, 1)
    config = read(MINIMAL + '[strategy]\nname = "reptile"\n[client]\nbatch = 1')
    assert (config.client.passes, config.client.batch) == (5, 1)


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        ("loss_threshold = -0.1", "client.loss_threshold: -0.1 must be greater than or equal to 0"),
        ("loss_threshold = nan", "client.loss_threshold: nan must be a finite number"),
        ("loss_threshold = inf", "client.loss_threshold: inf must be a finite number"),
        ("loss_threshold = 1e300", "client.loss_threshold: 1e+300 must be less than or equal to 1000000000000"),
        ("replay_buffer_size = -1", "client.replay_buffer_size: -1 must be greater than or equal to 0"),
    ],
)
def test_a_loss_threshold_or_a_replay_buffer_that_is_impossible_is_one_sentence(client: str, sentence: str) -> None:
    assert problems(MINIMAL + f"[client]\n{client}") == [f"my run.toml:4: {sentence}"]


@pytest.mark.parametrize(
    ("strategy", "client"),
    [
        ("tinyreptile", "batch = 5\nreplay_buffer_size = 3"),
        ("tinyreptile", "batch = 0\nreplay_buffer_size = 3"),
        ("reptile", "passes = 2\nreplay_buffer_size = 3"),  # its batch is 5 unless the file says another
        ("fedprox", "batch = 1\nreplay_buffer_size = 3"),
    ],
)
def test_a_replay_buffer_takes_a_batch_of_one_and_no_proximal_term(strategy: str, client: str) -> None:
    assert problems(MINIMAL + f'[strategy]\nname = "{strategy}"\n[client]\n{client}') == [
        "my run.toml:7: client.replay_buffer_size: replay_buffer_size is 3, "
        "which takes a batch of 1 and no proximal term "
        "(leave it at 0, or take a batch of 1 and another strategy than fedprox)"
    ]


def test_what_a_device_passes_over_and_holds_is_the_strategys_work() -> None:
    work = strategy_of(
        read(MINIMAL + "[client]\npasses = 3\nloss_threshold = 0.05\nreplay_buffer_size = 4")
    ).client_work(1)
    assert (work.passes, work.loss_threshold, work.replay_buffer_size) == (3, 0.05, 4)
    plain = strategy_of(read(MINIMAL)).client_work(1)
    assert (plain.loss_threshold, plain.replay_buffer_size) == (0.0, 0)


@pytest.mark.parametrize("name", ["transfer", "pretrained"])
def test_a_strategy_that_no_fleet_can_run_is_refused_with_the_reason(name: str) -> None:
    (found,) = problems(MINIMAL + f'[strategy]\nname = "{name}"')
    assert found.startswith(f"my run.toml:4: strategy.name: a fleet cannot run '{name}': it trains on the samples of")


@pytest.mark.parametrize(("model", "local_layers"), [("digits", 1), ("sine", 0)])
def test_a_strategys_options_are_filled_in_as_the_network_asks(model: str, local_layers: int) -> None:
    text = MINIMAL.replace("digits", model) + '[strategy]\nname = "tinymetafed"\noptions = { upload_fraction = 0.3 }'
    config = read(text)
    assert config.strategy.options == {
        "local_layers": local_layers,
        "upload_fraction": 0.3,
        "download_fraction": 0.25,
        "delta_bits": 8,
    }
    assert strategy_of(config).client_work(1).local_layers == local_layers


def test_an_option_that_the_strategy_has_not_is_a_problem() -> None:
    (found,) = problems(MINIMAL + "[strategy]\noptions = { proximal = 0.1 }")
    assert "this strategy has no option 'proximal'" in found


def test_a_password_in_a_broken_url_is_not_repeated() -> None:
    assert "secret" not in "\n".join(problems(MINIMAL + '[broker]\nurl = "mqtt://me:secret@host:99999"'))


def test_text_that_is_not_toml_is_named_with_its_place() -> None:
    with pytest.raises(ConfigurationError, match=r"is not TOML: .*line 2"):
        read("[model]\nname = digits\n")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        load(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load(tmp_path / "binary.toml")


def test_the_document_lists_every_key_and_no_other() -> None:
    listed = set(re.findall(r"^\| `([a-z]+\.[a-z0-9_]+)`", DOCUMENT.read_text(), re.MULTILINE))
    assert listed == {key.path for key in all_keys()}


def test_the_document_marks_what_may_change_when_a_run_goes_on() -> None:
    free = {
        line.split("`")[1] for line in DOCUMENT.read_text().splitlines() if line.startswith("|") and "*free*" in line
    }
    assert free == FREE_TO_CHANGE


def test_more_ways_than_the_network_can_tell_apart_are_one_sentence() -> None:
    assert problems(MINIMAL + "[client]\nways = 11") == [
        "my run.toml:4: client.ways: 11 is more than the 10 classes that 'digits' can tell apart "
        "(at most 10, or a model with more outputs)"
    ]


@pytest.mark.parametrize("strategy", ["tinyreptile", "protoreptile"])
def test_a_new_device_that_takes_steps_needs_an_output_for_each_class(strategy: str) -> None:
    """Rounds with prototypes, and new devices that enrol, have no such limit."""
    wide = f'{MINIMAL}[strategy]\nname = "{strategy}"\n[client]\nways = {{}}\n[evaluation]\nways = {{}}\n'
    steps = wide + "[strategy.options]\nadapt_by_steps = 1\n" if strategy == "protoreptile" else wide
    too_many = "evaluation.ways: 11 is more than the 10 classes that 'digits' can tell apart (at most 10, or"
    assert [line.split(": ", 1)[1] for line in problems(steps.format(5, 11))] == [
        f"{too_many} a model with more outputs)"
    ]
    if strategy == "protoreptile":
        assert read(wide.format(12, 11)).evaluation.ways == 11
        assert read(steps.format(12, 5)).strategy.options["adapt_by_steps"] == 1


def own_task(folder: Path) -> None:
    rows = [f"m{number % 4},{5 + number % 3},{number},{'abc'[number % 3]}" for number in range(120)]
    (folder / "valves.csv").write_text("machine,pressure,flow,state\n" + "\n".join(rows) + "\n")
    table = 'kind = "table"\npath = "valves.csv"\nlabel = "state"\ndevice = "machine"'
    (folder / "valves.toml").write_text(f'[task]\nname = "valves"\n{table}\n[defaults]\nrounds = 7\n')


def test_a_model_may_be_a_file_of_ones_own_beside_the_configuration(tmp_path: Path) -> None:
    own_task(tmp_path)
    config = parse('[model]\nname = "valves.toml"\n', tmp_path / "run.toml")
    assert config.model.name == str(tmp_path / "valves.toml")
    assert (config.run.rounds, config.client.ways) == (7, 3)


def test_what_is_wrong_with_the_models_file_is_said_at_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"run\.toml:2: model\.name: .*nothing\.toml"):
        parse('[model]\nname = "nothing.toml"\n', tmp_path / "run.toml")


def test_a_class_of_ones_own_and_a_name_with_hyphens_say_how_often_devices_go_through_their_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "from jaragua.strategies import Strategy\nclass Thorough(Strategy):\n    PASSES = 3\n    BATCH = 4\n"
    (tmp_path / "thorough.py").write_text(own)
    monkeypatch.syspath_prepend(tmp_path)
    for name, numbers in (("thorough:Thorough", (3, 4)), ("Rep-tile", (5, 5))):
        config = read(MINIMAL + f'[strategy]\nname = "{name}"\n')
        assert (config.client.passes, config.client.batch) == numbers
    assert config.strategy.name == "reptile"
