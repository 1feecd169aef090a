"""The measurements that are run as modules refuse as every verb does: a sentence, what to do, an exit code."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from jaragua.errors import ModelError
from jaragua.experiments.online import cost, measure
from jaragua_bench import accuracy, frozen
from jaragua_compiler.command_line import exit_code_of
from jaragua_models import __main__ as emit

Command = Callable[[Sequence[str]], int]


@pytest.mark.parametrize(
    ("command", "words", "exit_code"),
    [
        (cost.main, ["--task", "nosuch"], ModelError.exit_code),
        (measure.main, ["--task", "nosuch"], ModelError.exit_code),
        (frozen.main, ["--model", "nosuch", "--train", "all"], 1),
        (accuracy.main, ["--model", "nosuch"], 1),
        (emit.main, ["emit", "--model", "nosuch", "--out", "."], 1),
    ],
)
def test_an_unknown_model_is_a_sentence_and_what_there_is(
    command: Command, words: list[str], exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(words) == exit_code
    told = capsys.readouterr()
    first, second = told.err.splitlines()
    assert first.lower() == "error: there is no model 'nosuch' in the zoo."
    assert "digits, keywords, keywords-mel, omniglot" in second
    assert told.out == ""


def test_a_sign_that_stdout_has_no_letters_for_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    assert exit_code_of(lambda: print("5 ± 1 …")) == 0
    stream.flush()
    assert stream.buffer.getvalue() == b"5 \\xb1 1 \\u2026\n"  # type: ignore[attr-defined]


def test_a_reader_that_has_gone_ends_a_command_in_silence() -> None:
    """As `python -m jaragua_bench.accuracy | head -1`: the pipe is closed after the first line."""
    program = (
        "from jaragua_compiler.command_line import exit_code_of\n"
        "raise SystemExit(exit_code_of(lambda: [print('x' * 99) for _ in range(99_999)] and None))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.readline() == b"x" * 99 + b"\n"
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait() == 1
