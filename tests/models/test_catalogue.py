"""The zoo's front door: which models there are, and what each promises."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import jaragua_models
from jaragua_models import Model, ModelError

OUTSIDE_DATA = {
    "keywords": "speech_commands",
    "keywords-mel": "speech_commands",
    "omniglot": "omniglot",
    "omniglot-cnn": "omniglot",
    "omniglot-reptile": "omniglot",
    "presence": "room_occupancy_estimation",
}
"""Models whose data are not in the repository, and the folder they lie in."""
NAMES = ["digits", "keywords", "keywords-mel", "omniglot", "omniglot-cnn", "omniglot-reptile", "presence", "sine"]
LISTING = f"The zoo has: {', '.join(NAMES)}."


@pytest.fixture(params=jaragua_models.names())
def model(request: pytest.FixtureRequest, use_data: Callable[[str], Path]) -> Model:
    """Each model of the zoo in turn; skips those whose data are not on this machine."""
    if request.param in OUTSIDE_DATA:
        use_data(OUTSIDE_DATA[request.param])
    return jaragua_models.get(request.param)


def test_every_folder_of_the_zoo_is_listed() -> None:
    assert jaragua_models.names() == NAMES


def test_a_model_answers_to_its_name_and_draws_tasks_with_its_own_defaults(model: Model) -> None:
    defaults = model.defaults
    train = model.tasks.train_task("board-1", 1, defaults.ways, defaults.shots)
    held_out = model.tasks.held_out_task(1, defaults.ways, defaults.shots, defaults.queries)
    assert jaragua_models.get(model.name) is model
    assert model.network.name == model.name
    assert len(train.support) == len(held_out.support) == defaults.ways * defaults.shots
    assert len(held_out.query) == defaults.queries


def test_calibration_and_samples_fit_the_network(model: Model) -> None:
    task = model.tasks.train_task("board-1", 1, model.defaults.ways, model.defaults.shots)
    calibration = model.tasks.calibration()
    for x in (calibration, task.support.x, task.query.x):
        assert x.dtype == np.float32
        assert x.shape[1] == model.network.input_size
        assert np.abs(x).max() <= 1
    assert len(calibration) > 0


@pytest.mark.parametrize(
    ("name", "suggestion"), [("digit", "Did you mean 'digits'?"), ("SINE", "Did you mean 'sine'?")]
)
def test_a_misspelt_name_is_answered_with_the_nearest_model(name: str, suggestion: str) -> None:
    with pytest.raises(ModelError) as caught:
        jaragua_models.get(name)
    assert repr(name) in caught.value.message
    assert caught.value.hint == f"{suggestion} {LISTING}"


def test_a_name_like_none_is_answered_with_the_list() -> None:
    with pytest.raises(ModelError) as caught:
        jaragua_models.get("../spirals")
    assert caught.value.hint == LISTING


def test_importing_and_getting_models_reads_no_data() -> None:
    script = (
        "import jaragua_models as m; [m.get(n) for n in m.names()]; import jaragua_models.digits.images as i;"
        "print(i.load.cache_info().currsize)"
    )
    nowhere = os.environ | {"JARAGUA_DATA_DIR": "/nowhere"}  # a loader that looks for data would say so
    answer = subprocess.run(
        [sys.executable, "-c", script], env=nowhere, capture_output=True, text=True, timeout=30, check=True
    )
    assert answer.stdout.strip() == "0"


def test_a_classifier_can_have_other_outputs_and_a_regression_cannot() -> None:
    wide = jaragua_models.get("omniglot").with_outputs(20)
    assert wide.network.outputs == 20
    assert wide.network.layers[:-1] == jaragua_models.get("omniglot").network.layers[:-1]
    with pytest.raises(ModelError, match="'sine'"):
        jaragua_models.get("sine").with_outputs(2)


def test_a_model_may_be_had_with_weights_in_another_format() -> None:
    plain, small = jaragua_models.get("sine"), jaragua_models.get("sine@w8")
    assert (small.name, small.tasks, small.network.weights) == ("sine", plain.tasks, "w8")
    with pytest.raises(ModelError, match="sine@w9: network 'sine': unknown weight format"):
        jaragua_models.get("sine@w9")
    with pytest.raises(ModelError, match="no model 'sines'"):
        jaragua_models.get("sines@w8")


def test_who_names_a_file_is_told_how_own_data_are_given() -> None:
    with pytest.raises(ModelError) as caught:
        jaragua_models.get("data/valves.csv")
    assert "NAME.toml" in caught.value.hint


@pytest.mark.parametrize("form", ["", "-", "head-", "-head", "w8head", "w8-", "w8-heads", "w8-head-", "HEAD"])
def test_r35_what_is_no_form_of_a_model_names_none(form: str) -> None:
    with pytest.raises(jaragua_models.ModelError):
        jaragua_models.get(f"digits@{form}")
