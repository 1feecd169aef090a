"""G28: an asker reads what devices tell, asks under its own name, and is no member; on real mosquitto: tests/things."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua.cli.main import run
from jaragua.trust import members
from jaragua.trust.access_list import access_list, guest_identity
from jaragua_broker.audit import AccessRules

ANY = "jaragua/1/home/node/+/dev/+/"
LIST = access_list("home", {"me": "asker", "you": "asker"})


def test_g28_an_asker_reads_what_devices_tell_and_its_own_answers_alone() -> None:
    rules, me = AccessRules(LIST), guest_identity("me", "asker")
    for topic in ("$state", "$td", "prop/+", "event/+", "inferred/me/+"):
        assert rules.may_read(me, ANY + topic)
    for topic in ("inferred/+/+", "inferred/you/+", "infer/+/+", "infer/me/+", "tele"):
        assert not rules.may_read(me, ANY + topic)


def test_g28_an_asker_writes_questions_under_its_own_name_and_nothing_else() -> None:
    block = LIST.partition(f"user {guest_identity('me', 'asker')}\n")[2].partition("\n\n")[0]
    assert [line for line in block.splitlines() if "write" in line] == [f"topic write {ANY}infer/me/+"]


def test_g28_an_asker_has_a_certificate_and_is_no_member(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "trust")
    assert run(["broker", "init", "--host", "broker.example", "--folder", folder]) == 0
    assert run(["pki", "issue", "pi-1", "--folder", folder]) == 0
    assert run(["pki", "issue", "me", "--asker", "--folder", folder]) == 0
    assert run(["pki", "renew", "me", "--folder", folder]) == 0
    found = members.read(tmp_path / "trust" / "members.toml")
    assert (found.has_node("pi-1"), found.has_node("me")) == (True, False)
    assert "user me+asker" in (tmp_path / "trust" / "acl").read_text(encoding="utf-8")
    capfd.readouterr()
    assert run(["pki", "list", "--folder", folder]) == 0
    assert "asker" in capfd.readouterr().out
    assert run(["pki", "issue", "you", "--asker", "--device", "board-1", "--folder", folder]) == 2
    assert "an asker has no devices" in capfd.readouterr().err
    assert run(["pki", "issue", "you", "--asker", "--observer", "--folder", folder]) == 2
    assert "an observer or an asker" in capfd.readouterr().err
