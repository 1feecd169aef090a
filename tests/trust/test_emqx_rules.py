"""The rules for EMQX of the how-to page, read as its documentation says, against the topics of the protocol."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from documents.blocks import blocks
from jaragua.wire.topics import ACCESS, Party, TopicKind, parse

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "own-broker.md"
(TEXT,) = (one.body for one in blocks(PAGE.read_text(encoding="utf-8")) if one.note.strip() == "acl.conf")
_RULE = re.compile(r'\{(allow|deny), (?:all|\{username, "([^"]+)"\})(?:, (all|subscribe|publish), \[([^\]]*)\])?\}\.')
_FOUND = [found for line in TEXT.split("\n") if (found := _RULE.fullmatch(line))]
#: Verdict, user (None: all), action (None: all), filters (none: all topics).
RULES = [(*found.groups()[:3], re.findall(r'"([^"]+)"', found[4] or "")) for found in _FOUND]
USERS = {Party.COORDINATOR: "coordinator", Party.NODE: "pi-1", Party.ASKER: "me+asker"}
PARTS = {"node": "pi-1", "device": "d", "asker": "me", "call": "c", "name": "n", "verb": "train", "run": "r"}


def allowed(user: str, action: str, topic: str) -> bool:
    """What the first rule says that applies."""
    for verdict, name, what, filters in RULES:
        if name not in (None, user) or what not in (None, "all", action):
            continue
        if not filters or any(covers(one.replace("${username}", user), topic) for one in filters):
            return verdict == "allow"
    raise AssertionError("no rule applies")


def covers(topic_filter: str, topic: str) -> bool:
    wanted, found = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        return found[: len(wanted) - 1] == wanted[:-1]
    return len(wanted) == len(found) and all(one in ("+", other) for one, other in zip(wanted, found, strict=True))


def topic_of(kind: TopicKind, **parts: str) -> str:
    """A topic of that kind with ids in it."""
    values = PARTS | {"sha256": "ab" * 32, "round": "1", "since": "1"} | parts
    found = f"jaragua/1/home/{kind.value.format(**values)}"
    assert parse(found).kind is kind
    return found


def test_every_line_is_a_rule() -> None:
    assert len(RULES) == len(TEXT.strip().split("\n"))
    assert RULES[-1][0] == "deny"


@pytest.mark.parametrize("party", USERS)
@pytest.mark.parametrize("kind", TopicKind)
def test_g4_g28_each_party_may_do_there_what_the_protocol_says(kind: TopicKind, party: Party) -> None:
    access, user, topic = ACCESS[kind], USERS[party], topic_of(kind)
    may = [allowed(user, action, topic) for action in ("subscribe", "publish")]
    wanted = [party in access.readers, party in access.writers]
    if party is Party.ASKER:
        assert may == wanted
    assert all(one or not other for one, other in zip(may, wanted, strict=True))


@pytest.mark.parametrize("kind", TopicKind)
def test_g4_g28_nobody_reads_or_writes_what_is_anothers(kind: TopicKind) -> None:
    if "{node}" in kind.value:
        topic = topic_of(kind, node="pi-2")
        assert not any(allowed("pi-1", action, topic) for action in ("subscribe", "publish"))
    if "{asker}" in kind.value:
        topic = topic_of(kind, asker="you")
        assert not any(allowed("me+asker", action, topic) for action in ("subscribe", "publish"))
