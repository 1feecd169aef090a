"""A real PostgreSQL server of the tests: in a folder of its own, on a unix socket, ended with the tests.

It refuses to be root, so root gives it to the user `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from common.processes import is_running
from jaragua_broker.ports import free_port
from limits import GENEROUS_S

#: Other names than Debian's are found on PATH.
_DEBIAN = Path("/usr/lib/postgresql")
_OWNERS = ("postgres", "nobody")
_SETTINGS = (
    "listen_addresses=",
    "shared_buffers=16MB",
    "max_connections=40",
    "log_min_messages=warning",
    "recovery_init_sync_method=syncfs",
)
_NUMBERS = count()


def server_programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None where PostgreSQL is not installed."""
    folders = [Path(found).parent for name in ("initdb",) if (found := shutil.which(name))]
    folders += sorted(_DEBIAN.glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


class PostgresServer:
    """One server. It can be killed and started again at any time."""

    def __init__(self, programs: Path, folder: Path, *settings: str) -> None:
        """folder: new and short; a socket's path has at most 107 bytes. settings: of postgresql.conf."""
        self._programs = programs
        self.folder = folder
        self.port: int | None = None
        self._shared = ""
        self._settings = (*_SETTINGS, *settings)
        self._owner = next((one for one in _OWNERS if _exists(one)), None) if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._owner:
            shutil.chown(folder, self._owner)
        # Another order of names than by bytes is what R5 must not depend on.
        order = ("--locale-provider=icu", "--icu-locale=en-US", "--locale=C")
        self._run("initdb", "-D", str(folder / "data"), "-U", "jaragua", "-E", "UTF8", "-A", "trust", "-N", *order)

    def secure(self, certificate: Path, key: Path) -> None:
        """From the next start on: TLS on a free port of loopback, with passwords there."""
        self.port = free_port()
        copies = self.folder / "server.pem", self.folder / "server.key"
        for source, copy in zip((certificate, key), copies, strict=True):
            shutil.copy(source, copy)
            copy.chmod(0o600)
            if self._owner:
                shutil.chown(copy, self._owner)
        access = self.folder / "data" / "pg_hba.conf"
        access.write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        tls = "ssl=on", f"ssl_cert_file={copies[0]}", f"ssl_key_file={copies[1]}", f"port={self.port}"
        self._settings = (*self._settings, "listen_addresses=127.0.0.1", *tls)

    def start(self) -> None:
        """Until it answers."""
        words = [word for setting in self._settings for word in ("-c", setting)]
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._owner,
                cwd=self.folder,
            )
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        """Raises: AssertionError."""
        until_s = time.monotonic() + GENEROUS_S
        while time.monotonic() < until_s:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert self._process is not None
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"PostgreSQL does not answer: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        """SIGKILL to the server and all its sessions at once: nothing is finished, nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)  # it must not replace what is killed
        sessions = _children(self._process.pid)
        os.kill(self._process.pid, signal.SIGKILL)
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        _wait_for_the_end(sessions)

    def stop(self) -> None:
        """End it if it runs; every connection is cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # a clean end would wait for the disk
            self._process.wait(GENEROUS_S)
            self._process = None

    def url(self, database: str) -> str:
        """The address of a database."""
        port = "" if self.port is None else f"&port={self.port}"
        return f"postgresql://jaragua@/{database}?host={self.folder}{port}"

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def emptied_database(self) -> str:
        """The address of a database of which nothing is left of the test before: cheaper than a new one."""
        if not self._shared:
            self._shared = self.new_database()
        with psycopg.connect(self._shared, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("DROP SCHEMA IF EXISTS jaragua CASCADE")
        return self._shared

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Its rows, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return [] if cursor.description is None else cursor.fetchall()

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._programs / program, *words], capture_output=True, text=True, user=self._owner, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def running_server(*settings: str) -> Iterator[PostgresServer]:
    """A server of its own; the test is skipped, and says so, where PostgreSQL is not installed."""
    programs = server_programs()
    if programs is None:
        pytest.skip(
            "NO POSTGRESQL: neither initdb on PATH nor Debian's package postgresql; `make setup-test` brings it"
        )
    with tempfile.TemporaryDirectory(prefix="jrg-pg-", ignore_cleanup_errors=True) as name:
        server = PostgresServer(programs, Path(name), *settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_for_the_end(pids: list[int]) -> None:
    """They are nobody's children now; while one lives, the next server does not start."""
    until_s = time.monotonic() + GENEROUS_S
    while any(map(is_running, pids)):
        assert time.monotonic() < until_s
        time.sleep(0.005)
