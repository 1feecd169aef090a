"""The table of an outbox with what a secure sum needs of a device (U2): its update, its secret, what it answered."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from jaragua.privacy.participant import Commitments, Contribution
from jaragua.privacy.secrets import Key
from jaragua.privacy.words import WordLayout
from jaragua.wire.messages import UpdateHeader, decode, encode

TABLE: Final = """
CREATE TABLE private(           -- what devices add to secure sums (docs/design/private-updates.md, U2)
    run TEXT NOT NULL, round INTEGER NOT NULL, device TEXT NOT NULL, attempt INTEGER NOT NULL,
    secret BLOB NOT NULL, header BLOB NOT NULL,
    numbers BLOB NOT NULL, wide BLOB NOT NULL, noise INTEGER NOT NULL,
    roster BLOB NOT NULL, included BLOB NOT NULL, survivors BLOB NOT NULL, -- SHA-256 of what was answered (U6.1)
    PRIMARY KEY (run, round, device, attempt)
);
"""
_COLUMNS: Final = "secret, header, numbers, wide, noise, roster, included, survivors"
_ONE: Final = "run = ? AND round = ? AND device = ? AND attempt = ?"


@dataclass(frozen=True)
class PrivateUpdate:
    """header: of the update with the keys; answers have the same figures."""

    header: UpdateHeader
    secret: bytes = field(repr=False)
    contribution: Contribution = field(repr=False)
    done: Commitments = field(default_factory=Commitments)

    @property
    def key(self) -> Key:
        """What the secret belongs to."""
        return Key(self.header.run, self.header.round, self.header.device, self.header.attempt)


class PrivateTable:
    """Of one outbox; its owner makes the transactions and names the errors."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        # What is deleted here is to be gone (U2.3).
        self._database.execute("PRAGMA secure_delete = ON")

    def put(self, one: PrivateUpdate) -> None:
        """Keep a device's part, in the place of those of other rounds (U2.3)."""
        key, part = one.key, one.contribution
        self._database.execute(
            "DELETE FROM private WHERE device = ? AND NOT (run = ? AND round = ?)", (key.device, key.run, key.round)
        )
        wide = part.layout.wide
        self._database.execute(
            f"INSERT INTO private(run, round, device, attempt, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *_values(key),
                *(one.secret, encode(one.header), part.numbers.astype("<i8").tobytes(), np.packbits(wide).tobytes()),
                *(part.noise, one.done.roster, one.done.included, one.done.survivors),
            ),
        )

    def get(self, key: Key) -> PrivateUpdate | None:
        """What is kept under a key, None if nothing is."""
        row = self._database.execute(f"SELECT {_COLUMNS} FROM private WHERE {_ONE}", _values(key)).fetchone()
        if row is None:
            return None
        secret, header, numbers, wide, noise, *done = row
        integers = np.frombuffer(numbers, "<i8").astype(np.int64)
        layout = WordLayout(np.unpackbits(np.frombuffer(wide, np.uint8), count=len(integers)).astype(np.bool_))
        return PrivateUpdate(
            decode(UpdateHeader, header), secret, Contribution(integers, layout, noise), Commitments(*done)
        )

    def commit(self, key: Key, done: Commitments) -> None:
        """Keep what is going to be answered (U6.1)."""
        self._database.execute(
            f"UPDATE private SET roster = ?, included = ?, survivors = ? WHERE {_ONE}",
            (done.roster, done.included, done.survivors, *_values(key)),
        )

    def forget(self, run: str) -> None:
        """A run is over (U2.3)."""
        self._database.execute("DELETE FROM private WHERE run = ?", (run,))

    def runs(self) -> list[str]:
        """Runs of which something is kept."""
        return [run for (run,) in self._database.execute("SELECT DISTINCT run FROM private")]


def _values(key: Key) -> tuple[str, int, str, int]:
    return key.run, key.round, key.device, key.attempt
