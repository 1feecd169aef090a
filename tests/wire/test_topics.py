"""M: topics."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua.wire import topics
from jaragua.wire.topics import Topic, TopicError, TopicKind

HASH = "ab" * 32
# The table of docs/reference/protocol.md.
TABLE: list[tuple[TopicKind, dict[str, Any], str]] = [
    (TopicKind.HOST_STATE, {}, "jaragua/1/home/host/$state"),
    (TopicKind.HOST_CLAIM, {}, "jaragua/1/home/host/claim"),
    (TopicKind.CLAIM_TO, {"since": "1764000000000"}, "jaragua/1/home/host/claim/1764000000000"),
    (TopicKind.REPLY, {"asker": "0f"}, "jaragua/1/home/host/reply/0f"),
    (TopicKind.FLASHED, {"asker": "0f"}, "jaragua/1/home/host/flashed/0f"),
    (TopicKind.RUN, {}, "jaragua/1/home/run"),
    (TopicKind.BLOB, {"sha256": HASH}, f"jaragua/1/home/blob/{HASH}"),
    (TopicKind.DIFFERENCE, {"sha256": HASH}, f"jaragua/1/home/diff/{HASH}"),
    (TopicKind.NODE_STATE, {"node": "gw"}, "jaragua/1/home/node/gw/$state"),
    (TopicKind.NODE_DESCRIPTION, {"node": "gw"}, "jaragua/1/home/node/gw/$td"),
    (TopicKind.DEVICE_STATE, {"node": "gw", "device": "m4-1"}, "jaragua/1/home/node/gw/dev/m4-1/$state"),
    (TopicKind.DEVICE_DESCRIPTION, {"node": "gw", "device": "m4-1"}, "jaragua/1/home/node/gw/dev/m4-1/$td"),
    (TopicKind.TELEMETRY, {"node": "gw", "device": "m4-1"}, "jaragua/1/home/node/gw/dev/m4-1/tele"),
    (
        TopicKind.DEVICE_PROPERTY,
        {"node": "gw", "device": "m4-1", "name": "memory"},
        "jaragua/1/home/node/gw/dev/m4-1/prop/memory",
    ),
    (
        TopicKind.DEVICE_EVENT,
        {"node": "gw", "device": "m4-1", "name": "progress"},
        "jaragua/1/home/node/gw/dev/m4-1/event/progress",
    ),
    (
        TopicKind.QUESTION,
        {"node": "gw", "device": "m4-1", "asker": "phone", "call": "c1"},
        "jaragua/1/home/node/gw/dev/m4-1/infer/phone/c1",
    ),
    (
        TopicKind.ANSWER,
        {"node": "gw", "device": "m4-1", "asker": "phone", "call": "c1"},
        "jaragua/1/home/node/gw/dev/m4-1/inferred/phone/c1",
    ),
    (TopicKind.COMMAND, {"node": "gw", "verb": "train"}, "jaragua/1/home/node/gw/cmd/train"),
    (TopicKind.UPDATE, {"node": "gw", "run": "r-1", "round": 12}, "jaragua/1/home/node/gw/up/r-1/12"),
    (TopicKind.ACK, {"node": "gw", "run": "r-1", "round": 0}, "jaragua/1/home/node/gw/ack/r-1/0"),
]


def test_m_the_table_is_complete() -> None:
    assert {kind for kind, _, _ in TABLE} == set(TopicKind)


@pytest.mark.parametrize(("kind", "parts", "text"), TABLE)
def test_m_build_and_parse(kind: TopicKind, parts: dict[str, Any], text: str) -> None:
    assert topics.build(kind, "home", **parts) == text
    assert topics.parse(text) == Topic(kind, "home", **parts)


def test_m_a_filter_leaves_open_what_is_not_given() -> None:
    assert topics.pattern(TopicKind.UPDATE, "home", run="r1") == "jaragua/1/home/node/+/up/r1/+"
    assert topics.pattern(TopicKind.RUN, "home") == "jaragua/1/home/run"


@pytest.mark.parametrize("bad", ["", "A", "a b", "a/b", "+", "#", "$x", "ä", "a" * 33, "a\n"])
def test_m_ids_are_checked(bad: str) -> None:
    assert not topics.is_id(bad)
    with pytest.raises(TopicError):
        topics.check_id(bad, "fleet")
    with pytest.raises(TopicError):
        topics.build(TopicKind.NODE_STATE, "home", node=bad)
    with pytest.raises(TopicError):
        topics.pattern(TopicKind.NODE_STATE, bad)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jaragua",
        "jaragua/2/home/run",
        "jaragua/1/Home/run",
        "jaragua/1/home/run/x",
        "jaragua/1/home/node/gw/up/r/01",
        "jaragua/1/home/node/gw/up/r/-1",
        "jaragua/1/home/node/gw/cmd/",
        "jaragua/1/home/blob/" + "AB" * 32,
        "x/jaragua/1/home/run",
    ],
)
def test_m_other_topics_are_refused_by_name(text: str) -> None:
    with pytest.raises(TopicError, match="not one of Jaragua's"):
        topics.parse(text)


@given(st.text(max_size=80))
def test_m_any_text_parses_or_is_refused(text: str) -> None:
    try:
        topic = topics.parse(text)
    except TopicError:
        return
    assert topic.fleet


def test_m_missing_and_unknown_parts_are_named() -> None:
    with pytest.raises(TopicError, match="needs round"):
        topics.build(TopicKind.UPDATE, "home", node="gw", run="r")
    with pytest.raises(TopicError, match="has no round"):
        topics.build(TopicKind.RUN, "home", round=1)


def test_topics_of_one_kind_differ_in_their_node_alone() -> None:
    """Also where fleet, run and node have the same name."""
    for fleet in ("node", "n", "home"):
        topics_of = topics.NodeTopics(TopicKind.ACK, fleet, run="n", round=3)
        for node in ("n", "node", "gw-1"):
            assert topics_of.of(node) == topics.build(TopicKind.ACK, fleet, node=node, run="n", round=3)
    with pytest.raises(TopicError):
        topics_of.of("a/b")
