"""G4, G5: the access list follows from the topics, and the log of a broker says who was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaragua.trust.access_list import access_list
from jaragua.wire.topics import ACCESS, Party, TopicKind
from jaragua_broker import Endpoint, Secured, render
from jaragua_broker.audit import AccessRules, Auditor

LIST = access_list("home")
RULES = AccessRules(LIST)


def rules_of(line_start: str) -> list[str]:
    return [line.split()[-1] for line in LIST.splitlines() if line.startswith(line_start)]


def test_g4_g5_every_topic_has_a_writer_and_a_reader() -> None:
    assert set(ACCESS) == set(TopicKind)
    assert all(access.writers and access.readers for access in ACCESS.values())


def test_g4_a_node_writes_below_its_own_name_and_answers_questions() -> None:
    writes = [*rules_of("pattern write "), *rules_of("pattern readwrite ")]
    assert all("/node/%u/" in topic for topic in writes if topic not in _OPEN)
    assert "jaragua/1/home/node/%u/cmd/+" not in writes
    assert RULES.may_read("pi-1", "jaragua/1/home/node/pi-1/dev/+/infer/+/+")
    assert not RULES.may_read("pi-1", "jaragua/1/home/node/+/dev/+/prop/+")


_OPEN = ("jaragua/1/check/+", "jaragua/1/home/host/reply/+", "jaragua/1/home/host/flashed/+")


def test_g5_what_nodes_believe_is_written_by_the_coordinator_alone() -> None:
    for kind in (TopicKind.RUN, TopicKind.BLOB, TopicKind.DIFFERENCE, TopicKind.COMMAND, TopicKind.ACK):
        assert ACCESS[kind].writers == {Party.COORDINATOR}
    assert "topic readwrite jaragua/1/home/run" in LIST
    assert "topic write jaragua/1/home/node/+/cmd/+" in LIST


@pytest.mark.parametrize(
    ("who", "topic", "allowed"),
    [
        ("pi-1", "jaragua/1/home/node/pi-1/cmd/+", True),
        ("pi-1", "jaragua/1/home/node/pi-1/cmd/train", True),
        ("pi-1", "jaragua/1/home/node/pi-2/cmd/train", False),
        ("pi-1", "jaragua/1/home/node/+/cmd/train", False),
        ("pi-1", "jaragua/1/home/node/pi-1/#", False),
        ("pi-1", "#", False),
        ("pi-1", "jaragua/1/home/run", True),
        ("pi-1", "jaragua/1/other/run", False),
        ("pi-1", "jaragua/1/home/node/+/up/+/+", False),
        ("coordinator", "jaragua/1/home/node/+/up/+/+", True),
        ("coordinator", "jaragua/1/home/node/pi-1/up/r/1", True),
        ("aggregator", "jaragua/1/home/node/+/up/+/+", True),
        ("aggregator", "$share/jaragua-home/jaragua/1/home/node/+/up/+/+", True),
        ("pi-1", "$share/jaragua-home/jaragua/1/home/node/+/up/+/+", False),
        ("aggregator", "jaragua/1/home/node/+/$state", False),
        ("aggregator", "jaragua/1/home/node/+/dev/+/tele", False),
    ],
)
def test_g4_what_may_be_read(who: str, topic: str, allowed: bool) -> None:
    assert RULES.may_read(who, topic) is allowed


def test_g4_the_log_keeps_refusals_and_leaves_debug_messages_out() -> None:
    auditor = Auditor(RULES)
    connected = b"17: New client connected from 127.0.0.1:1 as id 1 (p5, c0, k60, u'pi-1')."
    assert auditor.kept(connected) == connected
    denied = b"17: Denied PUBLISH from id 1 (d0, q1, r0, m2, 'jaragua/1/home/run', ... (1 bytes))"
    assert auditor.kept(denied) == b"17: refused: pi-1 may not write jaragua/1/home/run"
    assert auditor.kept(b"17: id 1 1 jaragua/1/home/run") is None
    reads = auditor.kept(b"17: id 1 1 jaragua/1/home/node/pi-2/cmd/+")
    assert reads == b"17: refused: pi-1 may not read all of jaragua/1/home/node/pi-2/cmd/+"
    for line in (b"17: Received PUBLISH from id 1 (d0", b"17: Sending PUBACK to id 1", b"17: \ttopic (QoS 1)"):
        assert auditor.kept(line) is None
    for line in (b"17: OpenSSL Error[0]: x", b"17: mosquitto version 2.0.11 running", b"17: Client id 1 disconnected."):
        assert auditor.kept(line) == line


def test_g14_every_configuration_has_limits_and_an_identity_where_it_is_open() -> None:

    files = Secured(*(Path(f"/x/{name}") for name in ("ca", "crt", "key", "crl", "acl")))
    open_one = render(1883, Path("/x"), "me")
    closed_one = render(8883, Path("/x"), "me", endpoint=Endpoint("0.0.0.0", files))
    for text in (open_one, closed_one):
        for limit in ("max_packet_size", "max_queued_messages", "max_queued_bytes", "max_inflight", "max_keepalive"):
            assert f"\n{limit}" in text
    assert "listener 1883 127.0.0.1\nallow_anonymous true\n" in open_one
    assert "allow_anonymous true" not in closed_one
    for line in ("require_certificate true", "use_identity_as_username true", "crlfile /x/crl", "acl_file /x/acl"):
        assert f"\n{line}\n" in closed_one
