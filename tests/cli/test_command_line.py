"""The command from outside: exit codes, one sentence and a hint on stderr, one document on stdout, no traceback."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from forked import Forker
from jaragua import __version__
from jaragua.cli.main import VERBS, run

#: For a shell: the folder of this Python may have a space in its name.
PYTHON = shlex.quote(sys.executable)

MINIMAL = '[model]\nname = "sine"\n[broker]\nurl = "mqtt://127.0.0.1:1"\n'
HELP_SECONDS = 0.3


def jaragua(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jaragua.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


Failed = Callable[..., str]


@pytest.fixture
def failed(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """`failed(code, *arguments)` runs a command in both forms and checks how it fails; returns what stderr says."""

    def ended(*arguments: str) -> tuple[int, str, str]:
        output = tmp_path_factory.mktemp("failed") / "out"
        command = forker.start(arguments, output)
        return command.wait(), output.read_text(), command.said

    def checked(code: int, *arguments: str) -> str:
        (plain_code, stdout, stderr), (json_code, printed, told) = ended(*arguments), ended(*arguments, "--json")
        assert (plain_code, json_code) == (code, code), stderr
        assert stdout == ""
        assert stderr.startswith("error: ")
        assert "Traceback" not in stderr + told
        document: dict[str, Any] = json.loads(printed)
        assert (document["schema_version"], document["status"]) == (1, "error")
        assert set(document["error"]) == {"code", "message", "hint"}
        assert f"error: {document['error']['message']}" in told
        return stderr

    return checked


def test_help_lists_every_verb() -> None:
    done = jaragua("--help")
    assert done.returncode == 0
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    assert jaragua().stdout == jaragua("-h").stdout == done.stdout


def test_help_is_quick() -> None:
    """Processor time, so that a busy machine does not decide; the best of three for the same reason."""

    def seconds() -> float:
        before = os.times()
        jaragua("--help")
        after = os.times()
        return after.children_user - before.children_user + after.children_system - before.children_system

    assert min(seconds() for _ in range(3)) < HELP_SECONDS


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from jaragua.cli.main import run; run(['--help']); "
        "print([name for name in ('numpy', 'aiomqtt', 'pydantic', 'rich', 'serial', 'jaragua_compiler', "
        "'jaragua_models', 'keras', 'tensorflow', 'sklearn') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there_and_tells_how_it_is_used(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert f"Usage: jaragua {verb}" in capsys.readouterr().out


def test_the_version() -> None:
    assert jaragua("--version").stdout == f"jaragua {__version__}\n"


def test_an_unknown_verb_has_a_nearest_one(failed: Failed) -> None:
    said = failed(2, "statsu")
    assert "error: there is no verb 'statsu'" in said
    assert "hint: did you mean 'status'?" in said


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [(("status", "--jsn"), "did you mean '--json'?"), (("run", "x.toml", "--resum"), "did you mean '--resume'?")],
)
def test_an_unknown_option_has_a_nearest_one(arguments: tuple[str, ...], suggestion: str, failed: Failed) -> None:
    said = failed(2, *arguments)
    assert f"has no option '{arguments[-1]}'" in said
    assert suggestion in said


def test_a_missing_argument_is_named(failed: Failed) -> None:
    said = failed(2, "run")
    assert "missing argument" in said.lower()
    assert "hint: see `jaragua run --help`" in said


def test_a_broken_configuration_is_one_message_with_every_problem(tmp_path: Path, failed: Failed) -> None:
    path = tmp_path / "broken.toml"
    path.write_text('[model]\nname = "sin"\n[strategy]\nalpa = 1.0\n')
    said = failed(3, "run", str(path))
    assert "2 problems" in said
    assert "broken.toml:2: model.name" in said
    assert "broken.toml:4: strategy.alpa: there is no such key (did you mean 'alpha'?)" in said


def test_text_that_is_not_toml_is_one_sentence(tmp_path: Path, failed: Failed) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[model\n")
    assert "is not TOML" in failed(3, "run", str(path))


def test_a_byte_order_mark_is_no_part_of_a_configuration(tmp_path: Path, failed: Failed) -> None:
    path = tmp_path / "windows.toml"
    path.write_text('[model]\nname = "sin"\n', encoding="utf-8-sig")
    assert "windows.toml:2: model.name" in failed(3, "run", str(path))


def test_a_configuration_that_is_not_there(tmp_path: Path, failed: Failed) -> None:
    assert "No such file or directory" in failed(3, "run", str(tmp_path / "missing.toml"))


def test_a_broker_that_is_not_there(tmp_path: Path, failed: Failed) -> None:
    path = tmp_path / "run.toml"
    path.write_text(MINIMAL)
    said = failed(5, "run", str(path))
    assert "there is no connection to the broker at mqtt://127.0.0.1:1" in said
    assert "jaragua broker start" in said
    assert "there is no run to continue" in failed(9, "run", str(path), "--resume")


def test_nothing_to_resume(tmp_path: Path, failed: Failed) -> None:
    path = tmp_path / "run.toml"
    path.write_text(MINIMAL)
    assert "there is no run to continue" in failed(9, "run", str(path), "--resume")
    assert not (tmp_path / "runs").exists()


def test_the_status_of_what_is_no_run(tmp_path: Path, failed: Failed) -> None:
    assert "is not the folder of a run" in failed(9, "status", str(tmp_path))


def test_debug_shows_the_traceback() -> None:
    code = "from jaragua.cli import main; main.VERBS = None; raise SystemExit(main.run(['run']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "JARAGUA_DEBUG": "1"},
    )
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "error: unexpected TypeError" in done.stderr


def test_doctor_names_the_command_that_mends(tmp_path: Path) -> None:
    done = jaragua("doctor", "--json")
    document = json.loads(done.stdout)["data"]
    assert {"arm-none-eabi-gcc", "qemu-system-arm", "mosquitto", "pio", "newlib", "serial ports"} <= {
        check["name"] for check in document["checks"]
    }
    assert all(check["mend"] for check in document["checks"])
    (tmp_path / "apt-get").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "apt-get").chmod(0o755)
    without = jaragua("doctor", PATH=str(tmp_path))
    assert without.returncode == 10
    assert "missing arm-none-eabi-gcc" in without.stdout
    assert "sudo apt-get install -y --no-install-recommends gcc-arm-none-eabi" in without.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`jaragua --help | head -0`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "jaragua.cli.main", "status", "--help"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == ""


def test_a_verb_that_is_stopped_before_it_catches_anything_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(stopped)
    monkeypatch.setattr("jaragua.cli.main._load", lambda verb: app)
    assert run(["boards"]) == 130
    assert capsys.readouterr().err == "error: stopped by the user\n"


NO_ROOM = Path("/dev/full")


@pytest.mark.parametrize("arguments", [("boards", "--known"), ("boards", "--known", "--json"), ("bords", "--json")])
def test_a_full_disk_behind_stdout_is_one_sentence(arguments: tuple[str, ...]) -> None:
    with NO_ROOM.open("w") as full:
        command = [sys.executable, "-m", "jaragua.cli.main", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == (2 if arguments[0] == "bords" else 9)
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert ("No space left on device" in done.stderr) == (arguments[0] == "boards")


def test_a_closed_stdout_is_one_sentence() -> None:
    script = f"{PYTHON} -m jaragua.cli.main boards --json >&-"
    done = subprocess.run(["sh", "-c", script], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the result cannot be printed: stdout is closed\n")


@pytest.mark.parametrize("stderr", [f"2>{NO_ROOM}", "2>&-"])
def test_chatter_that_cannot_be_told_ends_nothing(stderr: str) -> None:
    words = "simulate --task sine --rounds 1 --clients 1 --eval-tasks 1 --workers 1 --json"
    script = f"{PYTHON} -m jaragua.cli.main {words} {stderr}"
    done = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["status"] == "ok"
    assert done.returncode == 0


@pytest.mark.parametrize(("name", "encoding"), [("x\udcff.toml", "utf-8:strict"), ("Пресс.toml", "latin-1")])
def test_a_name_that_stdout_has_no_letters_for_is_a_document_all_the_same(name: str, encoding: str) -> None:
    done = jaragua("simulate", "--task", name, "--json", PYTHONIOENCODING=encoding)
    assert done.returncode == 7
    assert json.loads(done.stdout)["error"]["message"] == f"{name}: cannot be read: No such file or directory."


def test_an_interrupt_while_prints_are_led_elsewhere_still_ends_in_one_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It can come between the first step of `redirect_stdout` and its `with`, and then nobody leads them back."""

    def interrupted(arguments: list[str]) -> int:
        monkeypatch.setattr(sys, "stdout", sys.stderr)
        raise KeyboardInterrupt

    monkeypatch.setattr("jaragua.cli.main._dispatch", interrupted)
    assert run(["simulate", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["message"]
