"""What a stranger may publish: anything on any topic, and real messages with fields that nobody would send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import cbor2
from fleet_bench import FLEET, adapt_command, train_command
from hypothesis import strategies as st

from jaragua.node.connection.session import Incoming
from jaragua.wire.messages import RunState, StopCommand, UpdateAck, encode

ROOT = f"jaragua/1/{FLEET}/"
NODE = f"{ROOT}node/pi-1/"
#: What a number, a text, bytes or a real number of a message is exchanged for.
INTEGERS = [0, 1, 2, 7, 8, 16, 100_000, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -1]
FLOATS = [0.0, -0.0, 5e-324, 2.0**-32, 0.05, 1.0, 1e12, 1e308, -1.0, float("inf"), float("nan")]
TEXTS = ["", "r1", "pi-1", "nobody", "\0.toml", "../../etc/passwd", "/dev/zero", "/dev/zero.toml", "digits@w8", "sine"]
TEXTS += ["digits@w8@", "digits@\x1b[2J", "digits@" + "w" * 70_000, "x" * 70_000, "é\u202e", "training", "finished"]

plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(0, 9), inner, max_size=4)
    ),
    max_leaves=12,
)


def genuine(hashes: list[bytes], blob: bytes) -> dict[str, list[bytes]]:
    """Real messages by topic; commands name one of the hashes."""
    commands = [
        train_command(blob),
        train_command(blob, bits=8, fraction=0.5, local=1, stored=0, until=4, number=3),
        train_command(blob, batch=4, proximal_decay=100, passes=2),
        train_command(blob, replay_buffer_size=2, passes=3, loss_threshold=0.5, attempt=1),
        train_command(blob, start=hashes[0]),
    ]
    acks = [UpdateAck("r1", 1, "pi-1", 0, result, "no reason") for result in ("stored", "rejected")]
    runs = [RunState("r1", 1, 9, "training", model, "", bytes(32), 0, 1) for model in ("digits", "sine", "digits@w8")]
    return {
        NODE + "cmd/train": [encode(one) for one in commands],
        NODE + "cmd/adapt": [encode(adapt_command(blob)), encode(adapt_command(blob, start=hashes[0]))],
        NODE + "cmd/stop": [encode(StopCommand("r1"))],
        NODE + "ack/r1/1": [encode(one) for one in acks],
        ROOT + "run": [encode(one) for one in runs],
    }


@st.composite
def exchanged(draw: st.DrawFn, payload: bytes, hashes: list[bytes]) -> bytes:
    """A real message with one to three of its fields exchanged for others of their type, taken away, or added."""
    message: dict[str, Any] = cbor2.loads(payload)
    for _ in range(draw(st.integers(1, 3))):
        field = draw(st.sampled_from([*message, "until", "replay_buffer_size"]))
        if draw(st.integers(0, 9)) == 0:
            message.pop(field, None)
        else:
            message[field] = draw(_like(message.get(field, 0), hashes))
    return cbor2.dumps(message)


def _like(value: object, hashes: list[bytes]) -> st.SearchStrategy[Any]:
    kinds: Mapping[type, st.SearchStrategy[Any]] = {
        int: st.sampled_from(INTEGERS),
        float: st.sampled_from(FLOATS),
        str: st.sampled_from(TEXTS) | st.text(max_size=40),
        bytes: st.sampled_from(hashes) | st.binary(min_size=32, max_size=32),
    }
    return kinds.get(type(value), plain_values)


@st.composite
def damaged(draw: st.DrawFn, payload: bytes) -> bytes:
    place = draw(st.integers(0, len(payload) - 1))
    return payload[:place] + draw(st.binary(max_size=3)) + payload[place + 1 :]


def messages(blob: bytes, hashes: list[bytes]) -> st.SearchStrategy[Incoming]:
    """Anything on the topics that a node reads, and on topics that it does not."""
    by_topic = genuine(hashes, blob)
    names = [ROOT + "blob/" + hashes[-1].hex(), ROOT + "diff/" + hashes[-1].hex()]
    others = [*names, NODE + "cmd/dance", NODE + "ack/r1/2", ROOT + "host/$state", ROOT + "run/", "elsewhere", ""]
    real = [(topic, payload) for topic, payloads in by_topic.items() for payload in payloads]
    some = st.sampled_from(real).flatmap(
        lambda pair: st.tuples(
            st.just(pair[0]),
            st.just(pair[1]) | damaged(pair[1]) | exchanged(pair[1], hashes) | exchanged(pair[1], hashes),
        )
    )
    anything = st.binary(max_size=200) | plain_values.map(cbor2.dumps) | plain_values.map(_as_json)
    wild = st.tuples(st.sampled_from([*by_topic, *others]), anything)
    return st.builds(
        lambda pair, response, correlation: Incoming(*pair, response, correlation),
        some | some | wild,
        st.sampled_from(["answers/here"] * 5 + [None, "", "#", "a\0b", "x" * 2000]),
        st.none() | st.binary(max_size=8) | st.just(bytes(300)),
    )


def _as_json(value: object) -> bytes:
    return json.dumps(value, default=str, skipkeys=True).encode()
