"""G2, G5, G13: the authority's folder, its registry and what the verbs say."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from jaragua.cli.main import run
from jaragua.errors import StoreError, UsageError
from jaragua.trust import certificates, identity, registry
from jaragua.trust.authority import AuthorityFolder, now_utc
from trust.fleet_authority import make_authority


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def authority(tmp_path: Path) -> AuthorityFolder:
    return make_authority(tmp_path / "trust", "pi-1")


def test_g2_keys_and_their_folders_are_their_owner_s_alone(authority: AuthorityFolder) -> None:
    secret = {"authority.key", "private.key", "signing.key", "identities.json"}
    found = [path for path in authority.folder.rglob("*") if path.name in secret]
    assert {path.name for path in found} == secret
    assert {mode_of(path) for path in found} == {0o600}
    folders = [authority.folder, *(path for path in authority.folder.rglob("*") if path.is_dir())]
    assert {mode_of(path) for path in folders} == {0o700}


def test_g2_a_repository_does_not_take_the_keys_in(authority: AuthorityFolder) -> None:
    assert (authority.folder / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_participant_s_folder_says_who_it_is(authority: AuthorityFolder) -> None:
    found = identity.read(authority.identity_folder("pi-1"))
    assert (found.fleet, found.name, found.broker) == ("home", "pi-1", "mqtts://localhost:8883")
    assert found.coordinator_key is not None
    assert found.signing_key is None
    assert identity.read(authority.identity_folder("coordinator")).signing_key is not None


def test_g5_no_node_is_certified_as_the_coordinator(authority: AuthorityFolder) -> None:
    with pytest.raises(UsageError, match="coordinator has a certificate"):
        authority.invite("coordinator", (), "00", now_utc(), 1)
    with pytest.raises(UsageError, match="coordinator has a certificate"):
        authority.issue("coordinator", (), now_utc())


def test_a_second_key_of_a_node_is_refused(authority: AuthorityFolder) -> None:
    with pytest.raises(UsageError, match="pi-1 has a certificate"):
        authority.issue("pi-1", (), now_utc())


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "a" * 33, "+", "pi 1"])
def test_a_name_that_is_none_is_refused(authority: AuthorityFolder, name: str) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        authority.issue(name, (), now_utc())


def test_a_request_must_be_signed_by_its_key_and_for_the_node() -> None:
    key = certificates.new_key()
    request = certificates.make_request("pi-2", key)
    assert certificates.key_of_request(request, "pi-2").public_numbers() == key.public_key().public_numbers()
    with pytest.raises(UsageError, match="is not for pi-9"):
        certificates.key_of_request(request, "pi-9")
    with pytest.raises(UsageError, match="cannot be read"):
        certificates.key_of_request(b"nonsense", "pi-2")


def test_g13_a_revoked_node_is_on_the_list_and_no_member(authority: AuthorityFolder) -> None:
    before = authority.registry().current("pi-1")
    assert before is not None
    assert "pi-1" in authority.members.read_text(encoding="utf-8")
    authority.withdraw("pi-1", now_utc())
    revoked = x509.load_pem_x509_crl(authority.revoked.read_bytes())
    assert [entry.serial_number for entry in revoked] == [before.number]
    assert "pi-1" not in authority.members.read_text(encoding="utf-8")
    authority.issue("pi-1", ("board-1",), now_utc())  # a new key may have the name again
    assert 'pi-1 = ["board-1"]' in authority.members.read_text(encoding="utf-8")


def test_g13_renewed_certificates_of_a_node_are_revoked_together(authority: AuthorityFolder) -> None:
    authority.renew("pi-1", now_utc())
    authority.withdraw("pi-1", now_utc())
    assert len(list(authority.registry().revoked())) == 2


def test_a_renewed_certificate_has_the_same_key_and_lasts_longer(authority: AuthorityFolder) -> None:
    file = authority.identity_folder("pi-1") / identity.CERTIFICATE
    before = file.read_bytes()
    assert authority.renew("pi-1", now_utc() + timedelta(days=100)) == file
    after = file.read_bytes()
    assert after != before
    keys = [certificates.public_key_of(one).public_numbers() for one in (before, after)]
    assert keys[0] == keys[1]
    assert [one.status(now_utc()) for one in authority.registry().certificates if one.name == "pi-1"] == [
        "replaced",
        "valid",
    ]


def test_a_damaged_registry_is_one_sentence(authority: AuthorityFolder) -> None:
    authority.registry_file.write_text('{"format": 1, "fleet": "home"}', encoding="utf-8")
    with pytest.raises(StoreError, match="the registry cannot be read"):
        authority.registry()


def test_the_registry_says_again_what_was_written(authority: AuthorityFolder) -> None:
    found = authority.registry()
    assert registry.decode(registry.encode(found)) == found


# ---- the verbs ----


def test_the_verbs_make_list_renew_and_revoke(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "trust")
    assert run(["broker", "init", "--host", "broker.example", "--host", "192.0.2.1", "--folder", folder]) == 0
    assert run(["pki", "issue", "gw", "--device", "board-1", "--folder", folder]) == 0
    assert run(["pki", "renew", "gw", "--folder", folder]) == 0
    assert run(["pki", "renew", "broker", "--folder", folder]) == 0
    assert run(["pki", "revoke", "gw", "--folder", folder]) == 0
    capfd.readouterr()
    assert run(["pki", "list", "--json", "--folder", folder]) == 0
    found = json.loads(capfd.readouterr().out)["data"]
    assert found["fleet"] == "home"
    statuses = [(one["name"], one["status"]) for one in found["certificates"]]
    assert statuses == [
        ("coordinator", "valid"),
        ("aggregator", "valid"),
        ("gw", "revoked"),
        ("gw", "revoked"),
    ]
    names = x509.load_pem_x509_certificate((tmp_path / "trust/broker/certificate.crt").read_bytes()).extensions
    assert "broker.example" in str(names.get_extension_for_class(x509.SubjectAlternativeName).value)
    configuration = (tmp_path / "trust" / "mosquitto.conf").read_text(encoding="utf-8")
    assert "require_certificate true" in configuration
    assert "log_type debug" not in configuration


def test_a_second_authority_in_a_folder_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["broker", "init", "--host", "localhost", "--folder", str(tmp_path / "trust")]
    assert run(command) == 0
    assert run(command) == 2
    assert "has an authority already" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["", "x", "0", "65536"])
def test_a_port_of_the_broker_that_is_none_is_named(authority: AuthorityFolder, text: str) -> None:
    authority.port_file.write_text(text)
    with pytest.raises(StoreError, match="does not hold a port"):
        authority.identity_of("pi-1")


def test_a_folder_without_an_authority_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command in (["pki", "list", "--folder"], ["pki", "revoke", "x", "--folder"], ["broker", "start", "--tls"]):
        assert run([*command, str(tmp_path)]) == 9
        assert "has no authority" in capfd.readouterr().err
