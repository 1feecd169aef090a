"""Whatever encoding, width or end a stream has: a verb prints all of it, in characters that the stream can carry."""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import os
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

import numpy as np
import pytest

from jaragua import config as configuration
from jaragua.boards import environments
from jaragua.cli import output, streams
from jaragua.cli.main import VERBS, run
from jaragua.cli.monitor_output import shower
from jaragua.cli.verbs import bench, broker, demo
from jaragua.cli.verbs import run as run_verb
from jaragua.coordinator.events import DeviceTally, RunResult
from jaragua.demo.demo import DemoResult, HeldOut
from jaragua.demo.image import ImageSize
from jaragua.monitor.stamps import Stamps, Timestamp
from jaragua.report.intervals import Interval
from jaragua.serial.lines import Line
from jaragua.store import Initialisation, open_run
from jaragua_bench.measure import Result
from jaragua_compiler.planning.boards import boards

#: For a shell: the folder of this Python may have a space in its name.
PYTHON = shlex.quote(sys.executable)

ENCODINGS = ("ascii", "latin-1", "cp1252")
REPOSITORY = Path(__file__).parents[2]
PRODUCT = ("host", "broker", "models", "tools/jaragua_compiler", "tools/platform")


class Said:
    """What a verb wrote, read back strictly in the encoding it was written in."""

    def __init__(self, encoding: str) -> None:
        self.code = 0
        self.encoding = encoding
        self._streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]

    @property
    def out(self) -> str:
        return self._read(0)

    @property
    def err(self) -> str:
        return self._read(1)

    def _read(self, number: int) -> str:
        stream = self._streams[number]
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        return stream.buffer.getvalue().decode(self.encoding)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """What is printed comes here; the streams are made ready as `main` does it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", self._streams[0])
            patch.setattr(sys, "stderr", self._streams[1])
            streams.prepare()
            yield

    def run(self, words: list[str]) -> int:
        with self.listening():
            return run(words)


@pytest.fixture(params=ENCODINGS)
def said(request: pytest.FixtureRequest) -> Said:
    """stdout and stderr of one encoding."""
    return Said(request.param)


def finished_run(folder: Path) -> Path:
    """The folder of a run of two rounds."""
    path = folder / "run.toml"
    path.write_text('[model]\nname = "sine"\n', encoding="utf-8")
    settings = configuration.load(path)
    start = Initialisation(0, np.zeros(3), b"")
    with open_run(settings.run.directory) as opened:
        record = opened.begin(settings, start)
        for number in (1, 2):
            figures = {"pi-1": {"loss": 1.0, "score": 0.5, "age": 0}}
            metrics = {"devices": figures, "bytes_up": 1, "bytes_down": 1, "metric": "mse", "loss": 1.0, "score": 0.5}
            opened.store.open_round(record.run, number, [], [])
            opened.store.close_round(
                record.run, number, metrics, Initialisation(number, start.vector, b""), finished=False
            )
        opened.write_summary()
    return settings.run.directory


RUN = RunResult(
    *("r", Path("/läufe/r"), 2, "00", b"", b"", (DeviceTally("pi-1", "pi", 2),), 1, 1, "accuracy", 0.5, 0.5, 0)
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_help_page(said: Said, verb: str) -> None:
    assert said.run([verb, "--help"]) == 0
    assert f"Usage: jaragua {verb}" in said.out


def _first_line(verb: object) -> str:
    return (verb.__doc__ or "").partition("\n")[0]


@pytest.mark.parametrize(
    ("words", "lines"),
    [([], list(VERBS.values())), (["broker"], [_first_line(broker.start), _first_line(broker.check)])],
)
def test_lists_of_verbs_are_not_cut(said: Said, words: list[str], lines: list[str]) -> None:
    assert said.run([*words, "--help"]) == 0
    shown = " ".join(said.out.split())
    assert [line for line in lines if line not in shown] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["größe"], 2),
        (["status", "--größe"], 2),
        (["run", "größe.toml"], 3),
        (["status", "größe"], 9),
        (["simulate", "--task", "größe"], 7),
        (["simulate", "--task", "sine", "--strategy", "größe"], 3),
        (["compile", "größe", "--board", "pico"], 7),
        (["compile", "sine", "--board", "größe"], 2),
        (["bench", "--model", "größe"], 2),
        (["online", "--emulate", "--native"], 2),
        (["emulate", "--model", "größe"], 7),
        (["export-litert", "größe.onnx"], 7),
        (["gateway", "--port", "/dev/größe", "--broker", "größe", "--fleet", "home"], 5),
        (["client", "--broker", "mqtt://größe:x", "--fleet", "home", "--node", "pi"], 5),
        (["broker", "start", "--port", "größe"], 2),
        (["broker", "check", "--broker", "größe"], 5),
        (["monitor", "--port", "/dev/größe"], 4),
        (["reproduce", "--only", "größe"], 2),
        (["demo", "--boards", "größe"], 2),
    ],
)
@pytest.mark.parametrize("said", ["ascii"], indirect=True)
def test_errors_are_sentences_in_any_encoding(said: Said, words: list[str], code: int) -> None:
    assert said.run(words) == code
    assert said.err.startswith("error: ")
    assert "unexpected" not in said.err


def test_boards(said: Said) -> None:
    assert said.run(["boards", "--known"]) == 0
    listed = [*boards(), *environments()]
    assert all(board.title in said.out and board.core in said.out for board in listed)
    # Two tables, each with a title, a heading and three lines: no row is folded.
    assert said.out.count("\n") == len(listed) + 2 * 5


def test_a_compilation(said: Said, tmp_path: Path) -> None:
    assert said.run(["compile", "sine", "--board", "pico", "--out", str(tmp_path / "größe")]) == 0
    assert "weights: layer 1, Dense 32 -> 32" in said.out
    assert ("größe" if said.encoding != "ascii" else "gr\\xf6\\xdfe") in said.out


def test_a_simulation(said: Said) -> None:
    words = ["--task", "sine", "--rounds", "1", "--clients", "1", "--eval-tasks", "2", "--workers", "1"]
    assert said.run(["simulate", *words]) == 0
    assert ("+/-" if said.encoding == "ascii" else "±") in said.out


@pytest.mark.parametrize("said", ["ascii", "latin-1"], indirect=True)
def test_a_status(said: Said, tmp_path: Path) -> None:
    assert said.run(["status", str(finished_run(tmp_path))]) == 0
    assert "pi-1 0.500 -> 0.500" in said.out


def test_a_document_is_the_same_json(said: Said, tmp_path: Path) -> None:
    assert said.run(["status", str(tmp_path / "größe"), "--json"]) == 9
    assert "größe" in json.loads(said.out)["error"]["message"]
    with said.listening():
        output.print_result({"sign": "± → größe"})
    assert json.loads(said.out.splitlines()[1])["data"] == {"sign": "± → größe"}


def test_what_a_board_says(said: Said) -> None:
    with said.listening():
        for as_json in (False, True):
            shower(as_json, Stamps(Timestamp.CLOCK, 0), None)(Line("text", "5 °C ± 1", {"text": "5 °C ± 1"}), "", 0)
    plain, document = said.out.splitlines()
    assert json.loads(document)["text"] == "5 °C ± 1"
    assert plain.endswith("5  deg C +/- 1" if said.encoding == "ascii" else "5 °C ± 1")


def test_what_long_verbs_print_at_their_end(said: Said) -> None:
    held_out = HeldOut("accuracy", 0.1, 0.7, 0.5, Interval(0.2, 0.1, 0.3, 24))
    with said.listening():
        output.show(demo.text(DemoResult(RUN, held_out, ImageSize(1, 1))))
    assert "interval of the paired difference" in said.out


@pytest.mark.parametrize("said", ["ascii", "latin-1"], indirect=True)
def test_the_end_of_a_run(said: Said, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[model]\nname = "sine"\n', encoding="utf-8")
    with said.listening():
        run_verb.print_result(configuration.load(path), RUN)
        output.print_result(run_verb.document(configuration.load(path), RUN))
    plain, document = said.out.rstrip("\n").rsplit("\n", 1)
    assert ("/läufe/r" if said.encoding == "latin-1" else "/l\\xe4ufe/r") in plain
    assert json.loads(document)["data"]["run_dir"] == "/läufe/r"


@pytest.mark.parametrize("said", ["ascii", "latin-1"], indirect=True)
def test_a_table_of_the_bench(said: Said) -> None:
    numbers = {field.name: 1 for field in dataclasses.fields(Result)}
    result = Result(**numbers | {"model": "größe", "operators": (), "float32_instructions": None})  # type: ignore[arg-type]
    with said.listening():
        bench._print_table([result])
    assert ("größe" if said.encoding == "latin-1" else "gr\\xf6\\xdfe") in said.out
    assert "no room" in said.out


@pytest.mark.parametrize("said", ["ascii", "latin-1"], indirect=True)
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["reproduce", "--list"], 0),
        (["doctor", "--for", "any"], 0),
        (["doctor", "--for", "coordinator", "--broker", "mqtt://127.0.0.1:1", "--run-dir", "größe"], 10),
        (["boards", "--known", "--json"], 0),
        (["--version"], 0),
    ],
)
def test_other_verbs(said: Said, words: list[str], code: int) -> None:
    assert said.run(words) == code
    assert said.out.endswith("\n")


def test_progress_lines(said: Said) -> None:
    with said.listening():
        output.say("measuring SINE …")
    assert said.err == ("measuring SINE …\n" if said.encoding == "cp1252" else "measuring SINE ...\n")


def test_every_sign_of_the_product_has_a_form_in_ascii() -> None:
    """Letters are escaped: a name must stay exact."""
    letters = {letter for text in _texts() for letter in text if ord(letter) > 127}
    signs = {letter for letter in letters if not unicodedata.category(letter).startswith(("L", "M"))}
    assert {"…", "±"} <= signs
    assert [sign for sign in sorted(signs) if "\\" in streams.ascii_form(sign)] == []


def test_lines_of_tables_have_a_form_in_ascii() -> None:
    forms = {letter: streams.ascii_form(letter) for letter in map(chr, range(0x2500, 0x25A0))}
    assert set(forms.values()) == {"-", "|", "+", "#"} | {forms[letter] for letter in "╱╲╳"}
    assert (forms["━"], forms["┃"], forms["┏"], forms["┼"], forms["█"]) == ("-", "|", "+", "+", "#")


def _texts() -> Iterator[str]:
    """Those with letters outside of ASCII, as they stand in the product's source."""
    for room in PRODUCT:
        for source in (path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / room).rglob("*.py"))):
            if not source.isascii():
                yield from (node.value for node in ast.walk(ast.parse(source)) if _is_text(node))


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def typed(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line in a shell; `jaragua` is the command under test."""
    command = f'jaragua() {{ {PYTHON} -m jaragua.cli.main "$@"; }}; {script}'
    variables = {**os.environ, **environment}
    return subprocess.run(["bash", "-c", command], capture_output=True, timeout=120, check=False, env=variables)


C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
needs_ascii_folder = pytest.mark.skipif(
    not str(REPOSITORY).isascii(),
    reason="PYTHON DOES NOT START: in the C locale it cannot read its own .pth file, which names this folder",
)


@needs_ascii_folder
def test_a_table_in_the_c_locale_and_a_narrow_pipe_is_complete() -> None:
    done = typed("jaragua boards --known", COLUMNS="40", **C_LOCALE)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode("ascii").splitlines()
    assert any("Raspberry Pi Pico (RP2040)" in line and "cortex_m0plus" in line for line in lines)


@needs_ascii_folder
def test_a_name_that_is_no_text_is_a_sentence() -> None:
    done = typed("jaragua status $'gr\\xfc\\xdfe'; echo $?; jaragua run $'gr\\xfc.toml'; echo $?", **C_LOCALE)
    assert done.stdout == b"9\n3\n"
    assert b"gr\\xfc\\xdfe" in done.stderr
    assert b"unexpected" not in done.stderr


def test_a_reader_that_leaves_a_table_is_no_error() -> None:
    done = typed("(jaragua boards --known; echo $? >&2) | true")
    assert done.stderr in (b"1\n", b"0\n")


def test_closed_streams_are_not_given_to_files() -> None:
    """Else what a child prints on its stdout would go into the first file that was opened."""
    code = "import os; from jaragua.cli import streams; streams.prepare(); os.write(3, b'%d' % os.open('/dev/null', 0))"
    done = typed(f'{PYTHON} -c "{code}" 3>&1 >&- 2>&- <&-')
    assert int(done.stdout) > 2
