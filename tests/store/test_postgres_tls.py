"""G18, R23.5: PostgreSQL over TLS: who does not prove the name is refused, and passwords are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.postgres_server import PostgresServer, running_server
from jaragua.errors import StoreError
from jaragua.settings import StoreSettings
from jaragua.store import PostgresAddress, Store, address_of
from jaragua.trust.authority import AuthorityFolder, now_utc

HOST, SECRET = "db.example.org", "s3cret-of-the-test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> AuthorityFolder:
    made = AuthorityFolder(tmp_path_factory.mktemp("trust") / "authority")
    made.create("home", (HOST,), 8883, now_utc())
    return made


@pytest.fixture(scope="module")
def server(authority: AuthorityFolder) -> Iterator[PostgresServer]:
    with running_server() as running:
        running.stop()
        running.secure(authority.broker_certificate, authority.broker_key)
        running.start()
        running.execute(f"ALTER ROLE jaragua PASSWORD '{SECRET}'")
        yield running


def over_tls(server: PostgresServer, ca: Path, password: str = SECRET, host: str = HOST) -> PostgresAddress:
    url = f"postgresql://jaragua@{host}:{server.port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full"
    found = address_of(StoreSettings(url=url, ca=str(ca)), "run", {"JARAGUA_STORE_PASSWORD": password})
    assert found is not None
    return found


def test_g18_a_server_that_proves_its_name_is_taken(server: PostgresServer, authority: AuthorityFolder) -> None:
    with Store(over_tls(server, authority.certificate)) as store:
        assert store.run() is None
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert store._backend.rows(query) == [(True,)]


def test_r23_5_both_sides_notice_a_dead_line(server: PostgresServer, authority: AuthorityFolder) -> None:
    with Store(over_tls(server, authority.certificate)) as store:
        asked = [store._backend.rows(f"SHOW tcp_keepalives_{what}")[0][0] for what in ("idle", "interval", "count")]
        own = store._backend._connection.info.get_parameters()  # type: ignore[attr-defined]
    assert asked == ["10", "5", "3"]
    assert [own[f"keepalives_{what}"] for what in ("idle", "interval", "count")] == ["10", "5", "3"]


def test_g18_another_authority_is_refused(server: PostgresServer, tmp_path: Path) -> None:
    other = AuthorityFolder(tmp_path / "other")
    other.create("home", (HOST,), 8883, now_utc())
    refused(over_tls(server, other.certificate), "certificate verify failed")


def test_g18_another_name_is_refused(server: PostgresServer, authority: AuthorityFolder) -> None:
    said = 'server certificate for "db.example.org" .*does not match host name "db.example.net"'
    refused(over_tls(server, authority.certificate, host="db.example.net"), said)


def test_a_missing_authority_is_named(server: PostgresServer, tmp_path: Path) -> None:
    refused(over_tls(server, tmp_path / "none.pem"), 'root certificate file ".*none.pem" does not exist')


def test_a_wrong_password_is_refused_and_not_repeated(server: PostgresServer, authority: AuthorityFolder) -> None:
    refused(over_tls(server, authority.certificate, password="wr0ng"), 'password authentication failed for user "jar')


def refused(address: PostgresAddress, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        Store(address)
    assert "\n" not in caught.value.message
    for secret in (SECRET, "wr0ng"):
        assert secret not in caught.value.message + caught.value.hint
