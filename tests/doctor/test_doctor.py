"""`jaragua doctor`: what a role needs, what is only worth a note, and the step that mends each."""

from __future__ import annotations

import json
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.postgres_server import PostgresServer
from jaragua.cli.main import run
from jaragua.doctor import (
    Role,
    Wanted,
    checks_of,
    default_role,
    install_command,
    links,
    places,
    runtimes,
    stores,
    tools,
)
from jaragua.settings import StoreSettings
from jaragua.store import Store, address_of
from jaragua.trust.authority import now_utc
from jaragua_broker import Broker
from trust.fleet_authority import expired_identity, make_authority, secured_broker

NAMES = {
    Role.CLIENT: {"packages", "broker", "outbox", "cc", "cache", "litert"},
    Role.GATEWAY: {"packages", "broker", "outbox", "serial rights", "serial ports"},
    Role.COORDINATOR: {"packages", "broker", "run folder", "mosquitto"},
    Role.FLASH: {"sources", "arm-none-eabi-gcc", "newlib", "pio", "serial rights", "serial ports"},
    Role.DEMO: {"sources", "arm-none-eabi-gcc", "qemu-system-arm", "mosquitto", "cc", "pio", "newlib"},
}


@pytest.fixture(autouse=True)
def no_imports(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[bool, str]]:
    """Imports in processes of their own take seconds: what they would say, by the start of their code."""
    said = {"import": (True, ""), "from": (False, "no LiteRT runtime is installed.")}
    monkeypatch.setattr(runtimes, "_run", lambda code: said[code.split()[0]])
    return said


@pytest.fixture
def own_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def document(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and what was found, check by check."""
    code = run(["doctor", *words, "--json"])
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["ready"] == (code == 0)
    return code, {check["name"]: check for check in data["checks"]}


@pytest.mark.parametrize("role", NAMES)
@pytest.mark.usefixtures("own_homes")
def test_a_role_looks_at_what_it_needs(role: Role) -> None:
    found = list(checks_of(role, Wanted()))
    assert NAMES[role] <= {check.name for check in found}
    assert len({check.name for check in found}) == len(found)
    assert all(check.mend and check.purpose for check in found)


@pytest.mark.usefixtures("own_homes")
def test_an_installed_package_is_ready_without_the_tools_of_the_demonstration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert default_role(tmp_path / "site-packages" / "jaragua" / "doctor" / "roles.py") is Role.ANY
    assert default_role() is Role.DEMO
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_EXTRA_PATH", ())
    code, found = document(capsys, "--for", "any")
    assert code == 0
    tools_of_demo = ("qemu-system-arm", "arm-none-eabi-gcc", "newlib", "cc")
    assert not any(found[name]["ok"] or found[name]["needed"] for name in tools_of_demo)


@pytest.mark.usefixtures("own_homes")
def test_a_client_needs_one_engine_of_the_two(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    no_imports: dict[str, tuple[bool, str]],
) -> None:
    code, found = document(capsys, "--for", "client")
    assert (code, found["cc"]["ok"], found["litert"]["needed"]) == (0, True, False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_EXTRA_PATH", ())
    code, found = document(capsys, "--for", "client")
    assert code == 10
    assert [name for name in ("cc", "litert") if found[name]["needed"]] == ["cc", "litert"]
    assert "pip install ai-edge-litert" in found["litert"]["mend"]
    no_imports["from"] = (True, "ai_edge_litert")
    code, found = document(capsys, "--for", "client")
    assert (code, found["cc"]["needed"]) == (0, False)


def test_a_compiler_without_headers_does_not_compile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "fake-cc"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "cc 1" || exit 1\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(fake))
    found = tools.check_compiler(needed=True)
    assert (found.ok, found.name) == (False, str(fake))
    assert "headers are missing" in found.found
    monkeypatch.delenv("CC")
    assert tools.check_compiler(needed=True).ok


def test_a_named_broker_has_to_answer(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = document(capsys, "--for", "coordinator", "--broker", "mqtt://127.0.0.1:1")
    assert code == 10
    assert found["broker"]["found"] == "the broker at mqtt://127.0.0.1:1 does not serve: Connection refused"
    with Broker() as broker:
        code, found = document(capsys, "--for", "coordinator", "--broker", broker.url)
    assert (code, found["broker"]["ok"]) == (0, True)
    code, found = document(capsys, "--for", "coordinator", "--broker", "nonsense")
    assert (code, "mqtt://" in found["broker"]["found"]) == (10, True)


def test_a_broker_that_asks_who_connects_is_asked_with_an_identity(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """G3, G19: certificate, private key and authority of a folder, or of options."""
    authority = make_authority(tmp_path / "trust", "pi-1")
    soon = authority.issue("pi-2", (), now_utc(), days=10.5)
    words = ("--for", "coordinator", "--broker")
    with secured_broker(authority, tmp_path / "data") as broker:
        code, found = document(capsys, *words, broker.url, "--ca", str(authority.certificate))
        assert (code, found["broker"]["ok"]) == (10, False)
        code, found = document(capsys, *words, broker.url, "--identity", str(authority.identity_folder("pi-1")))
        assert (code, found["broker"]["ok"], found["certificate"]["ok"]) == (0, True, True)
        assert found["authority"]["found"].startswith(f"the certificate {authority.identity_folder('pi-1')}")
        files = [f"--{option}={soon / name}" for option, name in FILES.items()]
        code, found = document(capsys, *words, broker.url, *files)
        assert (code, found["broker"]["ok"], found["certificate"]["ok"]) == (0, True, False)
        assert "ends in 10 days" in found["certificate"]["found"]
        assert found["certificate"]["mend"].startswith("jaragua pki renew")
        ended = expired_identity(authority, "old")
        code, found = document(capsys, *words, broker.url, "--identity", str(ended))
        assert (code, found["certificate"]["needed"], found["broker"]["ok"]) == (10, True, False)


FILES = {"ca": "authority.crt", "cert": "certificate.crt", "key": "private.key"}


def test_a_store_that_is_named_has_to_answer(
    capsys: pytest.CaptureFixture[str], postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/how-to/postgresql.md."""
    url = postgres.new_database()
    words = ("--for", "coordinator", "--store")
    code, found = document(capsys, *words, url)
    assert (code, found["store"]["ok"]) == (0, True)
    assert found["store"]["found"].startswith("PostgreSQL 1")
    code, found = document(capsys, *words, "postgresql:///db?host=/nowhere")
    assert (code, "No such file or directory" in found["store"]["found"]) == (10, True)
    postgres.execute("CREATE ROLE guest LOGIN")
    code, found = document(capsys, *words, url.replace("jaragua@", "guest@"))
    assert (code, found["store"]["found"].endswith("its role may not write runs")) == (10, True)
    assert run(["doctor", *words, "postgresql://me:s3cret@localhost/db"]) == 2
    said = capsys.readouterr()
    assert "JARAGUA_STORE_PASSWORD" in said.err
    assert "s3cret" not in said.out + said.err
    monkeypatch.setattr(stores, "find_spec", lambda name: None)
    code, found = document(capsys, "--for", "coordinator")
    assert (code, found["store"]["found"], found["store"]["needed"]) == (0, "psycopg is not installed", False)


def test_a_database_without_fsync_is_found_and_warned_of(
    capsys: pytest.CaptureFixture[str], postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """R23.2."""
    url = postgres.new_database()
    with without_fsync(postgres):
        code, found = document(capsys, "--for", "coordinator", "--store", url)
        assert (code, found["store"]["found"].endswith("fsync is off")) == (10, True)
        address = address_of(StoreSettings(url=url), "run", {})
        assert address is not None
        Store(address).close()
    assert "has fsync off: what is acknowledged may be lost with the machine's power" in caplog.text


@contextmanager
def without_fsync(postgres: PostgresServer) -> Iterator[None]:
    """A server that is told so and has heard it."""

    def switch(statement: str, wanted: str) -> None:
        postgres.execute(statement)
        postgres.execute("SELECT pg_reload_conf()")
        while postgres.execute("SHOW fsync") != [(wanted,)]:
            assert postgres.execute("SELECT 1") == [(1,)]

    switch("ALTER SYSTEM SET fsync = off", "off")
    try:
        yield
    finally:
        switch("ALTER SYSTEM RESET fsync", "on")


def test_a_broker_that_nobody_named_is_a_note(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "USUAL_BROKER", "mqtt://127.0.0.1:1")
    code, found = document(capsys, "--for", "coordinator")
    assert (code, found["broker"]["ok"], found["broker"]["needed"]) == (0, False, False)
    assert found["broker"]["mend"] == "jaragua broker start"


def flags(flag: int) -> Callable[[Path], Any]:
    """`os.statvfs` of a disk that is mounted with a flag."""
    genuine = os.statvfs

    def statvfs(path: Path) -> Any:
        found = genuine(path)
        return os.statvfs_result([*found[:8], found.f_flag | flag, found.f_namemax])

    return statvfs


@pytest.mark.parametrize(
    ("flag", "is_run_from", "said"),
    [(os.ST_NOEXEC, True, "noexec"), (os.ST_NOEXEC, False, ""), (os.ST_RDONLY, False, "read-only")],
)
def test_how_a_disk_is_mounted(
    flag: int, is_run_from: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", flags(flag))
    problem = places.problem_of(tmp_path / "new" / "folder", is_run_from=is_run_from)
    assert said in problem
    assert bool(problem) == bool(said)
    assert not (tmp_path / "new").exists()


def test_a_folder_without_room_or_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    assert places.problem_of(tmp_path / "file" / "x") == f"{tmp_path / 'file'} is not a folder"
    monkeypatch.setattr(places, "ENOUGH_BYTES", 1 << 62)
    assert "MB left" in places.problem_of(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert places.problem_of(tmp_path / "x") == f"no right to write in {tmp_path}"


def test_a_home_that_cannot_be_used_names_the_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    code, found = document(capsys, "--for", "client")
    assert code == 10
    assert "XDG_STATE_HOME" in found["outbox"]["mend"]
    assert "--data-dir" in found["outbox"]["mend"]
    assert "XDG_CACHE_HOME" in found["cache"]["mend"]
    assert document(capsys, "--for", "gateway", "--data-dir", str(tmp_path))[1]["outbox"]["ok"]


@pytest.mark.usefixtures("own_homes")
@pytest.mark.parametrize("is_member", [False, True])
def test_a_port_that_may_not_be_opened_stops_a_gateway_only(
    is_member: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = tmp_path / "ttyACM0"
    port.write_text("")
    genuine = os.access
    monkeypatch.setattr(links, "ports_there", lambda: [port])
    monkeypatch.setattr(os, "access", lambda path, mode: path != port and genuine(path, mode))
    monkeypatch.setattr(links, "_group_of", lambda path: "dialout")
    user = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(links, "_members", lambda group: [user] if is_member else [])
    code, found = document(capsys, "--for", "gateway")
    assert (code, found["serial rights"]["found"]) == (10, f"may not open {port}")
    mend = found["serial rights"]["mend"]
    assert mend.startswith("log out and in again" if is_member else "sudo usermod -a -G dialout $USER")
    assert not next(one for one in checks_of(Role.DEMO, Wanted()) if one.name == "serial rights").needed


def test_packages_that_cannot_be_imported_are_named(no_imports: dict[str, tuple[bool, str]]) -> None:
    no_imports["import"] = (False, "ended by signal 4: it was built for another processor")
    found = runtimes.check_packages()
    assert not found.ok
    assert "numpy (ended by signal 4" in found.found
    assert "pip install" in found.mend


def test_what_imports_is_run_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert runtimes._run("print('a'); print('b')") == (True, "b")
    assert runtimes._run("import os; os.kill(os.getpid(), 4)")[1].startswith("ended by signal 4")
    assert runtimes._run("raise SystemExit('no runtime')") == (False, "no runtime")


def test_an_unknown_role_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--for", "cook"]) == 2
    assert "client, gateway, coordinator, flash, demo, any" in capsys.readouterr().err


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with apt-get and nothing that Jaragua needs."""
    apt = tmp_path / "programs" / "apt-get"
    apt.parent.mkdir()
    apt.write_text("#!/bin/sh\n", encoding="utf-8")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(apt.parent))
    monkeypatch.setattr(tools, "_EXTRA_PATH", ())


@pytest.mark.usefixtures("own_homes", "no_programs")
def test_needed_comes_first_and_one_command_installs_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    packages = "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm mosquitto gcc libc6-dev"
    command = f"sudo apt-get install -y --no-install-recommends {packages}"
    assert run(["doctor", "--for", "demo"]) == 10
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("needed:", command)
    optional = lines.index("optional:")
    assert not [line for line in lines[optional:] if line.split()[0] == "missing"]
    assert not [line for line in lines[:optional] if line.split()[0] == "note"]
    assert run(["doctor", "--for", "demo", "--json"]) == 10
    assert json.loads(capsys.readouterr().out)["data"]["install"] == command


@pytest.mark.usefixtures("own_homes", "no_programs")
def test_what_is_optional_is_in_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A note names its own command; the last line is for what the role waits for."""
    assert run(["doctor", "--for", "any"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "for any: ready"
    assert "fix it with: sudo apt-get install -y --no-install-recommends mosquitto" in said


def test_a_system_without_apt_gets_names_of_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install_command(["a", "b", "a"]) == "install with your system's package manager: a b (Debian's names)"
    assert install_command([]) == ""


def test_people_read_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--for", "coordinator", "--broker", "mqtt://127.0.0.1:1"]) == 10
    said = capsys.readouterr().out
    assert "missing broker" in said
    assert "fix it with: start a broker there, or check --broker" in said
    assert said.endswith("for coordinator: not ready, missing: broker\n")


def test_pages_are_optional_and_named_by_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runtimes.check_pages()
    assert (whole.ok, whole.needed) == (True, False)
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None if name == "nicegui" else object())
    part = runtimes.check_pages()
    assert (part.ok, part.found) == (False, "not installed: dashboard")
    assert part.mend.endswith("pip install 'jaragua[dashboard]'")
