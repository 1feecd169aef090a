"""The topics of the broker (protocol.md, M): one table of templates, from which topics are built and parsed.

build(TopicKind.UPDATE, "home", node="gateway-1", run="r1", round=3)  -> "jaragua/1/home/node/gateway-1/up/r1/3"
pattern(TopicKind.UPDATE, "home", run="r1")                           -> "jaragua/1/home/node/+/up/r1/+"
parse("jaragua/1/home/node/gateway-1/up/r1/3")                        -> Topic(UPDATE, "home", node="gateway-1", …)
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import cache, lru_cache
from string import Formatter
from typing import Any, Final, NamedTuple, TypeAlias

from jaragua.errors import ProtocolError
from jaragua.wire.definitions import HASH_BYTES, PROTOCOL_MAJOR

_ID: Final = r"[a-z0-9-]{1,32}"
_PARTS: Final = {
    "fleet": _ID,
    "node": _ID,
    "device": _ID,
    "verb": _ID,
    "run": _ID,
    "round": r"0|[1-9][0-9]{0,9}",
    "asker": _ID,
    "call": _ID,
    "name": _ID,
    "since": r"0|[1-9][0-9]{0,15}",
    "sha256": rf"[0-9a-f]{{{2 * HASH_BYTES}}}",
}
_ROOT: Final = f"jaragua/{PROTOCOL_MAJOR}/{{fleet}}/"
#: Where `jaragua broker check` sends a message to itself.
CHECK_FILTER: Final = f"jaragua/{PROTOCOL_MAJOR}/check/+"


class TopicError(ProtocolError):
    """A topic or an id that is not of the form docs/reference/protocol.md, M gives."""


class TopicKind(Enum):
    """Every topic; the value is what follows `jaragua/1/<fleet>/`."""

    HOST_STATE = "host/$state"
    HOST_CLAIM = "host/claim"
    CLAIM_TO = "host/claim/{since}"
    REPLY = "host/reply/{asker}"
    FLASHED = "host/flashed/{asker}"
    RUN = "run"
    BLOB = "blob/{sha256}"
    DIFFERENCE = "diff/{sha256}"
    NODE_STATE = "node/{node}/$state"
    NODE_DESCRIPTION = "node/{node}/$td"
    DEVICE_STATE = "node/{node}/dev/{device}/$state"
    DEVICE_DESCRIPTION = "node/{node}/dev/{device}/$td"
    TELEMETRY = "node/{node}/dev/{device}/tele"
    DEVICE_PROPERTY = "node/{node}/dev/{device}/prop/{name}"
    DEVICE_EVENT = "node/{node}/dev/{device}/event/{name}"
    QUESTION = "node/{node}/dev/{device}/infer/{asker}/{call}"
    ANSWER = "node/{node}/dev/{device}/inferred/{asker}/{call}"
    COMMAND = "node/{node}/cmd/{verb}"
    UPDATE = "node/{node}/up/{run}/{round}"
    ACK = "node/{node}/ack/{run}/{round}"

    __hash__ = object.__hash__  # members are single objects; the one of Enum is Python, and called for each topic


class Party(Enum):
    """Who takes part in a fleet. A node is one party on its own topics only."""

    COORDINATOR = auto()
    NODE = auto()
    OBSERVER = auto()
    """Who shows the fleet: dashboard, exporters, graph. It writes nothing."""
    ASKER = auto()
    """A client of Thing Descriptions: it reads what devices tell, and asks them on topics with its own name."""
    AGGREGATOR = auto()
    """Reads updates beside the coordinator (R30)."""


class Access(NamedTuple):
    """Who writes a topic and who reads it; of a topic with `{node}` only that node, with `{asker}` only that asker."""

    writers: frozenset[Party]
    readers: frozenset[Party]


_C, _N, _O, _A, _G = (frozenset({one}) for one in Party)
#: The access lists of brokers derive from this table (G4, G5 of docs/design/security.md).
ACCESS: Final = {
    TopicKind.HOST_STATE: Access(_C, _C | _N | _O),
    TopicKind.HOST_CLAIM: Access(_C, _C),
    TopicKind.CLAIM_TO: Access(_C, _C),
    TopicKind.REPLY: Access(_N, _C | _O),
    TopicKind.FLASHED: Access(_N, _C),
    TopicKind.RUN: Access(_C, _C | _N | _O),
    TopicKind.BLOB: Access(_C, _C | _N | _O),
    TopicKind.DIFFERENCE: Access(_C, _C | _N),
    TopicKind.NODE_STATE: Access(_N, _C | _N | _O | _A),
    TopicKind.NODE_DESCRIPTION: Access(_N, _C | _N | _O | _A),
    TopicKind.DEVICE_STATE: Access(_N, _C | _N | _O | _A),
    TopicKind.DEVICE_DESCRIPTION: Access(_N, _C | _N | _O | _A),
    TopicKind.TELEMETRY: Access(_N, _C | _O),
    TopicKind.DEVICE_PROPERTY: Access(_N, _N | _O | _A),
    TopicKind.DEVICE_EVENT: Access(_N, _O | _A),
    TopicKind.QUESTION: Access(_A, _N),
    TopicKind.ANSWER: Access(_N, _A),
    TopicKind.COMMAND: Access(_C, _N),
    TopicKind.UPDATE: Access(_N, _C | _O | _G),
    TopicKind.ACK: Access(_C, _N | _O),
}


class Topic(NamedTuple):
    """What a topic says; a part that its kind does not have is "" (round: 0)."""

    kind: TopicKind
    fleet: str
    node: str = ""
    device: str = ""
    verb: str = ""
    run: str = ""
    round: int = 0
    sha256: str = ""
    asker: str = ""
    since: str = ""
    call: str = ""
    name: str = ""


_ID_REGEX: Final = re.compile(_ID)
_PART_REGEXES: Final = {name: re.compile(part) for name, part in _PARTS.items()}


def is_id(text: str) -> bool:
    """Whether `text` is an id: `[a-z0-9-]{1,32}`."""
    return _ID_REGEX.fullmatch(text) is not None


def check_id(text: str, what: str = "id") -> str:
    """`text`, or TopicError if it is no id; `what` names it in the message."""
    if not is_id(text):
        raise TopicError(f"{what} {text!r} is not of the form [a-z0-9-], 1 to 32 characters", "Choose another name.")
    return text


@cache
def _names(kind: TopicKind) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(_ROOT + kind.value) if name]


def _check_parts(kind: TopicKind, parts: dict[str, str]) -> None:
    known = _names(kind)
    for name, text in parts.items():
        if name not in known:
            raise TopicError(f"a topic of kind {kind.name} has no {name}")
        if _PART_REGEXES[name].fullmatch(text) is None:
            raise TopicError(f"{name} {text!r} cannot be part of a topic")


def build(kind: TopicKind, fleet: str, **parts: str | int) -> str:
    """The topic of `kind`; every part of its template must be given. TopicError if one is missing or malformed."""
    texts = {"fleet": fleet} | {name: str(part) for name, part in parts.items()}
    _check_parts(kind, texts)
    if len(texts) < len(_names(kind)):
        missing = set(_names(kind)) - set(texts)
        raise TopicError(f"a topic of kind {kind.name} needs {', '.join(sorted(missing))}")
    return (_ROOT + kind.value).format(**texts)


def pattern(kind: TopicKind, fleet: str, **parts: str | int) -> str:
    """The topic filter of `kind` to subscribe to: parts that are not given become `+`."""
    texts = {"fleet": fleet} | {name: str(part) for name, part in parts.items()}
    _check_parts(kind, texts)
    return (_ROOT + kind.value).format(**dict.fromkeys(_names(kind), "+") | texts)


def _regex(kind: TopicKind) -> re.Pattern[str]:
    groups = {name: f"(?P<{name}>{_PARTS[name]})" for name in _names(kind)}
    return re.compile((_ROOT + kind.value).replace("$", r"\$").format(**groups))


#: Of a topic of a node: the place of the word behind its name.
_WORD_OF_NODES: Final = 5


def _group_of(topic: str) -> tuple[int, str]:
    """Levels, and the word behind a node's name: a part has no slash in it, so that few kinds share both."""
    levels = topic.split("/", 6)
    return topic.count("/"), levels[_WORD_OF_NODES] if len(levels) > _WORD_OF_NODES + 1 else ""


#: A kind, the expression for its topics, and the place in `Topic` of each part that it matches.
_Form: TypeAlias = tuple[TopicKind, re.Pattern[str], list[int]]
_ROUND: Final = Topic._fields.index("round")
_NO_PARTS: Final = Topic(TopicKind.RUN, "")[1:]


def _by_group() -> dict[tuple[int, str], list[_Form]]:
    found: dict[tuple[int, str], list[_Form]] = {}
    for kind in TopicKind:
        places = [Topic._fields.index(name) for name in _names(kind)]
        found.setdefault(_group_of(_ROOT + kind.value), []).append((kind, _regex(kind), places))
    return found


_REGEXES: Final = _by_group()


@lru_cache(64)
def _end_of_update(end: str) -> tuple[str, int] | None:
    """Run and round of the end of a topic, `<run>/<round>`; None of what is no such end."""
    match = _END_OF_UPDATE.fullmatch(end)
    return None if match is None else (match[1], int(match[2]))


_END_OF_UPDATE: Final = re.compile(f"({_PARTS['run']})/({_PARTS['round']})")
_BEGINS: Final = _ROOT.partition("{")[0]


def parse(topic: str) -> Topic:
    """What `topic` says; TopicError if it is none of ours."""
    levels = topic.split("/", 6)
    if len(levels) == 7 and levels[5] == "up" and levels[3] == "node" and topic.startswith(_BEGINS):
        # Most are of updates, which differ in their node; so the ends are looked up.
        end = _end_of_update(levels[6])
        if end is not None and is_id(levels[2]) and is_id(levels[4]):
            return Topic(TopicKind.UPDATE, levels[2], levels[4], "", "", *end)
    for kind, regex, places in _REGEXES.get(_group_of(topic), ()):
        match = regex.fullmatch(topic)
        if match:
            parts: list[Any] = [kind, *_NO_PARTS]
            for place, part in zip(places, match.groups(), strict=True):
                parts[place] = int(part) if place == _ROUND else part
            return Topic(*parts)
    raise TopicError(f"the topic {topic!r} is not one of Jaragua's")


class NodeTopics:
    """Topics of one kind that differ in their node alone."""

    def __init__(self, kind: TopicKind, fleet: str, **parts: str | int) -> None:
        """Raises: TopicError, as `build`."""
        before, _, after = build(kind, fleet, node="n", **parts).partition("/node/n/")
        self._before, self._after = f"{before}/node/", f"/{after}"

    def of(self, node: str) -> str:
        """The topic of a node. Raises: TopicError if it is no id."""
        return f"{self._before}{check_id(node, 'node')}{self._after}"
