"""`jaragua compile` and `jaragua boards --known`, as a person or a script meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import jaragua_models
from documents.blocks import blocks
from jaragua.cli.main import run
from jaragua.experiments.rejection.measure import Recogniser
from jaragua.models import model_named
from jaragua.strategies.vectors import flat
from jaragua_compiler import LearningRate
from jaragua_compiler.export import read_weights
from jaragua_compiler.export.files import vector
from jaragua_compiler.export.files.readme import example
from jaragua_compiler.planning.boards import boards
from jaragua_models.loading import load_model
from strict_c import STRICT

KERAS = Path(__file__).parents[1] / "compiler" / "data" / "small.keras"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a folder lands that is made here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["status"] == "ok"
    data: dict[str, Any] = found["data"]
    return data


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """Ends with `code`, says so in one sentence in both forms, and leaves nothing behind; returns what it said."""
    before = sorted(os.listdir())
    assert run(arguments) == code
    plain = capsys.readouterr()
    assert plain.out == ""
    assert "Traceback" not in plain.err
    assert [line.startswith("error: ") for line in plain.err.splitlines()].count(True) == 1
    assert run([*arguments, "--json"]) == code
    error = json.loads(capsys.readouterr().out)["error"]
    assert f"error: {error['message']}" in plain.err
    assert sorted(os.listdir()) == before
    return plain.err


def test_boards_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "boards", "--known")["boards"]
    assert [entry["name"] for entry in found] == [board.name for board in boards()]
    assert {"qemu_m4", "nano33ble", "pico", "nucleo_f411re"} <= {entry["name"] for entry in found}
    assert run(["boards", "--known"]) == 0
    assert "nano33ble" in capsys.readouterr().out


def test_a_zoo_model_becomes_a_folder_named_after_it_and_its_board(capsys: pytest.CaptureFixture[str]) -> None:
    data = document(capsys, "compile", "sine", "--board", "pico")
    assert data["folder"] == "sine-pico"
    assert sorted(os.listdir("sine-pico")) == data["files"]
    assert (data["network"], data["board"], data["core"]) == ("sine", "pico", "cortex_m0plus")
    assert (data["weights"], data["trained_layers"]) == (["w16"], [0, 1, 2])
    for place in ("ram", "flash"):
        assert sum(row["bytes"] for row in data[place]) == data[f"{place}_bytes"] <= data[f"{place}_free_bytes"]
    assert len(data["files"]) == 8


def test_the_self_test_of_a_zoo_model_passes(capsys: pytest.CaptureFixture[str]) -> None:
    document(capsys, "compile", "digits", "--board", "qemu_m4", "--out", "made")
    assert selftest_passes("made")


@pytest.mark.board
def test_a_folder_with_prototypes_passes_its_self_test_on_an_emulated_core(capsys: pytest.CaptureFixture[str]) -> None:
    data = document(capsys, "compile", "digits", "--board", "pico", "--prototypes", "10", "--run", "--out", "made")
    assert data["selftest_ran"]
    assert "prototypes of 10 classes" in [row["name"] for row in data["ram"]]
    told = json.loads(Path("made/jaragua.json").read_text())["prototypes"]
    assert data["prototypes"] == told
    assert (told["classes"], told["features"]) == (10, 32)
    assert told["rejection"]["false_accepts"] == 0.05
    assert f"#define DIGITS_REJECTION {told['rejection']['threshold']}u" in Path("made/digits.h").read_text()


def test_fewer_false_accepts_make_a_stricter_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    thresholds = []
    for rate in ("0.01", "0.2"):
        wanted = ("--prototypes", "5", "--false-accepts", rate)
        data = document(capsys, "compile", "digits", "--board", "pico", *wanted, "--out", "made")
        thresholds.append(data["prototypes"]["rejection"]["threshold"])
    assert 0 < thresholds[0] < thresholds[1] < 32768


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights that trained without the validation images of `digits`."""
    path = tmp_path_factory.mktemp("unseen") / "weights.safetensors"
    wanted = ("--task", "validation:digits", "--rounds", "20", "--eval-tasks", "1", "--no-comparison")
    assert run(["simulate", *wanted, "--save", str(path)]) == 0
    return str(path)


def test_a_threshold_of_devices_that_the_weights_have_not_seen(capsys: pytest.CaptureFixture[str], unseen: str) -> None:
    """Of unknown samples of other validation tasks about as many are accepted as were asked for."""
    wanted = ("compile", "digits", "--board", "pico", "--prototypes", "5", "--force", "--out", "made")
    own = document(capsys, *wanted)["prototypes"]["rejection"]
    told = document(capsys, *wanted, "--unseen", unseen, "--false-accepts", "0.1")["prototypes"]["rejection"]
    assert (own["devices"], told["devices"], told["classes"], told["tasks"]) == ("training", "validation", 5, 200)
    assert "on 200 tasks of validation data" in " ".join(Path("made/README.md").read_text().split())
    assert f"#define DIGITS_REJECTION {told['threshold']}u" in Path("made/digits.h").read_text()
    model = model_named("validation:digits")
    recogniser = Recogniser(model, flat(read_weights(Path(unseen), model.network)), 5)
    others = [model.tasks.held_out_task(seed, 10, told["shots"], 20) for seed in range(1000, 1200)]
    found = [recogniser.scored(task, 2)["relative"] for task in others]
    accepted = np.concatenate([one.scores[~one.known] <= told["threshold"] for one in found])
    assert 0.08 < accepted.mean() < 0.12


def test_weights_that_cannot_calibrate_are_refused(capsys: pytest.CaptureFixture[str], unseen: str) -> None:
    on = ("--board", "pico", "--unseen", unseen)
    assert "--unseen needs --prototypes" in refused(capsys, 2, "compile", "digits", *on)
    room = ("--prototypes", "2", *on)
    assert "--unseen needs tasks to draw from" in refused(capsys, 2, "compile", str(KERAS), *room)
    other = Path("other.safetensors")
    save_file({"layers.0.weight": np.zeros((1, 1), np.float32), "layers.0.bias": np.zeros(1, np.float32)}, other)
    wanted = ("compile", "digits", "--prototypes", "2", "--board", "pico", "--unseen", str(other))
    assert "other.safetensors has not the 2 layers" in refused(capsys, 7, *wanted)
    assert "missing.safetensors" in refused(capsys, 7, *wanted[:-1], "missing.safetensors")


def test_what_cannot_be_calibrated_is_said_and_accepts_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{node},{label},{node * 0.1},{label * 0.5}" for node in range(4) for label in range(2) for _ in range(8)]
    Path("table.csv").write_text("\n".join(["node,kind,a,b", *rows]) + "\n")
    Path("own.toml").write_text('[task]\nkind = "table"\npath = "table.csv"\nlabel = "kind"\ndevice = "node"\n')
    wanted = ("compile", "own.toml", "--board", "pico", "--prototypes", "2")
    assert "too few classes to calibrate" in said_while(capsys, *wanted, "--out", "made")
    assert "#define OWN_REJECTION 32768u" in Path("made/own.h").read_text()
    assert "too few classes to calibrate" in refused(capsys, 8, *wanted, "--false-accepts", "0.05")
    for arguments, reason in (
        (("--false-accepts", "0.05"), "--false-accepts needs --prototypes"),
        (("--prototypes", "2", "--false-accepts", "1.5"), "--false-accepts is 1.5"),
    ):
        assert reason in refused(capsys, 2, "compile", "digits", "--board", "pico", *arguments)
    assert "a model file has no tasks" in said_while(
        capsys, "compile", str(KERAS), "--board", "pico", "--prototypes", "2", "--out", "file"
    )


def test_people_are_told_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compile", "sine", "--board", "pico", "--out", "made"]) == 0
    said = capsys.readouterr().out
    assert "weights: layer 1, Dense 32 -> 32" in said
    assert "files in made" in said


def test_a_zoo_model_says_that_its_weights_are_random_and_with_what_it_is_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = said_while(capsys, "compile", "digits", "--board", "pico", "--out", "made")
    assert "no --start: the weights are random ones, not trained" in said
    readme = Path("made/README.md").read_text()
    assert "**The weights it starts with are random**" in readme
    assert "The initial weights are random" in Path("made/digits.h").read_text()
    told = json.loads(Path("made/jaragua.json").read_text())
    assert told["weights"] == "random"
    data = document(capsys, "compile", "digits", "--board", "pico", "--out", "made")
    assert data["source"] == {name: told[name] for name in ("weights", "samples", "defaults", "data")}
    own = jaragua_models.get("digits").defaults
    assert told["defaults"]["learning_rate"] == own.learning_rate == 0.1
    assert f"learning rate {own.learning_rate}; {own.ways} ways and {own.shots} shots" in readme
    rate = LearningRate.from_float(own.learning_rate)
    assert f"static const digits_learning_rate rate = {{{rate.mantissa}u, {rate.exponent}u}}; /* 0.1 */" in readme


def test_weights_of_a_run_or_of_a_file_are_not_called_random(capsys: pytest.CaptureFixture[str]) -> None:
    saved("final.safetensors", (32, 64), (10, 32))
    runs = {"start": ("digits", "--start", "final.safetensors"), "file": (str(INT8),)}
    for weights, arguments in runs.items():
        said = said_while(capsys, "compile", *arguments, "--board", "pico", "--out", weights)
        assert "random" not in said
        assert json.loads(Path(weights, "jaragua.json").read_text())["weights"] == weights
        texts = [path.read_text() for path in (Path(weights, "README.md"), *Path(weights).glob("*.h"))]
        assert not any("random" in text for text in texts)
    assert "/* 0.01 */" in Path("file/README.md").read_text()  # a file has no rate of its own


@pytest.mark.parametrize("name", jaragua_models.names())
def test_a_readme_has_the_models_own_learning_rate(name: str) -> None:
    loaded = load_model(name)
    assert loaded.source.weights == "random"
    assert loaded.source.defaults is not None
    rate = jaragua_models.get(name).defaults.learning_rate
    assert loaded.source.defaults.learning_rate == rate
    found = LearningRate.from_float(rate)
    assert f"{{{found.mantissa}u, {found.exponent}u}}; /* {rate} */" in example(loaded.network, rate)


def test_own_data_are_compiled_like_a_model_of_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{node},{label},{node * 0.1},{label * 0.5}" for node in range(4) for label in range(2) for _ in range(8)]
    Path("table.csv").write_text("\n".join(["node,kind,a,b", *rows]) + "\n")
    Path("own.toml").write_text('[task]\nkind = "table"\npath = "table.csv"\nlabel = "kind"\ndevice = "node"\n')
    data = document(capsys, "compile", "own.toml", "--board", "pico", "--out", "made")
    assert data["network"] == "own"
    assert "chosen from sample inputs" in Path("made/README.md").read_text()
    assert json.loads(Path("made/jaragua.json").read_text())["weights"] == "random"


def test_missing_data_of_ones_own_end_with_the_code_of_data(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.toml").write_text('[task]\nkind = "table"\npath = "none.csv"\nlabel = "kind"\ndevice = "node"\n')
    assert "none.csv: cannot be read" in refused(capsys, 8, "compile", "own.toml", "--board", "pico")
    assert "none.csv: cannot be read" in refused(capsys, 8, "simulate", "--task", "own.toml")


def test_missing_data_of_the_zoo_end_with_the_code_of_data() -> None:
    """In a process of its own: what was read once is kept."""
    nowhere = {"JARAGUA_DATA_DIR": str(Path("nowhere").absolute()), "XDG_CACHE_HOME": str(Path("cache").absolute())}
    command = [sys.executable, "-m", "jaragua.cli.main", "compile", "presence", "--board", "qemu_m4"]
    done = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 8, done.stderr
    assert "JARAGUA_DATA_DIR names the folder" in done.stderr
    assert not Path("presence-qemu_m4").exists()


def test_a_task_without_a_good_name_is_blamed_on_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.toml").write_text(
        '[task]\nname = "Bad Name"\nkind = "table"\npath = "x.csv"\nlabel = "kind"\ndevice = "node"\n'
    )
    said = refused(capsys, 7, "compile", "own.toml", "--board", "pico")
    assert "own.toml: [task] name: 'Bad Name' is not an identifier" in said


def test_samples_come_in_the_shape_the_file_has(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("samples.npy", np.random.default_rng(5).uniform(-1, 1, size=(20, 2, 9, 8)))
    onnx_file = str(INT8.with_name("trio.onnx"))
    said = said_while(capsys, "compile", onnx_file, "--board", "pico", "--out", "made", "--samples", "samples.npy")
    assert "the model file's samples are 2 x 9 x 8, the C takes them as 9 x 8 x 2" in said
    assert selftest_passes("made")


def test_a_second_run_gives_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    for out in ("one", "two", "one"):
        document(capsys, "compile", "sine", "--board", "pico", "--out", out)
    one, two = ({path.name: path.read_bytes() for path in Path(out).iterdir()} for out in ("one", "two"))
    assert one == two


def test_a_keras_file_is_compiled_with_samples_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    document(capsys, "compile", str(KERAS), "--board", "nano33ble", "--out", "assumed")
    np.save("samples.npy", np.random.default_rng(5).uniform(0, 4, size=(20, 6)))
    document(capsys, "compile", str(KERAS), "--board", "nano33ble", "--out", "shown", "--samples", "samples.npy")
    assert "no samples were given" in Path("assumed/README.md").read_text()
    assert "chosen from sample inputs" in Path("shown/README.md").read_text()


INT8 = Path(__file__).parents[1] / "compiler" / "fixtures" / "trio-int8.tflite"


def said_while(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a run that goes well says on the way."""
    assert run([*arguments, "--json"]) == 0
    return capsys.readouterr().err


def input_exponent(folder: str) -> int:
    header = Path(folder, "trio_int8.h").read_text()
    return int(header.partition("TRIO_INT8_INPUT_EXPONENT ")[2].splitlines()[0])


def test_the_ranges_of_an_int8_file_are_taken_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["compile", str(INT8), "--board", "pico"]
    said = said_while(capsys, *options, "--out", "file")
    assert "the formats are made for the ranges of the file, inputs -3.648 to 4.04" in said
    assert "chosen for the ranges of the file, inputs -3.648 to 4.04" in Path("file/README.md").read_text()
    assert selftest_passes("file")
    np.save("samples.npy", np.random.default_rng(5).uniform(-1, 1, size=(20, 9, 8, 2)))
    assert "ranges" not in said_while(capsys, *options, "--out", "shown", "--samples", "samples.npy")
    assert "chosen from sample inputs" in Path("shown/README.md").read_text()
    assert input_exponent("file") == input_exponent("shown") - 3  # they reach 4.04 instead of 1


def test_under_other_weights_the_range_of_an_int8_files_input_still_holds(capsys: pytest.CaptureFixture[str]) -> None:
    saved("final.safetensors", (4, 3, 3, 2), (4, 3, 2), (6, 24), (3, 6))
    options = ["compile", str(INT8), "--board", "pico", "--out"]
    said = said_while(capsys, *options, "started", "--start", "final.safetensors")
    assert "the formats are made for the range of the file's inputs, -3.648 to 4.04" in said
    assert "chosen for the range of the file's inputs, -3.648 to 4.04" in Path("started/README.md").read_text()
    said_while(capsys, *options, "own")
    assert input_exponent("started") == input_exponent("own")
    assert selftest_passes("started")


def selftest_passes(folder: str) -> bool:
    prefix = json.loads(Path(folder, "jaragua.json").read_text())["prefix"]
    flags = ("-std=c99", "-Wpedantic", "-Wall", "-Wextra", *STRICT, f"-D{prefix.upper()}_SELFTEST_MAIN")
    subprocess.run(["cc", *flags, *map(str, Path(folder).glob("*.c")), "-o", "selftest"], check=True)
    return subprocess.run(["./selftest"], check=False).returncode == 0


def test_the_layers_that_train_are_the_users_choice(capsys: pytest.CaptureFixture[str]) -> None:
    whole = document(capsys, "compile", "digits", "--board", "pico", "--out", "all", "--train", "all")
    last = document(capsys, "compile", "digits", "--board", "pico", "--out", "last", "--train", "last")
    assert (whole["trained_layers"], last["trained_layers"]) == ([0, 1], [1])
    assert last["ram_bytes"] < whole["ram_bytes"]
    assert "frozen weights: layer 0, Dense 64 -> 32" in [row["name"] for row in last["flash"]]
    assert "| 32 x 64 + 32 | no: int8 in flash |" in Path("last/README.md").read_text()
    assert selftest_passes("last")


def test_the_channels_that_train_are_the_users_choice(capsys: pytest.CaptureFixture[str]) -> None:
    data = document(capsys, "compile", "digits", "--board", "pico", "--out", "some", "--train", "1,0:8")
    assert (data["trained_layers"], data["trained_channels"]) == ([0, 1], {"0": 8, "1": 10})
    assert "weights: layer 0, Dense 64 -> 32, 8 channels" in [row["name"] for row in data["ram"]]
    assert "frozen weights: layer 0, Dense 64 -> 32, 24 channels" in [row["name"] for row in data["flash"]]
    assert "| 8 of 32 channels; int8 |" in Path("some/README.md").read_text()
    assert selftest_passes("some")


def test_the_channels_that_train_need_not_be_the_first_ones(capsys: pytest.CaptureFixture[str]) -> None:
    data = document(capsys, "compile", "digits", "--board", "pico", "--out", "some", "--train", "1,0:1-3+30")
    assert data["trained_channels"] == {"0": 4, "1": 10}
    order = [1, 2, 3, 30, 0, *range(4, 30), 31]
    assert data["channel_order"] == {"0": {"rows": order, "inputs": []}, "1": {"rows": [], "inputs": order}}
    assert json.loads(Path("some/jaragua.json").read_text())["channel_order"] == data["channel_order"]
    assert "| 4 of 32 channels (1-3, 30); int8 |" in Path("some/README.md").read_text()
    assert selftest_passes("some")


def test_channels_that_cannot_be_put_first(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, 7, "compile", "digits", "--board", "pico", "--train", "1:3+5")
    assert "layer 1, Dense: its channels 3+5 cannot be put first" in said
    assert "as 1:6, or all of it, as 1" in said


def saved(path: str, *shapes: tuple[int, ...]) -> None:
    """Weights as a run writes them: of each layer [out, in] the weights and biases."""
    generator = np.random.default_rng(3)
    arrays = {}
    for number, shape in enumerate(shapes):
        arrays[f"layers.{number}.weight"] = generator.normal(0, 0.1, shape)
        arrays[f"layers.{number}.bias"] = np.zeros(shape[0])
    save_file(arrays, path)


def test_the_weights_of_a_run_are_what_a_network_starts_with(capsys: pytest.CaptureFixture[str]) -> None:
    saved("final.safetensors", (32, 64), (10, 32))
    options = ["--board", "pico", "--train", "last"]
    one = document(capsys, "compile", "digits", *options, "--out", "random")
    other = document(capsys, "compile", "digits", *options, "--out", "learned", "--start", "final.safetensors")
    assert one["architecture"] != other["architecture"]
    assert selftest_passes("learned")


def test_weights_that_do_not_fit_a_network_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    saved("one.safetensors", (32, 64))
    saved("wide.safetensors", (32, 65), (10, 32))
    Path("cut.safetensors").write_bytes(Path("wide.safetensors").read_bytes()[:500])
    for name, said in (
        ("one", "has not the 2 layers of network 'digits'"),
        ("wide", "layers.0.weight is float64 of shape [32, 65]"),
        ("cut", "is not a whole safetensors file"),
        ("none", "cannot be read"),
    ):
        assert said in refused(capsys, 7, "compile", "digits", "--board", "pico", "--start", f"{name}.safetensors")


def test_a_ram_budget_decides_what_trains_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    budget = ["--train", "auto", "--ram-budget", "3000"]
    assert run(["compile", "sine", "--board", "pico", "--out", "made", *budget, "--json"]) == 0
    said = capsys.readouterr()
    data = json.loads(said.out)["data"]
    assert (data["trained_layers"], data["ram_free_bytes"]) == ([0, 2], 3000)
    assert data["ram_bytes"] <= 3000
    *attempts, warning = said.err.splitlines()
    assert [line.partition(":")[0] for line in attempts] == [f"layer {n}, Dense" for n in (2, 1, 0)]
    assert [line.rpartition(": ")[2] for line in attempts] == ["it trains", "it stays frozen", "it trains"]
    assert warning == "no --start: the weights are random ones, not trained, and frozen layers keep theirs"
    assert selftest_passes("made")


def test_without_a_budget_auto_trains_what_the_board_holds(capsys: pytest.CaptureFixture[str]) -> None:
    data = document(capsys, "compile", "sine", "--board", "pico", "--out", "made", "--train", "auto")
    assert data["trained_layers"] == [0, 1, 2]


def test_a_budget_that_holds_not_even_the_last_layer(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, 7, "compile", "sine", "--board", "pico", "--train", "auto", "--ram-budget", "500")
    assert "--ram-budget allows 500" in said
    assert "or more" in said


@pytest.mark.parametrize("budget", ["0", "-5", "999999999"])
def test_a_budget_the_board_has_not(budget: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, 2, "compile", "sine", "--board", "pico", "--ram-budget", budget)
    assert "bytes is not available: pico has" in said


def test_a_layer_that_is_not_there_to_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no layer '7' to train" in refused(capsys, 7, "compile", "sine", "--board", "pico", "--train", "7")


def test_an_unknown_board_has_a_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, 2, "compile", "sine", "--board", "pcio")
    assert "there is no board 'pcio'" in said
    assert "Did you mean 'pico'?" in said


def test_a_board_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "missing option '--board'" in refused(capsys, 2, "compile", "sine").lower()


@pytest.mark.parametrize(("option", "value"), [("--weights", "w4"), ("--loss", "hinge")])
def test_a_value_an_option_has_not(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, 2, "compile", "sine", "--board", "pico", option, value)
    assert f"{option} has no value '{value}'" in said


def test_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean 'sine'?" in refused(capsys, 7, "compile", "sien", "--board", "pico")
    assert "cannot be read" in refused(capsys, 7, "compile", "none.keras", "--board", "pico")


def test_a_model_file_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cut.keras").write_bytes(KERAS.read_bytes()[:9000])
    assert "cut.keras is not a Keras 3 archive" in refused(capsys, 7, "compile", "cut.keras", "--board", "pico")


def changed_keras(change: Callable[[dict[str, Any]], None]) -> None:
    with zipfile.ZipFile(KERAS) as source, zipfile.ZipFile("changed.keras", "w") as target:
        config = json.loads(source.read("config.json"))
        change(config)
        target.writestr("config.json", json.dumps(config))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))


def test_an_operator_nobody_knows_is_named_with_its_layer(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    changed_keras(lambda config: config["config"]["layers"][3].update(class_name="GRU"))
    said = refused(capsys, 7, "compile", "changed.keras", "--board", "pico")
    assert "'dropout' (GRU)" in said
    assert "hint: " in said


def test_samples_that_do_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("samples.npy", np.zeros((4, 63)))
    said = refused(capsys, 7, "compile", "digits", "--board", "pico", "--samples", "samples.npy")
    assert "its shape is [4, 63], network 'digits' takes [n, 64]" in said


def test_a_network_too_large_for_its_board(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from jaragua_compiler import Dense, Network, initial_weights
    from jaragua_compiler.export import LoadedModel, Source

    large = Network("large", 784, (Dense(40, "relu"), Dense(10)))
    loaded = LoadedModel(large, initial_weights(large, 1), Source())
    monkeypatch.setattr("jaragua_models.loading.load_model", lambda *_: loaded)
    said = refused(capsys, 7, "compile", "large", "--board", "zero")
    assert "network 'large' needs " in said
    assert "the largest: weights: layer 0, Dense 784 -> 40" in said
    assert "units in layer 0" in said


def test_a_folder_of_somebody_else_stays(capsys: pytest.CaptureFixture[str]) -> None:
    Path("made").mkdir()
    Path("made/thesis.tex").write_text("years of work")
    arguments = ("compile", "sine", "--board", "pico", "--out", "made")
    assert "`jaragua compile` did not make it" in refused(capsys, 7, *arguments)
    assert os.listdir("made") == ["thesis.tex"]
    assert run([*arguments, "--force"]) == 0
    assert Path("made/thesis.tex").read_text() == "years of work"
    assert Path("made/sine.c").is_file()


def documented_commands(page: str, first: str) -> str:
    """The block of a page of docs/ that begins with these words, as a script for the shell."""
    text = Path(__file__).parents[2].joinpath("docs", page).read_text()
    return next(block.body for block in blocks(text) if block.body.startswith(first))


def test_the_commands_of_the_page_can_be_run_again_and_again() -> None:
    script = documented_commands("reference/compile.md", "jaragua compile digits --board pico --out digits-c")
    assert "-o selftest && ./selftest" in script
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for notes in ("", "my own notes"):
        done = subprocess.run(
            ["sh", "-e", "-c", script], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["good"]), done.stderr
        assert Path("digits-c/selftest").is_file()
        assert not notes or Path("digits-c/notes.txt").read_text() == notes
        Path("digits-c/notes.txt").write_text("my own notes")


def test_a_prefix_is_on_every_name(capsys: pytest.CaptureFixture[str]) -> None:
    data = document(capsys, "compile", "sine", "--board", "pico", "--out", "made", "--prefix", "wave")
    assert {name for name in data["files"] if "wave" not in name} == {"LICENSE", "README.md", "jaragua.json"}
    assert selftest_passes("made")


@pytest.mark.parametrize("prefix", ["Wave", "3d", "a-b", "", "string", "a" * 33])
def test_a_prefix_that_c_cannot_have(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "prefix" in refused(capsys, 7, "compile", "sine", "--board", "pico", "--prefix", prefix)


@pytest.mark.board
@pytest.mark.parametrize("board", ["pico", "nano33ble"])
def test_run_builds_the_self_test_for_the_core_and_runs_it(board: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compile", "digits", "--board", board, "--out", "made", "--run", "--json"]) == 0
    said = capsys.readouterr()
    assert "the self-test of made passed on an emulated cortex_m" in said.err
    assert json.loads(said.out)["data"]["selftest_ran"] is True


@pytest.mark.board
def test_run_says_that_a_bit_is_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made_vector = vector._step

    def wrong(*arguments: Any) -> vector.VectorStep:
        step = made_vector(*arguments)
        return replace(step, weights_crc32=step.weights_crc32 ^ 1)

    monkeypatch.setattr(vector, "_step", wrong)
    assert run(["compile", "sine", "--board", "pico", "--out", "made", "--run"]) == 7
    assert "the self-test of made found a wrong bit on an emulated cortex_m0plus" in capsys.readouterr().err


def test_run_without_its_programs_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    said = refused(capsys, 10, "compile", "sine", "--board", "pico", "--run")
    assert "emulated boards need arm-none-eabi-gcc and qemu-system-arm: not found on the PATH." in said


def test_a_file_that_the_user_changed_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("compile", "sine", "--board", "pico", "--out", "made")
    document(capsys, *arguments)
    Path("made/main.c").write_text("my own")
    Path("made/sine.c").write_text("changed")
    said = refused(capsys, 7, *arguments)
    assert "sine.c was changed in it" in said
    assert "--force" in said
    assert Path("made/sine.c").read_text() == "changed"
    document(capsys, *arguments, "--force", "--prefix", "wave")
    assert Path("made/main.c").read_text() == "my own"
    assert not Path("made/sine.c").exists()


def test_layers_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, 7, "compile", "sine", "--board", "pico", "--train", "3")
    assert "has no layer '3' to train" in said
    assert "there are: 0, 1, 2" in said
