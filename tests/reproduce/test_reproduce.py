"""`jaragua reproduce`: one plan, records that are made once, and a document that follows from records alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jaragua.cli.main import run as run_command
from jaragua.errors import StoreError
from jaragua.experiments.reproduce import Plan, Progress, Store, costs, figures, markdown, read_plan, run
from jaragua.experiments.reproduce import plan as plans
from jaragua.experiments.reproduce.descriptions import descriptions
from jaragua.experiments.reproduce.plan import SCALES, Experiment, Scale, _said
from jaragua.experiments.reproduce.run import Found, recorded
from jaragua.experiments.reproduce.summary import lines
from jaragua.report.intervals import paired_interval
from jaragua.simulation import Means

HEADER = markdown.Header("jaragua reproduce --short --only sine", "2 cores", "0")
JARAGUA = (sys.executable, "-m", "jaragua.cli.main", "reproduce", "--short", "--no-figures")
PART = ("--only", "sine/tinyreptile", "--only", "sine/reptile")
DEADLINE_S = 120


@pytest.fixture(scope="module")
def sine() -> Plan:
    return read_plan("short").only(["sine"])


@pytest.fixture(scope="module")
def found(sine: Plan, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return run(sine, Store(tmp_path_factory.mktemp("records")), lambda now: None, workers=1)


def test_every_strategy_has_a_row_with_its_figures(sine: Plan, found: Found) -> None:
    text = markdown.document(sine, found, HEADER, [])
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for name in (name for name in sine.rows if name != "transfer, true classes"):
        cells = next(row for row in rows if row.startswith(f"| {name} |")).split(" | ")
        assert " ± " in cells[3]
        assert int(cells[6].replace(",", "")) > 0
    assert "Support-set size" in text
    assert "the fraction that is sent" in text
    assert "| w8 |" in text


def test_true_classes_have_a_row_where_labels_are_a_tasks_own(
    use_data: Callable[[str], Path], tmp_path: Path, sine: Plan
) -> None:
    use_data("omniglot")
    plain = read_plan("plain")
    tasks = {one.task.model for one in plain.experiments if one.row == "transfer, true classes"}
    assert tasks == {"digits", "keywords-mel", "omniglot-cnn"}
    assert all(
        one.simulation.strategy == "pretrained" for one in plain.only(["digits/transfer-true-classes"]).experiments
    )
    assert "transfer, true classes" in sine.rows
    part = read_plan("short").only(["digits/transfer-true-classes", "digits/transfer", "digits/tinyreptile"])
    text = markdown.document(part, run(part, Store(tmp_path), lambda now: None, workers=1), HEADER, [])
    rows = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in text.splitlines()}
    assert rows["transfer, true classes"][5:] == rows["transfer"][5:]
    assert rows["transfer"][7:] == ["–", "raw samples", "–"]


def test_a_serial_row_chooses_among_the_devices_of_the_others() -> None:
    """One device a round, not one device: that would be a single speaker's words, or a single node's room."""
    for scale in SCALES:
        plan = read_plan(scale)
        of_others = {one.task: one.simulation.devices for one in plan.experiments if one.row == "TinyReptile"}
        serial = [one for one in plan.experiments if one.row == "TinyReptile, serial"]
        assert serial
        assert all(one.simulation.clients == 1 for one in serial)
        assert all(one.simulation.devices == of_others[one.task] for one in serial)
        assert all(len(one.simulation.devices) > 1 for one in serial)


def test_a_classifier_of_thousands_is_more_work_than_what_devices_have(use_data: Callable[[str], Path]) -> None:
    """What is left is evaluated by it."""
    use_data("omniglot")
    both = [read_plan("plain").only([f"omniglot-5-way-1-shot/{row}"]) for row in ("transfer-true-classes", "transfer")]
    mine, others = (plan.experiments[0].multiplications for plan in both)
    assert mine - others == 3 * (4800 - 5) * 784


def test_instructions_are_steps_times_those_of_a_step(sine: Plan, found: Found) -> None:
    text = markdown.document(sine, found, HEADER, [])
    cells = next(line for line in text.splitlines() if line.startswith("| TinyReptile |")).strip("| ").split(" | ")
    to_adapt, of_a_round = (int(cells[place].replace(",", "")) for place in (6, 7))
    assert to_adapt == of_a_round
    assert to_adapt % 32 == 0
    assert 2_000 < to_adapt // 32 < 10_000


def test_samples_that_are_met_twice_are_held(use_data: Callable[[str], Path]) -> None:
    """By a new device as by one in training; what is trained in one place no device holds."""
    use_data("omniglot")
    plain, sample_bytes = read_plan("plain"), 2 * (784 + 1)
    held = {
        row: costs.stored_bytes(plain.only([f"omniglot-5-way-5-shot/{row}"]).experiments[0]) // sample_bytes
        for row in ("from-scratch", "transfer", "tinyreptile", "reptile")
    }
    assert held == {"from-scratch": 25, "transfer": 25, "tinyreptile": 25, "reptile": 50}
    assert costs.stored_bytes(plain.only(["digits/tinyreptile"]).experiments[0]) == 0


def test_unbalanced_queries_are_those_of_the_tasks_that_are_said(
    use_data: Callable[[str], Path], tmp_path: Path
) -> None:
    use_data("room_occupancy_estimation")
    part = read_plan("short").only(["presence/tinyreptile"])
    text = markdown.document(part, run(part, Store(tmp_path), lambda now: None, workers=1), HEADER, [])
    assert "Evaluated on: 8 held-out tasks" in text
    assert "All rows: the first 8 of them, on queries as they came." in text


def test_differences_to_tinyreptile_are_paired_by_seed(sine: Plan, found: Found) -> None:
    after = {
        row: [found.outcomes[one.key].after.mean for one in sine.only([f"sine/{row}"]).experiments[:2]]
        for row in ("tinyreptile", "fedavg")
    }
    expected = paired_interval(after["fedavg"], after["tinyreptile"])
    by_row = {line.experiment.row: line.difference for line in lines(sine, found) if line.experiment.value == ""}
    assert by_row["FedAvg"] == Means(expected.mean, expected.high - expected.mean)
    assert by_row["TinyReptile"] is None
    text = markdown.document(sine, found, HEADER, [])
    row = next(line for line in text.splitlines() if line.startswith("| FedAvg |"))
    assert row.split(" | ")[4] == f"{expected.mean:+.3f} ± {expected.high - expected.mean:.3f}"
    alone = lines(sine.only(["sine/fedavg"]), found)
    assert [line.difference for line in alone] == [None]


def test_a_task_may_have_more_seeds_than_the_others(sine: Plan, found: Found) -> None:
    plain = read_plan("plain")
    seeds = {task.name: {one.simulation.seed for one in plain.experiments if one.task == task} for task in plain.tasks}
    assert seeds["presence"] == set(range(1, 21))
    assert seeds["sine"] == set(range(1, plain.seeds + 1))
    both = replace(sine, tasks=(replace(sine.tasks[0], seeds=9),))
    assert "seeds 1 to 2 (Sine: 1 to 9)" in markdown.document(both, found, HEADER, [])


def held_out_of(one: Experiment) -> tuple[int | None, int]:
    return one.simulation.evaluation.shots, one.simulation.evaluation.queries


@pytest.mark.parametrize("scale", SCALES)
def test_every_held_out_task_of_the_plan_can_be_drawn(scale: Scale, use_data: Callable[[str], Path]) -> None:
    for folder in ("omniglot", "speech_commands", "room_occupancy_estimation"):
        use_data(folder)
    wanted = {
        (one.simulation.task, one.simulation.ways, *held_out_of(one)): one.model for one in read_plan(scale).experiments
    }
    for (_, ways, shots, queries), model in wanted.items():
        shots, queries = shots or model.defaults.shots, queries or model.defaults.queries
        assert len(model.tasks.held_out_task(1, ways, shots, queries).support.x) == ways * shots


def test_the_same_records_give_the_same_document_and_figures(sine: Plan, found: Found, tmp_path: Path) -> None:
    for place in (tmp_path / "one", tmp_path / "other"):
        drawn = figures.figures(sine, found)
        figures.save(drawn, place)
        place.joinpath("results.md").write_text(markdown.document(sine, found, HEADER, drawn))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {f"results-sine-{kind}.svg" for kind in ("curve", "support", "fraction")} < set(files)
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_s3_1_each_task_has_a_description_with_the_figures_of_its_strategies(sine: Plan, found: Found) -> None:
    (text,) = (one.decode() for one in descriptions(sine, found).values())
    after = next(one.after for one in lines(sine, found) if one.experiment.row == "TinyReptile")
    assert text.count("nnet:Mean_squared_error") == sum(bool(one) for one in sine.rows) - (
        "transfer, true classes" in sine.rows
    )
    assert f'nnet:hasMetricValue "{after.mean!r}"' in text
    assert "jrg:TrainingBuild" in text


def test_what_was_not_counted_is_left_open(sine: Plan, found: Found) -> None:
    text = markdown.document(sine, Found(found.outcomes, {}), HEADER, [])
    row = next(line for line in text.splitlines() if line.startswith("| TinyReptile |"))
    assert row.split(" | ")[5:8] == ["–", "–", "–"]


def test_missing_records_are_named_as_missing(sine: Plan, found: Found) -> None:
    some = dict(list(found.outcomes.items())[2:])
    assert "2 of them are missing" in markdown.document(sine, Found(some, found.costs), HEADER, [])


def test_nothing_is_done_twice(sine: Plan, tmp_path: Path) -> None:
    part, store = sine.only(["sine/tinyreptile"]), Store(tmp_path)
    first = run(part, store, lambda now: None)
    seen: list[Progress] = []
    assert run(part, store, seen.append) == first == recorded(part, store)
    assert [(now.done, now.of) for now in seen] == [(len(part.experiments), len(part.experiments))]


def test_keys_depend_on_content(sine: Plan) -> None:
    one = sine.experiments[0]
    assert replace(one, name="another").key == one.key
    evaluated = replace(one, simulation=one.simulation.changed({"tasks": 9}))
    trained = replace(one, simulation=replace(one.simulation, seed=9))
    assert evaluated.key != one.key
    assert evaluated.training_key == one.training_key != trained.training_key
    assert len({experiment.key for experiment in read_plan("plain").experiments}) == len(read_plan("plain").experiments)


def test_a_number_that_was_added_later_changes_no_key_while_it_is_0(sine: Plan) -> None:
    one = sine.experiments[0]
    assert {"loss_threshold", "replay_buffer_size"}.isdisjoint(_said(one.simulation) | one.simulation.identity())
    for changed in (replace(one.simulation, loss_threshold=0.1), replace(one.simulation, replay_buffer_size=4)):
        other = replace(one, simulation=changed)
        assert other.key != one.key
        assert other.training_key != one.training_key


def test_keys_say_what_a_strategy_does_by_default(sine: Plan) -> None:
    one = sine.only(["sine/tinymetafed"]).experiments[0]
    assert one.simulation.options == {
        "local_layers": 0,
        "upload_fraction": 0.1,
        "download_fraction": 0.25,
        "delta_bits": 8,
    }
    local = replace(one, simulation=replace(one.simulation, options=one.simulation.options | {"local_layers": 1}))
    assert local.training_key != one.training_key


def test_a_damaged_record_is_named(sine: Plan, tmp_path: Path) -> None:
    part, store = sine.only(["sine/from-scratch"]), Store(tmp_path)
    run(part, store, lambda now: None)
    whole = {path: path.read_text() for path in (tmp_path / "records").glob("simulation-*")}
    for content in ("", "[]", '{"version": 1, "record": {}}', '{"version": 1, "record": 3}', "cut"):
        for path, text in whole.items():
            path.write_text(text[:50] if content == "cut" else content)
        with pytest.raises(StoreError, match="cannot be read: it is damaged, or no record"):
            recorded(part, store)


def test_a_document_of_no_records_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["reproduce", "--short", "--only", "sine/tinyreptile", "--folder", str(tmp_path), "--render-only"]
    assert run_command(words) == 9
    assert "there are no records of this plan" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def command(folder: Path, *words: str) -> list[str]:
    return [*JARAGUA, *PART, "--folder", str(folder), *words]


def hashes(folder: Path) -> set[tuple[str, str]]:
    records = [json.loads(path.read_text()) for path in (folder / "records").glob("simulation-*.json")]
    return {(record["name"], record["record"]["final_hash"]) for record in records}


def test_killed_and_started_again_it_goes_on_to_the_same_end(tmp_path: Path) -> None:
    folder, undisturbed = tmp_path / "killed", tmp_path / "whole"
    with subprocess.Popen(command(folder), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as program:
        deadline = time.monotonic() + DEADLINE_S
        while len(list(folder.glob("records/*.json"))) < 2:
            assert time.monotonic() < deadline
            assert program.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        program.kill()
    before = len(list(folder.glob("records/simulation-*.json")))
    data: dict[str, Any] = {}
    for place in (folder, undisturbed):
        done = subprocess.run(command(place, "--json"), capture_output=True, timeout=DEADLINE_S, check=True)
        data = json.loads(done.stdout)["data"]
    assert before < data["done"] == data["experiments"]
    assert hashes(folder) == hashes(undisturbed)


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run([*JARAGUA, "--only", "sin"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no experiment has a name like sin" in done.stderr


def test_costs_are_counted_again_when_the_rate_or_the_c_is_another(sine: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rows have a zero gradient, and what a step costs, depends on the start, and that on the rate."""
    one = next(one for one in sine.experiments if one.row == "TinyReptile")
    key, model = costs.costs_key(one), one.model
    assert costs.costs_key(replace(one, simulation=replace(one.simulation, seed=7))) == key
    assert costs.costs_key(one, 5) != key
    other = replace(model, defaults=replace(model.defaults, learning_rate=0.005))
    with monkeypatch.context() as changed:
        changed.setattr(plans, "model_for", lambda simulation: other)
        assert costs.costs_key(one) != key
    with monkeypatch.context() as changed:
        changed.setattr(costs, "emitted_files", lambda layout: {"jrg_model.c": "another"})
        costs._program.cache_clear()
        assert costs.costs_key(one) != key
    costs._program.cache_clear()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--list", "--folder", "x", "--workers", "2"), "with --list, --workers, --folder would change nothing"),
        (("--list", "--render-only"), "with --list, --render-only would change nothing"),
        (("--render-only", "--workers", "2"), "with --render-only, --workers would change nothing"),
    ],
)
def test_no_option_is_ignored(words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["reproduce", "--short", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_document_that_cannot_be_written_is_said_before_anything_is_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for document, words in ((tmp_path, "is a folder"), (tmp_path / "file" / "results.md", "cannot be written: ")):
        command = ["reproduce", "--full", "--folder", str(tmp_path / "records"), "--document", str(document)]
        assert run_command(command) == 9
        assert words in capsys.readouterr().err
    assert not (tmp_path / "records").exists()
