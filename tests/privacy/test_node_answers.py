"""A node's answers to questions of a secure sum: what it writes down, repeats and refuses (U2, U6)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaragua.errors import ProtocolError
from jaragua.node.outbox import Outbox, OutboxEntry, UpdateKey
from jaragua.node.private_table import PrivateUpdate
from jaragua.node.secure_answers import SecureAnswers
from jaragua.node.training import ranges
from jaragua.privacy.lists import Roster
from jaragua.privacy.participant import Contribution, Participant
from jaragua.privacy.secrets import Key, PublicKeys
from jaragua.privacy.words import WordLayout
from jaragua.wire.messages import SecureCommand, TrainCommand, UpdateHeader, decode, encode, pack_update, unpack_update
from jaragua.wire.rejections import Reason

KEY = Key("r1", 3, "pi-1", 1)


def header(key: Key, content: bytes) -> UpdateHeader:
    return UpdateHeader(
        run=key.run,
        round=key.round,
        device=key.device,
        attempt=key.attempt,
        base=bytes(32),
        encoding="keys",
        samples=4,
        loss=0.5,
        metric="mse",
        score=0.5,
        instructions=0,
        bytes=len(content),
        sha256=hashlib.sha256(content).digest(),
    )


class Node:
    """An outbox, and what it sent and refused."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[UpdateHeader, bytes]] = []
        self.refused: list[tuple[Reason, str]] = []
        self.outbox = Outbox(folder / "outbox.sqlite3")
        self.answers = SecureAnswers(
            self.outbox,
            lambda header, payload: self.sent.append(unpack_update(payload)),
            lambda command, reason, why: self.refused.append((reason, why)),
        )

    def put(self, key: Key, secret: bytes) -> bytes:
        keys = Participant(key, secret).announcement()
        layout = WordLayout(np.arange(20) >= 18)
        private = PrivateUpdate(header(key, keys), secret, Contribution(np.arange(20), layout, 100))
        entry = UpdateKey(key.run, key.round, key.device, key.attempt)
        self.outbox.put(OutboxEntry(entry, pack_update(private.header, keys), private=private))
        return keys

    def ask(self, *commands: SecureCommand) -> None:
        async def everything() -> None:
            for command in commands:
                self.answers.take(command)
            await asyncio.gather(*self.answers.close())

        asyncio.run(everything())


def roster(own: bytes, generator: np.random.Generator) -> Roster:
    others = {name: Participant(replace(KEY, device=name), generator.bytes(32)).announcement() for name in "abc"}
    return Roster({name: PublicKeys.read(keys) for name, keys in others.items()} | {"pi-1": PublicKeys.read(own)})


def shares_question(found: Roster, key: Key = KEY) -> SecureCommand:
    return SecureCommand(key.run, key.round, key.device, key.attempt, "sealed", found.data)


def test_u6_1_a_restarted_node_remembers_what_it_answered(tmp_path: Path, generator: np.random.Generator) -> None:
    """The same question has the same answer; another list is refused and counted (U7.3)."""
    node = Node(tmp_path)
    own = node.put(KEY, generator.bytes(32))
    first, second = roster(own, generator), roster(own, generator)
    node.ask(shares_question(first), shares_question(second), shares_question(first))
    assert [one.encoding for one, _ in node.sent] == ["sealed"] * 2 or len(node.sent) == 1
    assert node.refused == [(Reason.SECURE, "pi-1 has answered another list of devices of this round (roster)")]
    node.outbox.close()
    again = Node(tmp_path)
    again.ask(shares_question(second))
    again.ask(shares_question(first))
    assert again.refused == node.refused
    assert again.sent == node.sent[:1]
    again.outbox.close()


def test_u6_3_what_nothing_is_kept_of_is_refused(tmp_path: Path, generator: np.random.Generator) -> None:
    """Of another round, attempt or run: a replay of an old question tells nothing."""
    node = Node(tmp_path)
    own = node.put(KEY, generator.bytes(32))
    found = roster(own, generator)
    for other in (replace(KEY, round=2), replace(KEY, attempt=2), replace(KEY, run="r2"), replace(KEY, device="a")):
        node.ask(shares_question(found, other))
    node.ask(replace(shares_question(found), body=b"\xff" * 50))
    assert node.sent == []
    assert [reason for reason, _ in node.refused] == [Reason.SECURE] * 5
    node.outbox.close()


def test_u2_3_secrets_of_earlier_rounds_and_runs_are_deleted(tmp_path: Path, generator: np.random.Generator) -> None:
    """Also from the bytes of the file."""
    node = Node(tmp_path)
    secrets = [generator.bytes(32) for _ in range(3)]
    node.put(KEY, secrets[0])
    node.put(replace(KEY, device="pi-2"), secrets[1])
    node.put(replace(KEY, round=4), secrets[2])
    assert node.outbox.private(KEY) is None
    assert node.outbox.private(replace(KEY, device="pi-2")) is not None
    kept = node.outbox.private(replace(KEY, round=4))
    assert kept is not None
    assert kept.contribution.numbers.tolist() == list(range(20))
    assert kept.contribution.layout.wide.tolist() == [False] * 18 + [True] * 2
    node.outbox.forget_private(but="r1")
    assert node.outbox.private(replace(KEY, round=4)) is not None
    node.outbox.forget_private()
    assert node.outbox.private(replace(KEY, round=4)) is None
    node.outbox.close()
    content = (tmp_path / "outbox.sqlite3").read_bytes()
    assert all(one not in content for one in secrets)


def test_p3_questions_that_wait_are_bounded(tmp_path: Path, generator: np.random.Generator) -> None:
    node = Node(tmp_path)
    own = node.put(KEY, generator.bytes(32))
    found = roster(own, generator)
    node.ask(*(replace(shares_question(found), round=number + 10) for number in range(300)))
    assert sum(reason is Reason.FLOOD for reason, _ in node.refused) == 300 - 256
    node.outbox.close()


@pytest.mark.parametrize("version", [5])
def test_an_outbox_of_an_earlier_version_gets_the_table(tmp_path: Path, version: int) -> None:
    """U2.1."""
    import sqlite3

    Outbox(tmp_path / "outbox.sqlite3").close()
    with sqlite3.connect(tmp_path / "outbox.sqlite3") as database:
        database.execute("DROP TABLE private")
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    node = Node(tmp_path)
    node.put(KEY, bytes(32))
    assert node.outbox.private(KEY) is not None
    node.outbox.close()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"sum": "devices", "bits": 8}, "both a difference and a part of a sum"),
        ({"sum": "devices", "clip": 4}, "clip and grid go together"),
        ({"sum": "devices", "grid": 4}, "clip and grid go together"),
        ({"sum": "devices", "noise": 16}, "clip and grid go together"),
        ({"sum": "devices", "grid": 99, "clip": 4}, "grid = 99 is not in 0 to 64"),
        ({"sum": "devices", "grid": 9, "clip": 0}, "clip = 0 is not in 1"),
        ({"sum": "devices", "grid": 9, "clip": 9, "noise": 2**63}, "noise = 9223372036854775808 is not in 0"),
    ],
)
def test_m32_commands_out_of_range_are_refused(fields: dict[str, object], why: str) -> None:
    """M12."""
    command = TrainCommand("r1", 3, "pi-1", 1, bytes(32), 0.1, 1, 4, 1, 9, 0)
    ranges.check(command)
    ranges.check(replace(command, sum="samples", grid=3, clip=77, noise=16))
    with pytest.raises(ProtocolError, match=why):
        ranges.check(replace(command, **fields))  # type: ignore[arg-type]


def test_m32_a_secure_command_is_read_back(generator: np.random.Generator) -> None:
    question = SecureCommand("r1", 3, "pi-1", 1, "opened", generator.bytes(3000))
    assert decode(SecureCommand, encode(question)) == question
    with pytest.raises(ProtocolError):
        decode(SecureCommand, encode(question).replace(b"opened", b"closed"))
