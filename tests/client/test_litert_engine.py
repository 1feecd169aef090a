"""LiteRT's training steps equal the float engine's, in each runtime; and what is not there is said in a sentence.

`make test-litert` makes the environments of both runtimes, without TensorFlow and without a compiler, and asks for
both; `make test` takes the runtime of its own environment, and the other's if it is there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from litert_networks import NETWORKS
from litert_runtimes import ROOT, RUNTIMES, python_with
from litert_steps import FOLDER, RATE, STEPS, samples

import jaragua_compiler.litert.runtime as runtime
from jaragua_compiler import CompileError, initial_weights, plan
from jaragua_compiler.floating.engine import FloatEngine
from jaragua_compiler.floating.form import pack_floats
from jaragua_compiler.litert.engine import LitertEngine
from jaragua_compiler.litert.training_file import find_training_files, read_training_file

TOLERANCE = 1e-5
# Not drawn anew in each run: docs/reference/litert.md says what happens with one seed in twenty-four.
SEED = 7


def steps_in(name: str, network: str, seed: int, folder: Path) -> dict[str, np.ndarray]:
    """What `litert_steps.py` found there. No compiler is in its PATH, and no path of ours but the tests' folder."""
    result, nowhere = folder / "steps.npz", folder / "nowhere"
    nowhere.mkdir()
    program = [python_with(name), "litert_steps.py", network, str(seed), str(result)]
    done = subprocess.run(
        program,
        cwd=Path(__file__).parent,
        env={"PATH": str(nowhere), "HOME": str(nowhere)},
        capture_output=True,
        text=True,
        timeout=600,  # under emulation too
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(result) as found:
        return dict(found)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Relative, of two vectors."""
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", RUNTIMES)
def test_m9_a_hundred_steps_equal_the_float_engine(name: str, network: str, tmp_path: Path) -> None:
    found = steps_in(name, network, SEED, tmp_path)
    assert found["runtime"] == name
    layout, start = plan(NETWORKS[network]), initial_weights(NETWORKS[network], SEED)
    engine, untrained = FloatEngine(NETWORKS[network], start), FloatEngine(NETWORKS[network], start)
    steps = [engine.train_step(x, target, RATE) for x, target in samples(NETWORKS[network], SEED)]
    weights = np.frombuffer(pack_floats(layout, engine.weights), "<f4")
    outputs = np.concatenate([engine.forward(x[None]) for x, _ in samples(NETWORKS[network], SEED)])
    rest = [untrained.train_step(x, target, 0.0).loss for x, target in samples(NETWORKS[network], SEED)]
    distances = {
        "weights": distance(found["weights"], weights),
        "losses": distance(found["losses"], np.array([step.loss for step in steps])),
        "outputs": distance(found["outputs"], outputs),
        "evaluated": distance(found["evaluated"], np.array(rest)),
    }
    print(name, network, {key: f"{value:.1e}" for key, value in distances.items()})
    assert distance(found["weights"], np.frombuffer(pack_floats(layout, start), "<f4")) > 100 * TOLERANCE
    assert max(distances.values()) <= TOLERANCE
    assert found["correct"].tolist() == [step.correct for step in steps]
    assert len(steps) == STEPS


@pytest.mark.parametrize("network", NETWORKS)
def test_a11_1_a_step_of_several_samples_is_one_by_their_mean_gradient(network: str) -> None:
    layout, start = plan(NETWORKS[network]), initial_weights(NETWORKS[network], SEED)
    engine = LitertEngine(layout, read_training_file(FOLDER / f"{network}.tflite"))
    engine.load(pack_floats(layout, start))
    batch = list(samples(NETWORKS[network], SEED))[:8]
    steps = engine.batch_step(np.array([x for x, _ in batch]), np.array([target for _, target in batch]), RATE)
    reference, mean = FloatEngine(NETWORKS[network], start), 0.0
    for (x, target), step in zip(batch, steps, strict=True):
        assert step.loss == pytest.approx(reference.train_step(x, target, 0.0).loss, rel=1e-5)
        mean = mean + np.concatenate([part.ravel() for pair in reference.gradients for part in pair]) / len(batch)
    first = np.frombuffer(pack_floats(layout, start), "<f4")
    moved = np.frombuffer(engine.weights(), "<f4").astype(np.float64) - first
    assert distance(moved, -RATE * mean) < 1e-4


def test_the_variables_start_with_the_weights_of_the_export(tmp_path: Path) -> None:
    found = steps_in("ai_edge_litert", "digits", SEED, tmp_path)
    network = NETWORKS["digits"]
    assert np.array_equal(
        found["stored"], np.frombuffer(pack_floats(plan(network), initial_weights(network, 1)), "<f4")
    )


def test_a_folder_gives_the_files_in_it() -> None:
    found = {file.network: file.architecture for file in find_training_files(FOLDER)}
    assert found == {name: plan(network).architecture for name, network in NETWORKS.items()}


def test_a_file_of_another_network_is_refused_by_both_names() -> None:
    with pytest.raises(CompileError, match=r"trains 'kinds', architecture .*network 'digits'") as caught:
        LitertEngine(plan(NETWORKS["digits"]), read_training_file(FOLDER / "kinds.tflite"))
    assert "jaragua export-litert digits" in caught.value.hint


def test_a_file_that_is_not_there_or_no_training_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="cannot be read"):
        find_training_files(tmp_path / "absent.tflite")
    with pytest.raises(CompileError, match=r"no \.tflite file"):
        find_training_files(tmp_path)
    (tmp_path / "text.tflite").write_text("no model")
    with pytest.raises(CompileError, match="not a LiteRT file"):
        read_training_file(tmp_path / "text.tflite")
    other = next((ROOT / "tests" / "compiler").rglob("*.tflite"))
    with pytest.raises(CompileError, match="no training step"):
        read_training_file(other)


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, fraction: float) -> None:
    whole = (FOLDER / "digits.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(CompileError, match=r"cut\.tflite"):
        LitertEngine(plan(NETWORKS["digits"]), read_training_file(path))


def test_weights_of_another_network_or_not_finite_are_refused() -> None:
    engine = LitertEngine(plan(NETWORKS["digits"]), read_training_file(FOLDER / "digits.tflite"))
    before = engine.weights()
    with pytest.raises(CompileError, match="bytes"):
        engine.load(before[:-4])
    with pytest.raises(CompileError, match="finite"):
        engine.load(before[:-4] + np.float32(np.inf).tobytes())
    assert engine.weights() == before


def test_no_runtime_and_tflite_runtime_with_numpy_2_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(runtime.RuntimeMissing, match="no LiteRT runtime"):
        runtime.runtime_name()
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda package: package if "tflite" in package else None)
    monkeypatch.setattr(runtime.np, "__version__", "2.1.0")
    with pytest.raises(runtime.RuntimeMissing, match="NumPy 2") as caught:
        runtime.runtime_name()
    assert "numpy<2" in caught.value.hint


@pytest.mark.parametrize("network", NETWORKS)
def test_no_input_of_a_signature_is_a_scalar(network: str) -> None:
    """The runtimes of aarch64 resize one out of bounds (docs/reference/litert.md)."""
    interpreter = runtime.open_interpreter(FOLDER / f"{network}.tflite")
    ranks = {
        (signature, name): len(details["shape"])
        for signature in interpreter.get_signature_list()
        for name, details in interpreter.get_signature_runner(signature).get_input_details().items()
    }
    assert ranks["train", "rate"] == 1
    assert min(ranks.values()) >= 1


def test_a_training_file_of_the_older_form_is_refused_with_what_helps(tmp_path: Path) -> None:
    content = (FOLDER / "digits.tflite").read_bytes()
    assert content.count(b'"format": 2') == 1
    path = tmp_path / "digits.tflite"
    path.write_bytes(content.replace(b'"format": 2', b'"format": 1'))
    with pytest.raises(CompileError, match=r"digits\.tflite is a training file of format 1.* reads format 2") as caught:
        read_training_file(path)
    assert "Export it again" in caught.value.hint
