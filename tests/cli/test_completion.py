"""`jaragua completion`: real shells complete verbs, options and names, as a user types them."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jaragua.cli import completions
from jaragua.cli.main import VERBS, run

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
SECONDS = 120.0
#: How each shell is started without a user's files, and what makes it ready for the script.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ""),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -D -u;"),
}
#: What is typed before Tab -> what is then in the line.
TYPED = {
    "jaragua simu": "jaragua simulate ",
    "jaragua emulate --envi": "jaragua emulate --environment ",
    "jaragua compile digits --board nano": "jaragua compile digits --board nano33ble ",
    "jaragua completion zs": "jaragua completion zsh ",
}


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, command: list[str], home: Path) -> None:
        variables = {"PATH": PATH, "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8", "PS1": "> ", "PROMPT": "> "}
        ours, theirs = pty.openpty()
        self._file, self.shown = ours, ""
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, cwd=home, start_new_session=True
        )
        os.close(theirs)

    def send(self, text: str) -> None:
        os.write(self._file, text.encode())

    def wait_for(self, text: str) -> None:
        """Until `text` is shown behind what was shown before; AssertionError after a generous time."""
        deadline = time.monotonic() + SECONDS
        while text not in self.shown:
            ready, _, _ = select.select([self._file], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} is not in {self.shown!r}"
            self.shown += os.read(self._file, 4096).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._file)


@contextmanager
def shell(name: str, home: Path) -> Iterator[Terminal]:
    """A shell that has read the script."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed; tools/setup/setup.sh system installs it")
    command, before = SHELLS[name]
    terminal = Terminal(command, home)
    try:
        # The word is made by the shell: its echo of the typed line is not the answer.
        terminal.send(f'{before} eval "$(jaragua completion {name})"; echo rea""dy\n')
        terminal.wait_for("ready")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_completes_what_is_typed(name: str, tmp_path: Path) -> None:
    with shell(name, tmp_path) as terminal:
        for typed, completed in TYPED.items():
            terminal.send(typed + "\t")
            terminal.wait_for(completed)
            terminal.send("\x15")  # Ctrl-U: an empty line again


def test_fish_completes_what_is_typed(tmp_path: Path) -> None:
    if not shutil.which("fish"):
        pytest.skip("fish is not installed; tools/setup/setup.sh system installs it")
    asked = "; ".join(f"complete -C '{typed}'" for typed in TYPED)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"jaragua completion fish | source; {asked}"],
        env={"PATH": PATH, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offered == [completed.split()[-1] for completed in TYPED.values()], done.stderr


def test_a_shell_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "use one of: bash, zsh, fish" in capsys.readouterr().err


def test_the_values_are_those_of_the_tables() -> None:
    assert "digits" in completions.models()
    assert "tinyreptile" in completions.strategies()
    assert "nano33ble" in completions.boards()
    assert {"qemu_m4", "native"} <= set(completions.emulated())
    assert "coordinator" in completions.roles()


def test_all_verbs_are_offered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing for a word that begins none."""
    monkeypatch.setenv(completions.VARIABLE, "complete_bash")
    for typed, expected in (("jaragua ", set(VERBS)), ("jaragua nosuch ", set())):
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", "1")
        with pytest.raises(SystemExit):
            run([])
        assert set(capsys.readouterr().out.split()) == expected
