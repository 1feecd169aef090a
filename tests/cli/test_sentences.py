"""What a new user types wrong: each message says what happened and where, the hint what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.reasons import reason_of, value_in_words


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "section.toml").write_text('model = 3\n[run]\nrounds = "x"\nname = 1\n')
    return tmp_path


@pytest.mark.parametrize(
    ("line", "code", "said", "hint"),
    [
        ("simulate --task", 2, "option '--task' requires an argument", "see `jaragua simulate --help`"),
        ("run x.toml --resume=3", 2, "option '--resume' does not take a value", "see `jaragua run --help`"),
        ("simulate --task sine --rounds x", 2, "invalid value for '--rounds': must be a whole number", "--help"),
        (
            "simulate --task sine --learning-rate x",
            2,
            "invalid value for '--learning-rate': must be a number",
            "--help",
        ),
        ("simulate --task sine --shots 0", 2, "'--shots': must be greater than or equal to 1", "--help"),
        ("client --engine lite", 2, "'--engine': 'lite' is not one of 'native', 'litert'", "jaragua client --help"),
        ("broker stop", 2, "`jaragua broker` has no verb 'stop'", "there are: start, init, check; see"),
        ("broker", 2, "missing command", "see `jaragua broker --help`"),
        ("run section.toml", 3, "section.toml:1: model: 3 must be a section, with its keys below", "correct them all"),
        ("run folder", 3, "cannot read the configuration folder: Is a directory", "check the path"),
        ("status nowhere", 9, "there is no folder nowhere", "that `jaragua run` printed"),
        ("status folder", 9, "folder is not the folder of a run", "that `jaragua run` printed"),
        ("monitor --port folder", 4, "folder is a folder, not a serial port", "port"),
        ("monitor --port /dev/null", 4, "/dev/null is not a serial port", "port"),
        ("broker check --broker 127.0.0.1", 5, "the broker URL does not begin with mqtt://", "write it as mqtt://"),
        ("broker check --broker http://x", 5, "the broker URL has the scheme 'http', not mqtt", "write it as mqtt://"),
        ("broker check --broker mqtt://127.0.0.1:1", 5, "does not serve: Connection refused", "broker start"),
        ("broker start --data file", 5, "file cannot be used: a file is in its place", "--data"),
        ("simulate --task sine --learning-rate 5", 3, "--set client.learning_rate: 5.0 must be less than 1", "correct"),
        ("demo --strategy nope", 3, "there is no strategy 'nope'", "known: "),
    ],
)
def test_a_message_says_what_and_the_hint_what_to_do(
    line: str, code: int, said: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == code
    told = capsys.readouterr()
    error, _, advice = told.err.partition("hint: ")
    assert error.startswith("error: ")
    assert said in error
    assert hint in advice
    assert "Errno" not in told.err
    assert "Input should" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileExistsError(17, "File exists", "x"), "a file is in its place"),
        (NotADirectoryError(20, "Not a directory", "x/y"), "a part of its path is a file"),
        (PermissionError(13, "Permission denied", "x"), "Permission denied"),
        (ValueError("[Errno 111] Connection refused"), "Connection refused"),
        (ValueError("[Errno -2] Name or service not known"), "Name or service not known"),
    ],
)
def test_reasons_have_no_numbers(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Input should be a valid integer, unable to parse string as an integer", "must be a whole number"),
        ("Input should be a valid string", 'must be text in quotes ("…")'),
        ("Input should be greater than 0", "must be greater than 0"),
        ("Input should be a finite number", "must be a finite number"),
        ("Value error, the URL is none", "the URL is none"),
    ],
)
def test_values_in_plain_words(message: str, words: str) -> None:
    assert value_in_words(message) == words
