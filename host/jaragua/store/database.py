"""The truth of a run: every change is one transaction, on the disk before anyone is told of it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaragua.bases.closing import Closing
from jaragua.errors import StoreError
from jaragua.privacy.exchange import Kept
from jaragua.store.backend import BEGINNINGS_SINCE, BLANK, CHECKED_SINCE, OPTIMISED_SINCE, Place, Statement
from jaragua.store.open_round import OpenRound
from jaragua.store.opening import backend_at
from jaragua.store.records import (
    Assignment,
    Initialisation,
    RoundRecord,
    RunRecord,
    RunStatus,
    StoredUpdate,
    StoredVersion,
    Totals,
)
from jaragua.strategies.server_optimiser import NO_MOMENTS

_Execute = Callable[[str, Sequence[Any]], None]
_VALUES_OF_UPDATE = attrgetter(*(field.name for field in fields(StoredUpdate) if field.name != "sha256"))
_INSERT_UPDATE = (
    "INSERT INTO updates (run, round, device, attempt, blob, samples, loss, score, metric, instructions, "
    "payload_bytes, taken_in, encoding, blob_check) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OF_UPDATES = (
    "SELECT round, device, attempt, blob, samples, loss, score, metric, instructions, payload_bytes, taken_in, "
    "encoding, blob_check FROM updates WHERE run = ?"
)
#: All of a round, and earlier ones that count in it (R13.2). Each half has an index (R31.12). Those of the round that
#: count in a later one are sorted out when their bytes are checked: what damaged bytes say of it is not believed.
_UPDATES_FOR = (
    f"{_OF_UPDATES} AND round = ? UNION ALL {_OF_UPDATES} AND taken_in = ? AND taken_in <> round ORDER BY device, round"
)


class Store(Closing):
    """The store of one run. Threads wait for one another; one process writes at a time.

    Errors: StoreError if the database is damaged, of another version, or cannot be written.
    """

    def __init__(self, place: Place, *, read_only: bool = False) -> None:
        self.place = place
        self._backend = backend_at(place, read_only=read_only)
        version = self._backend.version
        self._blank = version == BLANK
        self._vector_check = "vector_check" if version >= CHECKED_SINCE else "x''"
        self._moments = "moments, moments_check" if version >= OPTIMISED_SINCE else "x'', x''"
        self._beginning = "beginning" if version >= BEGINNINGS_SINCE else "'{}'"
        self._open = OpenRound()
        self._joined: list[Statement] | None = None
        """What `together` has collected; None outside of it."""
        self._lock = threading.Lock()
        """Held by whoever asks the database, or writes to it."""

    def close(self) -> None:
        """Let go of the database, when whoever uses it now is done; what was committed stays."""
        with self._lock:
            self._backend.close()

    # ---- the run ----

    def create_run(self, record: RunRecord, initial: Initialisation) -> None:
        """Write the run and the initialisation it starts from, together."""
        with self._transaction() as execute:
            texts = json.dumps(record.settings), json.dumps(record.beginning)
            values = (record.run, record.name, record.seed, record.rounds, record.status, *texts)
            columns = "run, name, seed, rounds, status, settings, beginning"
            execute(f"INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            _insert_initialisation(execute, record.run, initial)

    def run(self) -> RunRecord | None:
        """The run of this store, or None before `create_run`."""
        which, values = self._backend.which_run
        query = f"SELECT run, name, seed, rounds, status, settings, {self._beginning} FROM runs {which}"
        rows = [] if self._blank else self._rows(query, values)
        if not rows:
            return None
        run, name, seed, rounds, status, settings, beginning = rows[0]
        return RunRecord(run, name, seed, rounds, status, self._json(settings), self._json(beginning))

    def set_aside(self) -> str:
        """Begin anew in a database of several runs: this one is kept there. Its identifier; "" if there was none."""
        return self._backend.set_aside()

    def forget(self, run: str) -> None:
        """Take out a run of which no round was opened."""
        with self._transaction() as execute:
            for table in ("starts", "initialisations", "runs"):
                execute(f"DELETE FROM {table} WHERE run = ?", (run,))

    def set_status(self, run: str, status: RunStatus) -> None:
        """Record whether the run goes on."""
        with self._transaction() as execute:
            execute("UPDATE runs SET status = ? WHERE run = ?", (status, run))

    @contextmanager
    def together(self) -> Iterator[None]:
        """What the block writes is one transaction, which waits for the disk once; nothing if the block fails.

        The block does not read what it writes, and no other thread writes meanwhile.
        """
        joined: list[Statement] = []
        self._joined = joined
        try:
            yield
        finally:
            self._joined = None
        with self._lock:
            self._backend.commit(joined)

    # ---- rounds ----

    def open_round(
        self, run: str, round_number: int, members: Sequence[str], assignments: Sequence[Assignment]
    ) -> None:
        """Write a round with its members and first assignments, together."""
        with self._transaction() as execute:
            execute("INSERT INTO rounds VALUES (?, ?, ?, NULL)", (run, round_number, json.dumps(list(members))))
            for assignment in assignments:
                _insert_assignment(execute, run, assignment)
        self._open = OpenRound(run, round_number)

    def add_assignments(self, run: str, assignments: Iterable[Assignment]) -> None:
        """Write later assignments, together: other attempts, and who steps in."""
        with self._transaction() as execute:
            for assignment in assignments:
                _insert_assignment(execute, run, assignment)

    def add_updates(self, run: str, updates: Iterable[StoredUpdate]) -> None:
        """Write accepted updates, together; when this returns they are on the disk and may be acknowledged (M2)."""
        written = list(updates)
        with self._transaction() as execute:
            for update in written:
                execute(_INSERT_UPDATE, (run, *_VALUES_OF_UPDATE(update), update.sha256 or _check_of(update.blob)))
        self._open.add(run, written)

    def close_round(
        self,
        run: str,
        round_number: int,
        metrics: Mapping[str, Any] | str,
        result: Initialisation,
        start: StoredVersion | None = None,
        *,
        finished: bool,
    ) -> None:
        """Write a round's figures and what it made, and that the run is finished if it is, together.

        metrics: the figures, or their JSON.
        """
        with self._transaction() as execute:
            text = metrics if isinstance(metrics, str) else json.dumps(metrics, allow_nan=False)
            execute("UPDATE rounds SET metrics = ? WHERE run = ? AND round = ?", (text, run, round_number))
            _insert_initialisation(execute, run, result)
            if start is not None:
                _insert_start(execute, run, start)
            if finished:
                execute("UPDATE runs SET status = 'finished' WHERE run = ?", (run,))
        self._open = OpenRound()

    def has_rounds(self, run: str) -> bool:
        """Whether a round was opened."""
        return bool(self._rows("SELECT 1 FROM rounds WHERE run = ? LIMIT 1", (run,)))

    def closed_rounds(self, run: str) -> Iterator[dict[str, Any]]:
        """The figures of every closed round, in order; one after the other is read and kept (R20.5)."""
        query = "SELECT round FROM rounds WHERE run = ? AND metrics IS NOT NULL ORDER BY round"
        for (number,) in self._rows(query, (run,)):
            yield self.metrics(run, number)

    def rounds(self, run: str, since: int = 0) -> list[RoundRecord]:
        """Every round from `since` on that was opened, in order."""
        query = "SELECT round, members, metrics FROM rounds WHERE run = ? AND round >= ? ORDER BY round"
        rows = self._rows(query, (run, since))
        return [
            RoundRecord(number, tuple(self._json(members)), None if metrics is None else self._json(metrics))
            for number, members, metrics in rows
        ]

    def assignments(self, run: str, since: int = 0) -> list[Assignment]:
        """The assignments of rounds from `since` on, in the order of round, device and attempt."""
        query = (
            "SELECT round, device, attempt, node, seed FROM assignments WHERE run = ? AND round >= ? ORDER BY 1, 2, 3"
        )
        return [Assignment(*row) for row in self._rows(query, (run, since))]

    def node_of(self, run: str, round_number: int, device: str, attempt: int) -> str | None:
        """The node of an assignment, None if there is no such assignment. attempt: any integer."""
        query = "SELECT attempt, node FROM assignments WHERE run = ? AND round = ? AND device = ?"
        return dict(self._rows(query, (run, round_number, device))).get(attempt)

    def nodes_of_round(self, run: str, round_number: int) -> list[str]:
        """The nodes that were given work in a round, sorted; "" stands for a device that was away."""
        query = "SELECT DISTINCT node FROM assignments WHERE run = ? AND round = ? ORDER BY node"
        return [row[0] for row in self._rows(query, (run, round_number))]

    def totals(self, run: str) -> Totals:
        """Sums over the rounds that are closed, and accepted updates by device."""
        queries = self._backend.queries
        rounds, bytes_up, bytes_down = self._rows(queries.totals, (run,))[0]
        excluded = dict(self._rows(queries.excluded, (run,)))
        counts = "SELECT device, count(*) FROM updates WHERE run = ? GROUP BY device ORDER BY device"
        rejected = dict(self._rows(queries.rejected, (run,)))
        return Totals(rounds, bytes_up, bytes_down, dict(self._rows(counts, (run,))), excluded, rejected)

    def curves(self, run: str) -> dict[str, list[dict[str, Any]]]:
        """By device, sorted: round, loss, score (and age, R13) of every update that counted in a closed round."""
        found: dict[str, list[dict[str, Any]]] = {}
        for device, number, loss, score, age in self._rows(self._backend.queries.curves, (run,)):
            point = {"round": number, "loss": loss, "score": score} | ({"age": age} if age else {})
            found.setdefault(device, []).append(point)
        return found

    def metrics(self, run: str, round_number: int) -> dict[str, Any]:
        """The figures of a closed round, {} if it is not closed."""
        rows = self._rows("SELECT metrics FROM rounds WHERE run = ? AND round = ?", (run, round_number))
        figures: dict[str, Any] = self._json(rows[0][0]) if rows and rows[0][0] is not None else {}
        return figures

    def last_round_of_node(self, run: str, node: str, before: int) -> int:
        """The last round before that one in which a node was given work; 0 if there is none."""
        query = "SELECT coalesce(max(round), 0) FROM assignments WHERE run = ? AND node = ? AND round < ?"
        return int(self._rows(query, (run, node, before))[0][0])

    def last_stored_round(self, run: str, device: str) -> int:
        """The last round of which an update of a device was accepted; 0 if there is none."""
        query = "SELECT coalesce(max(round), 0) FROM updates WHERE run = ? AND device = ?"
        return int(self._rows(query, (run, device))[0][0])

    def starts(self, run: str) -> list[StoredVersion]:
        """What rounds started from, in order, where that is more than a packed initialisation."""
        query = "SELECT rounds_done, sha256, blob, payload, total FROM starts WHERE run = ? ORDER BY rounds_done"
        return [StoredVersion(*row) for row in self._rows(query, (run,))]

    def updates(self, run: str, round_number: int) -> list[StoredUpdate]:
        """The accepted updates that count in a round, sorted by device and age."""
        if (kept := self._open.updates_of(run, round_number)) is not None:
            return kept
        found = []
        for *values, check in self._rows(_UPDATES_FOR, (run, round_number) * 2):
            update = StoredUpdate(*values)
            what = f"update of {update.device} for round {update.round_number}"
            self._require_check(update.blob, check, what)
            if update.taken_in < update.round_number:
                raise self._damaged(f"the {what} is not what was written")
            if update.taken_in == round_number:
                found.append(update)
        return found

    def forms_sent(self, run: str, round_number: int) -> dict[str, list[tuple[str, bytes]]]:
        """By node: encoding and first bytes of each of its updates of a round."""
        query = (
            "SELECT node, encoding, substr(blob, 1, 16) "
            "FROM updates JOIN assignments USING (run, round, device, attempt) WHERE run = ? AND round = ?"
        )
        found: dict[str, list[tuple[str, bytes]]] = {}
        for node, encoding, head in self._rows(query, (run, round_number)):
            found.setdefault(node, []).append((encoding, bytes(head)))
        return found

    def taken_in(self, run: str, round_number: int) -> int:
        """How many updates count in a round."""
        own = "SELECT count(*) FROM updates WHERE run = ? AND round = ? AND taken_in = round"
        later = "SELECT count(*) FROM updates WHERE run = ? AND taken_in = ? AND taken_in <> round"
        return sum(int(self._rows(query, (run, round_number))[0][0]) for query in (own, later))

    def stored_keys(self, run: str, since: int = 0) -> dict[tuple[int, str], int]:
        """(round, device) -> attempt of every accepted update of rounds from `since` on."""
        rows = self._rows("SELECT round, device, attempt FROM updates WHERE run = ? AND round >= ?", (run, since))
        return {(number, device): attempt for number, device, attempt in rows}

    def has_update(self, run: str, round_number: int, device: str) -> bool:
        """Whether an update of a device was accepted for a round."""
        query = "SELECT 1 FROM updates WHERE run = ? AND round = ? AND device = ?"
        return bool(self._rows(query, (run, round_number, device)))

    def devices_stored(self, run: str, before: int) -> set[str]:
        """The devices of which an update was accepted for any round before that one."""
        query = "SELECT DISTINCT device FROM updates WHERE run = ? AND round < ?"
        return {row[0] for row in self._rows(query, (run, before))}

    def nodes_of_devices(self, run: str) -> dict[str, str]:
        """By device: the node that sent its newest accepted update."""
        query = (
            "SELECT device, node FROM assignments JOIN updates USING (run, round, device, attempt) JOIN "
            "(SELECT device, max(round) AS round FROM updates WHERE run = ? GROUP BY device) AS newest "
            "USING (round, device) WHERE run = ?"
        )
        return dict(self._rows(query, (run, run)))

    # ---- initialisations ----

    def initialisation(self, run: str, rounds_done: int | None = None) -> Initialisation:
        """The initialisation after so many rounds; the newest for None. Raises: StoreError if there is none."""
        names = f"rounds_done, vector, blob_hash, {self._vector_check}, {self._moments}"
        query = f"SELECT {names} FROM initialisations WHERE run = ?"
        if rounds_done is None:
            rows = self._rows(f"{query} ORDER BY rounds_done DESC LIMIT 1", (run,))
        else:
            rows = self._rows(f"{query} AND rounds_done = ?", (run, rounds_done))
        if not rows:
            message = f"{self._backend.name} has no initialisation after {rounds_done} rounds"
            raise StoreError(message, "the database is not whole")
        number, vector, blob_hash, check, kept, kept_check = rows[0]
        self._require_check(vector, check, f"initialisation after {number} rounds")
        self._require_check(kept, kept_check, f"server optimiser's state after {number} rounds")
        weights = _floats(vector)
        moments = _floats(kept).reshape(-1, len(weights)) if kept else NO_MOMENTS
        return Initialisation(number, weights, bytes(blob_hash), moments)

    def keep_of_sum(self, run: str, round_number: int, rows: Iterable[Kept]) -> None:
        """Write answers and ends of stages of a secure sum, together (U7.2)."""
        with self._transaction() as execute:
            for one in rows:
                execute(
                    "INSERT INTO sums (run, round, stage, device, content) VALUES (?, ?, ?, ?, ?)",
                    (run, round_number, one.stage, one.device, one.content),
                )

    def kept_of_sum(self, run: str, round_number: int) -> list[Kept]:
        """All of it."""
        query = "SELECT stage, device, content FROM sums WHERE run = ? AND round = ? ORDER BY stage, device"
        rows = self._rows(query, (run, round_number))
        return [Kept(stage, device, bytes(content)) for stage, device, content in rows]

    def forget_sums(self, run: str, rounds: Iterable[int]) -> None:
        """Those of these rounds are not needed any more."""
        with self._transaction() as execute:
            for number in rounds:
                execute("DELETE FROM sums WHERE run = ? AND round = ?", (run, number))

    def blob_hashes(self, run: str) -> list[bytes]:
        """Hashes of the blobs of every initialisation, in order."""
        query = "SELECT blob_hash FROM initialisations WHERE run = ? ORDER BY rounds_done"
        return [bytes(row[0]) for row in self._rows(query, (run,))]

    # ---- inside ----

    def check_whole(self) -> None:
        """Read the whole database once. Raises: StoreError if its structure is damaged."""
        if found := self._backend.damage():
            raise self._damaged(found)

    def _json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise self._damaged(f"a text of it is not JSON: {error}") from error

    def _require_check(self, content: bytes, check: bytes, what: str) -> None:
        if check and bytes(check) != _check_of(content):
            raise self._damaged(f"the {what} is not what was written")

    def _damaged(self, how: str) -> StoreError:
        hint = "put a whole copy of it back, or start a run in another folder, or anew in this one with --new"
        return StoreError(f"the run's database {self._backend.name} is damaged: {how}", hint)

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._backend.rows(query, values)

    @contextmanager
    def _transaction(self) -> Iterator[_Execute]:
        """What is executed in the block is one transaction when the block ends, or nothing if it fails."""
        statements: list[Statement] = []
        yield lambda query, values: statements.append((query, values))
        if self._joined is not None:
            self._joined += statements
            return
        with self._lock:
            self._backend.commit(statements)


def _insert_assignment(execute: _Execute, run: str, one: Assignment) -> None:
    execute("INSERT INTO assignments VALUES (?, ?, ?, ?, ?, ?)", (run, *one))


def _insert_initialisation(execute: _Execute, run: str, one: Initialisation) -> None:
    content, moments = _bytes_of(one.vector), _bytes_of(one.moments)
    if moments:
        execute("UPDATE initialisations SET moments = ?, moments_check = ? WHERE run = ?", (b"", b"", run))
    values = (run, one.rounds_done, content, one.blob_hash, _check_of(content), moments, _check_of(moments))
    execute("INSERT INTO initialisations VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def _bytes_of(numbers: NDArray[np.float64]) -> bytes:
    return np.ascontiguousarray(numbers, dtype="<f8").tobytes()


def _floats(content: bytes) -> NDArray[np.float64]:
    return np.frombuffer(content, dtype="<f8").astype(np.float64)


def _check_of(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _insert_start(execute: _Execute, run: str, one: StoredVersion) -> None:
    """Of older ones only what leads to the newest is kept."""
    execute("UPDATE starts SET blob = ? WHERE run = ?", (b"", run))
    values = (run, one.rounds_done, one.sha256, one.blob, one.payload, one.total)
    execute("INSERT INTO starts VALUES (?, ?, ?, ?, ?, ?)", values)
