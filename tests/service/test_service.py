"""`jaragua service`: systemd itself reads, enables and rates the units; nothing is started here."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.errors import UsageError
from jaragua.service import Role, places, unit_text
from jaragua.service.places import check_program
from jaragua.service.unit import default_options, options_text
from jaragua.trust.authority import AuthorityFolder
from jaragua.trust.identity import SIGNING_KEY

INSTALLED = Path(sys.executable).with_name("jaragua")
#: Of `systemd-analyze security`: 0 is locked up, 10 is open; a unit without any rights taken away has 9.6.
MOST_EXPOSURE = 2.0


@pytest.fixture
def program() -> Iterator[Path]:
    """The program under a path that a unit takes: a clone may be in a folder with a space in its name."""
    with tempfile.TemporaryDirectory(prefix="jaragua-") as folder:
        link = Path(folder) / "jaragua"
        link.symlink_to(INSTALLED)
        yield link


@pytest.fixture
def systemd() -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed; tools/setup/setup.sh system installs it")


@pytest.fixture
def root(tmp_path: Path, systemd: None) -> Iterator[Path]:
    """A system that is being made."""
    folder = tmp_path / "root"
    folder.mkdir()
    yield folder
    assert not Path("/etc/systemd/system/jaragua-client.service").exists(), "the root was left"


def service(*words: str | Path) -> int:
    return run(["service", *map(str, words)])


def said(command: list[str | Path], **variables: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | variables, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("role", Role)
def test_systemd_accepts_and_enables_a_unit_of_the_system(role: Role, root: Path, program: Path) -> None:
    assert service("install", role, "--root", root, "--program", program) == 0
    unit = root / "etc/systemd/system" / f"jaragua-{role}.service"
    assert said(["systemd-analyze", "verify", unit]) == ""
    assert said(["systemctl", f"--root={root}", "is-enabled", unit.name]).strip() == "enabled"
    rating = said(["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE * 10:.0f}", unit])
    assert float(rating.split("exposure level for")[1].split(":")[1].split()[0]) <= MOST_EXPOSURE
    assert "jaragua:x:" in (root / "etc/passwd").read_text(encoding="utf-8")


@pytest.mark.parametrize("role", Role)
@pytest.mark.usefixtures("systemd")
def test_systemd_accepts_a_unit_of_a_user(
    role: Role, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert service("install", role, "--user", "--program", program) == 0
    unit = tmp_path / "config/systemd/user" / f"jaragua-{role}.service"
    (tmp_path / "run").mkdir()
    assert said(["systemd-analyze", "--user", "verify", unit], XDG_RUNTIME_DIR=str(tmp_path / "run")) == ""


@pytest.mark.parametrize("role", Role)
def test_the_verb_of_a_unit_takes_its_options(
    role: Role, program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that the verb does not have ends with exit code 2, before the help is shown."""
    text = unit_text(role, program, tmp_path / "options", is_system=True)
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    words = line.partition(" ")[2].replace("%S", str(tmp_path)).split()
    options = default_options(role, tmp_path / "config", tmp_path / "state").split()
    assert words.pop() == "$JARAGUA_OPTIONS"
    assert run([*words, *options, "--help"]) == 0
    assert "Usage: jaragua" in capsys.readouterr().out


def test_options_are_kept_until_others_are_given(root: Path, program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--root", root, "--program", program]
    options = root / "etc/jaragua/client.env"
    assert service("install", "client", *place, "--", "--identity", "/etc/jaragua/pi-1", "--model", "digits") == 0
    assert "JARAGUA_OPTIONS=--identity /etc/jaragua/pi-1 --model digits\n" in options.read_text(encoding="utf-8")
    assert stat.S_IMODE(options.stat().st_mode) == 0o600
    assert stat.S_IMODE(options.parent.stat().st_mode) == 0o700
    if os.geteuid() == 0:
        assert options.parent.stat().st_uid != 0, "the service's user reads its private keys there"
    assert service("install", "client", *place) == 0
    assert "--model digits" in options.read_text(encoding="utf-8")
    assert "(kept)" in capsys.readouterr().out


def test_what_is_installed_is_shown_and_removed(root: Path, program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert service("install", "broker", "--root", root, "--program", program) == 0
    capsys.readouterr()
    assert service("status", "--root", root, "--json") == 0
    found = {one["role"]: one["installed"] for one in json.loads(capsys.readouterr().out)["data"]["services"]}
    assert found == {"gateway": False, "client": False, "broker": True, "coordinator": False}
    assert service("uninstall", "broker", "--root", root) == 0
    assert not list((root / "etc/systemd/system").rglob("*broker*"))
    assert (root / "etc/jaragua/broker.env").exists()
    assert service("uninstall", "broker", "--root", root) == 0
    assert "broker is not installed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["install", "cook"], "use one of: gateway, client, broker, coordinator"),
        (["install", "client", "--", "--broker", "mqtt://me:secret@host"], "password on the command line"),
        (["install", "client", "--", "--model", "my file.toml"], "cannot be given to a service"),
        (["install", "client", "--program", "/home/pi/env/bin/jaragua"], "/opt/jaragua"),
        (["install", "client", "--program", "/opt/a b/jaragua"], "has a space or a quote"),
        (["install", "client", "--user"], "--root is for services of the system"),
    ],
)
def test_what_cannot_be_a_service_is_refused(
    words: list[str], expected: str, root: Path, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = [] if "--program" in words else ["--program", program]
    assert service(words[0], words[1], "--root", root, *place, *words[2:]) == 2
    told = capsys.readouterr()
    assert expected in told.err
    assert "secret" not in told.err
    assert not list(root.rglob("*.service"))


def test_a_word_that_systemd_would_take_apart_is_refused() -> None:
    for word in ("", "a b", "$HOME", "%h", 'a"b'):
        with pytest.raises(UsageError):
            options_text([word])


def test_a_user_may_run_what_is_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path("/home/pi/env/bin/jaragua")
    check_program(program, places(is_system=False))
    with pytest.raises(UsageError):
        check_program(program, places(is_system=True))


def test_a_coordinator_may_write_beside_its_signing_key_and_no_other_service_may(tmp_path: Path, program: Path) -> None:
    """G11: the generation of the key is on the disk before it is used. The folders are those of `broker init`."""
    config = tmp_path / "jaragua"
    AuthorityFolder(config / "trust").create("home", ["localhost"], 8883, datetime.now(UTC))
    (own,) = [key.parent for key in (config / "trust" / "identities").rglob(SIGNING_KEY)]
    for role in Role:
        text = unit_text(role, program, config / f"{role}.env", is_system=True)
        written = [line.partition("=")[2] for line in text.splitlines() if line.startswith("ReadWritePaths=")]
        assert written == ([f"-{config / 'identity'} -{own}"] if role is Role.COORDINATOR else [])


def test_no_secret_is_in_a_unit(program: Path) -> None:
    """G7: whoever may list processes reads their command lines, and units are readable by all."""
    for role in Role:
        for is_system in (True, False):
            text = unit_text(role, program, Path("/etc/jaragua/x.env"), is_system=is_system)
            assert "password" not in text.lower()
            assert "EnvironmentFile=/etc/jaragua/x.env" in text
