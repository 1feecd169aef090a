"""R23: PostgreSQL as the store of runs: one writer, connections that are lost, versions, errors in one sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from test_database import FIRST, INITIAL, RECORD, changed, place_at, update

from common.cutting_relay import TO_CLIENT, TO_SERVER, CuttingRelay, cutting_relay
from common.postgres_server import PostgresServer
from jaragua.errors import RunError, StoreError
from jaragua.settings import StoreSettings
from jaragua.store import Assignment, PostgresAddress, Store, address_of
from jaragua.store.postgres import schema, session

DEVICES = [f"board-{number}" for number in range(1, 200)]


@pytest.fixture
def address(postgres: PostgresServer) -> PostgresAddress:
    found = place_at(postgres.emptied_database())
    assert isinstance(found, PostgresAddress)
    return found


@pytest.fixture
def store(address: PostgresAddress) -> Iterator[Store]:
    with Store(address) as opened:
        opened.create_run(RECORD, INITIAL)
        opened.open_round("run-1", 1, DEVICES, [Assignment(1, device, 1, "gateway-1", 3) for device in DEVICES])
        yield opened


@pytest.fixture
def relay(postgres: PostgresServer) -> Iterator[CuttingRelay]:
    with cutting_relay(postgres.folder) as running:
        yield running


def through(relay: CuttingRelay, address: PostgresAddress) -> PostgresAddress:
    """The same database at the other end of a relay."""
    database = address.url.public.partition("?")[0]
    found = place_at(f"{database}?host={relay.folder}")
    assert isinstance(found, PostgresAddress)
    return found


def stored(address: PostgresAddress) -> list[str]:
    """The devices of which an update is stored, as another connection sees it."""
    with Store(address, read_only=True) as reader:
        return sorted(device for _, device in reader.stored_keys("run-1"))


# ---- R23.3: one writer ----


def test_r23_3_one_process_writes_a_run(
    store: Store, address: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_LOCK_PATIENCE_S", 0.1)
    with pytest.raises(RunError, match="another process works on the run run in postgresql://"):
        Store(address)
    with Store(replace(address, name="another")) as other:  # another run of the same database
        assert other.run() is None
    store.close()
    with Store(address) as next_one:
        assert next_one.run() == RECORD


def test_r23_3_what_lost_the_run_to_another_commits_nothing(
    store: Store, address: PostgresAddress, postgres: PostgresServer
) -> None:
    """The session and with it the lock end on the server, and somebody is faster."""
    (pid,) = one_value(store, "SELECT pg_backend_pid()")
    postgres.execute(f"SELECT pg_terminate_backend({pid})")
    with Store(address) as other:
        other.add_updates("run-1", [update("board-2")])
        with pytest.raises(RunError, match="another coordinator has gone on with the run run"):
            store.add_updates("run-1", [update("board-1")])
        assert stored(address) == ["board-2"]


def test_r23_3_a_generation_is_asked_for_in_the_transaction_itself(store: Store, address: PostgresAddress) -> None:
    changed(address, "UPDATE writers SET generation = generation + 1")
    with pytest.raises(RunError, match="another coordinator has gone on"):
        store.add_updates("run-1", [update()])
    assert stored(address) == []


def one_value(store: Store, query: str) -> tuple[object, ...]:
    (row,) = store._backend.rows(query)
    return tuple(row)


# ---- R23.4: lost connections ----


@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_r23_4_cut_at_any_message_a_transaction_is_committed_once(
    address: PostgresAddress, relay: CuttingRelay, direction: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the server has committed, and nobody heard of it."""
    caplog.set_level(logging.CRITICAL)
    with Store(through(relay, address)) as store:
        store.create_run(RECORD, INITIAL)
        store.open_round("run-1", 1, DEVICES, [Assignment(1, device, 1, "gateway-1", 3) for device in DEVICES])
        for number, device in enumerate(DEVICES, start=1):
            relay.arm(direction, number)
            store.add_updates("run-1", [update(device), update(f"board-{100 + number}")])
            assert len(stored(address)) == 2 * number
            if not relay.disarm():
                break
        assert number > 8  # BEGIN, the generation, the updates, COMMIT, and their answers


@pytest.mark.parametrize("number", [1, 2, 3])
def test_r23_4_reads_are_repeated(address: PostgresAddress, relay: CuttingRelay, number: int) -> None:
    with Store(through(relay, address)) as store:
        store.create_run(RECORD, INITIAL)
        relay.arm(TO_CLIENT, number)
        assert store.run() == RECORD
        assert store.initialisation("run-1").vector.tobytes() == INITIAL.vector.tobytes()
        assert relay.disarm()


def test_r23_4_a_server_that_is_killed_and_started_again_has_lost_nothing(
    store: Store, address: PostgresAddress, postgres: PostgresServer
) -> None:
    store.add_updates("run-1", [update("board-1")])
    postgres.kill()
    postgres.start()
    store.add_updates("run-1", [update("board-9")])
    assert stored(address) == ["board-1", "board-9"]


def test_r23_4_patience_ends_with_a_sentence(
    store: Store, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_PATIENCE_S", 0.1)
    postgres.kill()
    try:
        with pytest.raises(StoreError, match=r"has been away for 0 s: connection .*No such file|refused") as caught:
            store.add_updates("run-1", [update()])
        assert "\n" not in caught.value.message
        assert "jaragua run CONFIG --resume" in caught.value.hint
        with pytest.raises(StoreError, match="has been away"):  # at once: the run ends, and says so once more
            store.set_status("run-1", "stopped")
    finally:
        postgres.start()
    store.add_updates("run-1", [update()])  # it is back
    assert store.stored_keys("run-1") == {(1, "board-1"): 1}


# ---- R23.7: versions ----


def test_r23_7_a_database_of_a_later_version_is_refused(store: Store, address: PostgresAddress) -> None:
    store.close()
    changed(address, "UPDATE version SET number = 99")
    for read_only in (False, True):
        with pytest.raises(StoreError, match=f"of version 99, this program reads version {schema.SCHEMA_VERSION}"):
            Store(address, read_only=read_only)


def test_r23_7_tables_are_made_newer_in_one_transaction(
    store: Store, address: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    later = schema.SCHEMA_VERSION + 1
    monkeypatch.setattr(schema, "SCHEMA_VERSION", later)
    monkeypatch.setitem(schema.STEPS, later, "ALTER TABLE runs ADD COLUMN colour TEXT; SELECT 1 / 0;")
    with pytest.raises(StoreError, match="division by zero"):
        Store(address)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        changed(address, "SELECT colour FROM runs")
    monkeypatch.setitem(schema.STEPS, later, "ALTER TABLE runs ADD COLUMN colour TEXT")
    with Store(address) as newer:
        assert newer.run() == RECORD
    changed(address, "SELECT colour FROM runs")


def test_r23_7_a_reader_makes_no_tables(address: PostgresAddress) -> None:
    with Store(address, read_only=True) as reader:
        assert reader.run() is None
    with psycopg.connect(address.url.public) as database:
        assert database.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'jaragua'").fetchall() == []


def test_a_role_that_may_only_read_reads(store: Store, address: PostgresAddress) -> None:
    """docs/how-to/resume-after-a-crash.md: what a role for `jaragua status` needs."""
    for statement in ("CREATE ROLE onlooker LOGIN", "GRANT USAGE ON SCHEMA jaragua TO onlooker"):
        changed(address, statement)
    changed(address, "GRANT SELECT ON ALL TABLES IN SCHEMA jaragua TO onlooker")
    onlooker = place_at(address.url.public.replace("jaragua@", "onlooker@"))
    store.close()
    try:
        with Store(onlooker, read_only=True) as reader:
            assert reader.run() == RECORD
        with pytest.raises(StoreError, match="permission denied"):
            Store(onlooker)
    finally:
        changed(address, "DROP OWNED BY onlooker")
        changed(address, "DROP ROLE onlooker")


# ---- errors and credentials ----


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("/test", "/no-such-"), 'database "no-such-.*" does not exist'),
        (lambda url: url.replace("jaragua@", "nobody@"), 'role "nobody" does not exist'),
        (lambda url: url.partition("host=")[0] + "host=/nowhere", "No such file or directory"),
        (lambda url: url + "&colour=red", 'invalid URI query parameter: "colour"'),
    ],
)
def test_a_database_that_refuses_is_named_in_one_sentence(
    postgres: PostgresServer, change: Callable[[str], str], said: str
) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        Store(place_at(change(postgres.url("test"))))
    assert caught.value.message.startswith("the run's database postgresql://")
    assert "\n" not in caught.value.message


SECRET = "S3cr-et"


@pytest.mark.parametrize(
    "text",
    [
        f"mysql://me:{SECRET}@host/db",
        f"postgresql://me:{SECRET}/x@host/db",
        f"postgresql://me:12/{SECRET}@host/db",
        f"postgresql://me:p@{SECRET}:x@host/db/more",
        f"postgresql://host/db?password={SECRET}",
        SECRET,
    ],
)
def test_g7_what_cannot_be_read_is_not_repeated(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        address_of(StoreSettings(url=text), "run", {})
    assert SECRET not in caught.value.message + caught.value.hint


def test_g7_a_password_comes_from_file_environment_or_run_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    url = "postgresql://me:%2Fin-url@localhost/db"
    for settings, environment, expected in (
        (StoreSettings(url=url, password_file=str(file)), {"JARAGUA_STORE_PASSWORD": "other"}, SECRET),
        (StoreSettings(url=url), {"JARAGUA_STORE_PASSWORD": SECRET}, SECRET),
        (StoreSettings(url=url), {}, "/in-url"),
    ):
        found = address_of(settings, "run", environment)
        assert found is not None
        assert found.password == expected
        assert str(found) == "postgresql://me@localhost/db"
        assert SECRET not in repr(found)
    file.chmod(0o644)
    with pytest.raises(StoreError, match="every user of this machine may read the password file"):
        address_of(StoreSettings(url=url, password_file=str(file)), "run", {})


@pytest.mark.parametrize(
    ("url", "environment", "is_local"),
    [
        ("postgresql:///db", {}, True),
        ("postgresql:///db", {"PGHOST": "db.example.org"}, False),
        ("postgresql://localhost:5433/db", {"PGHOST": "db.example.org"}, True),
        ("postgresql://[::1]/db", {}, True),
        ("postgresql://me@%2Frun%2Fpostgresql/db", {}, True),
        ("postgresql:///db?host=/run/postgresql", {}, True),
        ("postgresql://localhost,db.example.org/db", {}, False),
        ("postgresql://localhost/db?hostaddr=192.0.2.1", {}, False),
        ("postgresql://192.0.2.1/db", {}, False),
    ],
)
def test_g18_which_databases_are_of_this_machine(url: str, environment: dict[str, str], is_local: bool) -> None:
    found = address_of(StoreSettings(url=url), "run", environment | {"HOME": "/nonexistent"})
    assert found is not None
    tls = {"sslmode": "verify-full", "gssencmode": "disable", "sslrootcert": "system"}
    assert found.parameters == ({} if is_local else tls)


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca"])
def test_g18_a_weaker_check_is_refused_unless_it_is_asked_for(mode: str) -> None:
    url = f"postgresql://db.example.org/db?sslmode={mode}"
    with pytest.raises(StoreError, match=f"beyond this machine, and sslmode={mode} does not check who answers"):
        address_of(StoreSettings(url=url), "run", {})
    found = address_of(StoreSettings(url=url, insecure=True), "run", {})
    assert found is not None
    assert found.parameters == {}


def test_the_first_assignment_is_as_in_sqlite(store: Store) -> None:
    """BIGINT holds what a seed may be."""
    store.open_round("run-1", 2, ["board-1"], [FIRST._replace(round_number=2)])
    assert store.assignments("run-1", since=2) == [FIRST._replace(round_number=2)]
