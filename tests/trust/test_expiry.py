"""G19: certificates that end soon are warned of, and a renewed one is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from forked import Forker
from jaragua.node.connection import expiry_watch
from jaragua.node.connection.check import check_broker
from jaragua.node.connection.expiry_watch import soon_ending
from jaragua.node.connection.session import Participant, Session
from jaragua.trust.authority import AuthorityFolder, now_utc
from jaragua.trust.expiry import endings
from jaragua_broker import Broker
from jaragua_broker.ports import free_port
from trust.fleet_authority import address, make_authority, secured_broker, until


@pytest.fixture
def authority(tmp_path: Path) -> AuthorityFolder:
    made = make_authority(tmp_path / "trust", "pi-1")
    made.issue("pi-2", (), now_utc(), days=10.5)
    return made


@pytest.fixture
def broker(authority: AuthorityFolder, tmp_path: Path) -> Iterator[Broker]:
    with secured_broker(authority, tmp_path / "data") as running:
        yield running


def certificate_of(authority: AuthorityFolder, name: str) -> Path:
    return authority.identity_folder(name) / "certificate.crt"


def test_g19_when_a_certificate_ends_in_words(authority: AuthorityFolder) -> None:
    soon, later, own = endings([certificate_of(authority, name) for name in ("pi-2", "pi-1")] + [authority.certificate])
    now = now_utc()
    day = f"{soon.end:%Y-%m-%d}"
    assert soon.in_words(now) == f"the certificate {soon.file} ends in 10 days, on {day}; `jaragua pki renew`"
    assert "ends in 1 day, on" in soon.in_words(now + timedelta(days=9))
    assert f"has ended on {day}; `jaragua pki renew`" in soon.in_words(now + timedelta(days=11))
    assert not later.is_soon(now)
    assert later.in_words(now).endswith(f"on {later.end:%Y-%m-%d}")
    assert "`jaragua broker init` in another folder" in own.in_words(own.end - timedelta(days=29))


class Listener:
    """What a session tells of."""

    def __init__(self) -> None:
        self.connections = 0

    def connected(self) -> None:
        self.connections += 1

    def received(self, message: Any) -> None: ...

    def dropped(self, count: int, topic: str) -> None: ...

    def refused(self, topic: str, error: Exception) -> None: ...


def test_g19_a_node_warns_each_day_until_it_has_another(
    authority: AuthorityFolder, broker: Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its next connection shows the renewed certificate."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(expiry_watch, "_EVERY_SECONDS", 0.02)
    url, listener = address(authority, "pi-2", broker.url), Listener()

    def warned() -> int:
        return sum("ends in 10 days" in record.message for record in caplog.records)

    async def everything() -> None:
        session = Session(Participant(url, "pi-2", None, lambda: 1), listener)
        running = asyncio.create_task(session.run())
        await until(lambda: listener.connections == 1 and warned() >= 3)
        assert authority.renew("pi-2", now_utc()) == certificate_of(authority, "pi-2")
        await asyncio.to_thread(broker.restart)
        caplog.clear()
        await until(lambda: listener.connections == 2)
        assert warned() == 0
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(everything())
    assert asyncio.run(check_broker(url)) > 0


def test_g19_files_that_are_no_certificates_are_left_to_the_connection(tmp_path: Path) -> None:
    file = tmp_path / "certificate.crt"
    file.write_text("none")
    assert soon_ending([file, tmp_path / "missing"]) == []


def test_g19_a_broker_that_starts_warns_of_its_own(authority: AuthorityFolder, forker: Forker, tmp_path: Path) -> None:
    authority.renew_broker(now_utc(), days=5.5)
    output = tmp_path / "broker"
    port = free_port()
    where = ["--data", str(tmp_path / "data"), "--port", str(port)]
    broker = forker.start(["broker", "start", "--tls", str(authority.folder), *where], output)
    try:
        broker.wait_for_text(f"warning: the certificate {authority.broker_certificate} ends in 5 days")
        broker.wait_for_text(f"identities name port {authority.port}: give nodes --broker mqtts://localhost:{port}")
    finally:
        broker.kill()
