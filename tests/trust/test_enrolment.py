"""G12: a Pi enrols with one command and a token that works once."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.errors import BrokerError, StoreError, UsageError
from jaragua.token_bucket import TokenBucket
from jaragua.trust import certificates, identity
from jaragua.trust.authority import AuthorityFolder, now_utc
from jaragua.trust.enrolment.join import join
from jaragua.trust.enrolment.server import EnrolmentServer
from jaragua.trust.enrolment.token import Token, fingerprint_of, parse
from jaragua_broker.ports import free_port
from trust.fleet_authority import make_authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> AuthorityFolder:
    return make_authority(tmp_path_factory.mktemp("trust") / "trust", "taken")


@contextmanager
def serving(authority: AuthorityFolder, tries: TokenBucket | None = None) -> Iterator[int]:
    """The port of a server. tries: in place of its own bound."""
    with EnrolmentServer(authority, "127.0.0.1", 0) as server:
        server.tries = tries or server.tries
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def invited(authority: AuthorityFolder, name: str, port: int, hours: float = 1.0) -> Token:
    """A token for a server on that port."""
    fingerprint = fingerprint_of(authority.certificate.read_bytes())
    token = Token("localhost", port, name, fingerprint, name.encode().ljust(16, b"!"))
    authority.invite(name, ("board-1",), token.digest, now_utc(), hours)
    return token


def test_g12_a_node_enrols_and_its_key_stays_with_it(authority: AuthorityFolder, tmp_path: Path) -> None:
    with serving(authority) as port:
        about = join(invited(authority, "pi-1", port), tmp_path / "pi-1")
    assert (about.name, about.fleet, about.broker) == ("pi-1", "home", "mqtts://localhost:8883")
    assert identity.read(tmp_path / "pi-1") == about
    key = about.key.read_bytes()
    assert about.key.stat().st_mode & 0o777 == 0o600
    assert certificates.load_key(key).public_key().public_numbers() == (
        certificates.public_key_of(about.certificate.read_bytes()).public_numbers()
    )
    kept = [path.read_bytes() for path in authority.folder.rglob("*") if path.is_file()]
    assert not any(key in data for data in kept)
    assert authority.registry().members()["pi-1"] == ("board-1",)


def test_g12_only_the_hash_of_a_token_is_stored(authority: AuthorityFolder) -> None:
    token = invited(authority, "hashed", 1)
    text = authority.registry_file.read_text(encoding="utf-8")
    assert token.digest in text
    assert token.secret.hex() not in text
    assert token.text not in text


def test_g12_a_token_works_once(authority: AuthorityFolder, tmp_path: Path) -> None:
    with serving(authority) as port:
        token = invited(authority, "pi-2", port)
        join(token, tmp_path / "pi-2")
        with pytest.raises(UsageError, match="the invitation of pi-2 was used already"):
            join(token, tmp_path / "thief")


def test_g12_an_attempt_whose_answer_was_lost_is_repeated(authority: AuthorityFolder, tmp_path: Path) -> None:
    with serving(authority) as port:
        token = invited(authority, "pi-3", port)
        first = join(token, tmp_path / "pi-3")
        certificate = first.certificate.read_bytes()
        first.certificate.unlink()
        assert join(token, tmp_path / "pi-3").certificate.read_bytes() == certificate


def test_g12_a_token_expires_and_is_for_one_node(authority: AuthorityFolder) -> None:
    request = certificates.make_request("pi-4", certificates.new_key())
    token = invited(authority, "pi-4", 1, hours=1)
    with pytest.raises(UsageError, match="has expired"):
        authority.enrol("pi-4", request, token.secret, now_utc() + timedelta(hours=1))
    with pytest.raises(UsageError, match="no such invitation for pi-5"):
        authority.enrol("pi-5", certificates.make_request("pi-5", certificates.new_key()), token.secret, now_utc())
    with pytest.raises(UsageError, match="no such invitation"):
        authority.enrol("pi-4", request, b"x" * 16, now_utc())


def test_g12_a_node_with_a_certificate_is_not_invited(authority: AuthorityFolder) -> None:
    with pytest.raises(UsageError, match="taken has a certificate"):
        authority.invite("taken", (), "00", now_utc(), 1)


def test_g12_nothing_is_sent_to_another_authority(authority: AuthorityFolder, tmp_path: Path) -> None:
    """Somebody in between, with a certificate of an authority of their own."""
    other = make_authority(tmp_path / "other")
    with serving(other) as port:
        token = invited(authority, "pi-6", port)
        with pytest.raises(BrokerError, match="is not the authority that made the token"):
            join(token, tmp_path / "pi-6")
    assert not (tmp_path / "pi-6").exists()


def test_g12_a_server_that_the_authority_did_not_certify_is_refused(authority: AuthorityFolder, tmp_path: Path) -> None:
    """It shows the authority's public certificate, and has no certificate of it itself."""
    other = make_authority(tmp_path / "other")
    other.certificate.write_bytes(authority.certificate.read_bytes())
    with serving(other) as port:
        token = invited(authority, "pi-7", port)
        with pytest.raises(BrokerError, match="cannot be reached"):
            join(token, tmp_path / "pi-7")


def post(port: int, body: bytes, path: str = "/join") -> tuple[int, bytes]:
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    try:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_g12_hostile_requests_are_refused_and_bounded(authority: AuthorityFolder) -> None:
    bodies = [b"", b"nonsense", b"[]", b"{}", b'{"name": 1, "request": 2, "secret": "zz"}', b"\xff" * 100]
    asked = json.dumps({"name": "../x", "request": "r", "secret": "00"}).encode()
    with serving(authority, TokenBucket(0.0001, 10.0)) as port:
        assert {post(port, body)[0] for body in [*bodies, asked]} == {403}
        assert post(port, b"{}", "/other")[0] == 404
        with contextlib.suppress(OSError):  # it answers without reading all of it, and closes
            assert post(port, b"x" * 20_000)[0] == 403
        assert [post(port, b"{}")[0] for _ in range(3)] == [403, 403, 429]


def test_a_token_is_read_as_it_was_written() -> None:
    token = Token("broker.example", 8884, "pi-1", b"f" * 32, b"s" * 16)
    assert parse(token.text) == token
    assert len(token.text) < 120


@pytest.mark.parametrize("cut", [0, 1, 9, 20, 60, 80])
def test_a_damaged_token_is_one_sentence(cut: int) -> None:
    text = Token("h", 1, "pi-1", b"f" * 32, b"s" * 16).text
    for bad in (text[:cut], text[:cut] + "é" + text[cut:], "x" + text):
        with pytest.raises(UsageError):
            parse(bad)
    with pytest.raises(UsageError):
        parse(replace(parse(text), node="Not A Name").text)


def test_the_port_of_enrolment_is_that_of_broker_init(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, port = str(tmp_path / "trust"), free_port()
    words = ["broker", "init", "--host", "localhost", "--enrolment-port", str(port), "--folder", folder]
    assert run(words) == 0
    capfd.readouterr()
    assert run(["pki", "invite", "pi-9", "--folder", folder, "--json"]) == 0
    token = json.loads(capfd.readouterr().out)["data"]["token"]
    assert parse(token).port == port
    serve = [sys.executable, "-m", "jaragua.cli.main", "pki", "serve", "--folder", folder]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert f"port {port};" in server.stderr.readline()
        assert run(["join", token, "--folder", str(tmp_path / "pi-9")]) == 0
        server.terminate()


@pytest.mark.parametrize("text", ["", "x", "0", "65536"])
def test_a_port_of_enrolment_that_is_none_is_named(
    tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    authority = make_authority(tmp_path / "trust", "taken")
    authority.enrolment_port_file.write_text(text)
    assert run(["pki", "invite", "pi-8", "--folder", str(authority.folder)]) == StoreError.exit_code
    assert "does not hold a port" in capfd.readouterr().err


def test_the_verbs_invite_and_refuse(authority: AuthorityFolder, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["pki", "invite", "pi-8", "--folder", str(authority.folder), "--json"]) == 0
    token = parse(json.loads(capfd.readouterr().out)["data"]["token"])
    assert (token.node, token.host, token.port) == ("pi-8", "localhost", 8884)
    assert run(["pki", "list", "--folder", str(authority.folder)]) == 0
    assert "pi-8" in capfd.readouterr().out
    assert run(["join", "nonsense"]) == UsageError.exit_code
    assert "no token of a fleet" in capfd.readouterr().err
