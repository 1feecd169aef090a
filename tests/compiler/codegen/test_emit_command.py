"""`python -m jaragua_models emit`: what a firmware build calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jaragua_compiler import emit, plan
from jaragua_models import get
from jaragua_models.__main__ import main

DATA = Path(__file__).parents[1] / "data"
FIXTURES = Path(__file__).parents[1] / "fixtures"


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_model_of_the_zoo_is_emitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emit", "--model", "digits", "--out", str(tmp_path / "a")]) == 0
    emit(plan(get("digits").network), tmp_path / "b")
    assert _texts(tmp_path / "a") == _texts(tmp_path / "b")
    assert set(_texts(tmp_path / "a")) == {"jrg_model.c", "jrg_model_config.h"}
    assert "digits: blob 4928 bytes" in capsys.readouterr().err


def test_a_keras_file_is_emitted(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="reading .keras files needs h5py")
    assert main(["emit", "--model", str(DATA / "small.keras"), "--out", str(tmp_path)]) == 0
    assert '#define JRG_MODEL_NAME "small"' in (tmp_path / "jrg_model_config.h").read_text()


@pytest.mark.parametrize("file", ["trio.keras", "trio.onnx", "trio.tflite"])
def test_what_compile_takes_emit_takes_and_all_formats_give_the_same(file: str, tmp_path: Path) -> None:
    pytest.importorskip("h5py" if file.endswith("keras") else "onnx", reason="the file's reader is not installed")
    arguments = ["emit", "--loss", "softmax_cross_entropy", "--out"]
    assert main([*arguments, str(tmp_path / "a"), "--model", str(FIXTURES / file)]) == 0
    assert main([*arguments, str(tmp_path / "b"), "--model", str(FIXTURES / "trio.tflite")]) == 0
    code = (folder_texts["jrg_model.c"] for folder_texts in map(_texts, (tmp_path / "a", tmp_path / "b")))
    assert len({re.sub(r"the network .*", "", text) for text in code}) == 1


def test_files_that_would_not_change_are_left_alone(tmp_path: Path) -> None:
    main(["emit", "--model", "sine", "--out", str(tmp_path)])
    written = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    main(["emit", "--model", "sine", "--out", str(tmp_path)])
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())] == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "digit"], "there is no model 'digit' in the zoo"),
        (["--model", "none.keras"], "none.keras cannot be read"),
        (["--model", "digits", "--loss", "mean_squared_error"], "--loss is for model files"),
        (["--model", "digit@w8"], "there is no model 'digit@w8' in the zoo"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_hint(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["emit", *arguments, "--out", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert len(lines) == 2
