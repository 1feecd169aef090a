"""Carries out what the round machine decides: the disk first, then the broker (M2)."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

from jaragua.bases.value import made
from jaragua.config import RunConfig
from jaragua.coordinator import events
from jaragua.coordinator.aggregator.checker import KnownRound, form_of
from jaragua.coordinator.aggregator.pool import Aggregators
from jaragua.coordinator.connection.fleet import Arrived, Fleet, PresenceChanged, unix_ms
from jaragua.coordinator.device_figures import DeviceFigures
from jaragua.coordinator.private_rounds import PrivateRounds
from jaragua.coordinator.rounds import machine, validation
from jaragua.coordinator.rounds.figures import mean_of, tamed
from jaragua.coordinator.rounds.machine import Action, Bases, ResumeState, RoundMachine, Rules
from jaragua.coordinator.rounds.validation import Expected, Verdict
from jaragua.coordinator.selection import selection_of
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.coordinator.weights.formats import ARCHITECTURE, Formats
from jaragua.coordinator.weights.learned import EarlyRows, RoundBase, rows_of
from jaragua.coordinator.weights.model_version import ModelVersion, ModelVersionMaker
from jaragua.coordinator.weights.publication import Hashes, ModelPublisher
from jaragua.coordinator.weights.row_sums import SumsAsked
from jaragua.coordinator.weights.update_check import UpdateCheck, codec_of
from jaragua.errors import RunError
from jaragua.privacy import exchange
from jaragua.privacy.errors import SecureError
from jaragua.settings import sent
from jaragua.store import Assignment, Initialisation, RoundRecord, RunFolder, RunRecord, Store, StoredUpdate
from jaragua.strategies import ClientUpdate, ClientWork, Strategy
from jaragua.strategies.guarded import ExclusionCounter, checked_aggregate
from jaragua.strategies.registry import step_size_of, work_of
from jaragua.token_bucket import TokenBucket
from jaragua.wire import messages
from jaragua.wire.rejections import Reason, shown
from jaragua_models import NamesDevices

#: Blobs of rounds before the last that a kill can have left on the broker.
_BLOBS_LEFT_BEHIND = 3
_MS_BETWEEN_WAITING = 1000
#: Templates of commands that are remembered.
_FORMS_OF_COMMANDS = 64
#: Of a command: round, attempt, deadline (Unix milliseconds), start, start in float32, newest stored round.
_Alike: TypeAlias = tuple[int, int, int, bytes, bytes | None, int | None]
#: Of a closed round: its figures, the same as a line, and its updates, which go with the thread that writes the files:
#: to give up the memory of thousands of them takes milliseconds in which no device works.
_Unwritten: TypeAlias = tuple[dict[str, Any], str, Sequence[StoredUpdate]]
#: R31.7: groups whose transaction goes on or waits.
_MOST_COMMITTING = 8
#: R31.7: by the event loop itself, in some milliseconds.
_MOST_BYTES_CHECKED_HERE = 2**20 * 3
#: R31.6: encoded before the event loop has its turn.
_COMMANDS_AT_ONCE = 256
#: Own work shorter than this is not told from the devices' time.
_OWN_TIME_MS = 50
#: P3: answers to updates that cannot be stored.
_REFUSALS_A_SECOND, _REFUSALS_AT_ONCE = 100, 2000
#: P3: refused updates of one round that are kept with their reasons; all are counted.
_MOST_REFUSED_KEPT = 32


T = TypeVar("T")


def monotonic_ms() -> int:
    """The machine's clock."""
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True)
class _Past:
    """R20: the database's answers about rounds that the machine has forgotten."""

    store: Store
    run: str

    def has_update(self, round_number: int, device: str) -> bool:
        return self.store.has_update(self.run, round_number, device)

    def node_of(self, round_number: int, device: str, attempt: int) -> str | None:
        return self.store.node_of(self.run, round_number, device, attempt)


@dataclass
class _Traffic:
    """What crossed the broker in the open round beside the stored updates, which are counted from the store."""

    repeated_bytes: int = 0
    secure_bytes: int = 0
    """Answers of the secure sum."""
    opened_ms: int = field(default_factory=monotonic_ms)
    nodes: set[str] | None = None
    """That were given work; None: this process has not opened the round."""

    @property
    def beside(self) -> int:
        """Bytes from the nodes."""
        return self.repeated_bytes + self.secure_bytes


class Driver:
    """One run in one process."""

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        record: RunRecord,
        formats: Formats,
        strategy: Strategy,
        on_event: Callable[[events.RunEvent], None],
    ) -> None:
        self._config = config
        self._folder = folder
        self._store = folder.store
        self._record = record
        self._formats = formats
        self._codec = codec = formats.own
        interface = codec.model.interface
        self._input = None if interface is None else interface.to_json().encode()
        """M17."""
        self._strategy = strategy
        self._on_event = on_event
        self._fleet: Fleet | None = None
        self._aggregators: Aggregators | None = None
        self._asks_again = False
        self._traffic = _Traffic()
        self._rejected: dict[str, int] = {}
        self._of_no_use: dict[str, str] = {}
        """Why the last update of a device was rejected, in the open round."""
        self._refused: list[dict[str, Any]] = []
        """Updates that were rejected or late since the last round closed."""
        self._waiting_event_ms = -_MS_BETWEEN_WAITING
        self._refusals = TokenBucket(_REFUSALS_A_SECOND, _REFUSALS_AT_ONCE)
        self._works: dict[int, ClientWork] = {}
        self._commands: dict[_Alike, messages.Template] = {}
        """What train-commands have in common that differ in device and seed."""
        self._commands_waiting: list[tuple[Assignment, int]] = []
        """Commands that are to be sent, and their deadlines in Unix milliseconds."""
        self._unwritten: list[_Unwritten] = []
        """Rounds that the files beside the database lack."""
        self._writing: Future[None] | None = None
        """Such files are being written, or were."""
        self._written_open = 0  # the newest round that this process has written down as open
        self._committing: deque[asyncio.Task[None]] = deque()
        """Transactions of groups, in their order."""
        self._worker = ThreadPoolExecutor(1, "jaragua-store")
        self._writer = ThreadPoolExecutor(1, "jaragua-files")
        self._exclusions = ExclusionCounter()
        self._sums_asked = SumsAsked()
        self._early: EarlyRows | None = None
        self._figures = self._no_figures()
        self._private = PrivateRounds(config, record.run, folder.store, codec.plan, strategy)
        self._selection = selection_of(config, codec.model)
        self._current = self._store.initialisation(record.run)
        self._work = work_of(strategy, 1)
        self._publisher = ModelPublisher(
            ModelVersionMaker(codec, self._work, record.seed), folder.store, record, self._current
        )
        self._check = UpdateCheck(formats, self._work, self._hash_for, lambda: self._current.rounds_done)
        self._expected = Expected(codec.model.metric, self._most_samples, self._check_updates)
        bases = self._bases(self._current.rounds_done + 1)
        self.machine = RoundMachine(self._rules(), self._resume_state(), bases, _Past(self._store, record.run))

    @property
    def finished(self) -> bool:
        """Whether every round is closed."""
        return self.machine.phase is machine.Phase.FINISHED

    @property
    def rounds_done(self) -> int:
        """Rounds that are closed."""
        return self._current.rounds_done

    @property
    def _next_round(self) -> int:
        """The round that is open or comes next; the last one when all are closed."""
        return min(self._current.rounds_done + 1, self._record.rounds)

    # ---- what the loop calls ----

    def start(self, fleet: Fleet, aggregators: Aggregators | None = None) -> None:
        """Put what is retained on the broker, and begin. aggregators: of the run, if it has some."""
        self._fleet, self._aggregators = fleet, aggregators
        if aggregators is not None:
            aggregators.on_back = self.ask_again_soon
            self._tell_rounds()
        fleet.roster.is_stranger = self.machine.is_stranger
        fleet.roster.bind(self._store.nodes_of_devices(self._record.run))
        self._clear_old_blobs(fleet)
        self._publisher.publish(fleet, self.machine.rounds_at_work)
        if self._input is not None:
            fleet.publish_blob(self._input)
        # Before any device is ready: a node that was given no model learns it from here.
        fleet.publish_run(self._run_state(self._next_round, 0, "training"))
        self._perform(self.machine.start(self._picked(fleet.roster.present()), monotonic_ms()))
        self._finish()
        self._tell_waiting()

    def handle(self, event: PresenceChanged) -> None:
        """Devices came or went."""
        with self._own_time():
            changes = event.changes if self._selection is None else self._selection.changes(event.changes)
            self._perform(self.machine.devices(changes, monotonic_ms()))
            if self._private.exchange is not None:
                self._carry_out([one for change in changes for one in self._private.connected(change.device)])
            self._finish()
            self._tell_waiting()

    async def take_in(self, updates: Sequence[Arrived]) -> None:
        """Check updates, commit those that count in one transaction, then answer all of them (R19).

        Checks of long groups and transactions are the worker's: meanwhile the event loop reads what comes.
        """
        await self.take_in_soon(updates)
        await self.settle()

    async def take_in_soon(self, updates: Sequence[Arrived]) -> None:
        """The same, but the last transaction may still go on (R31.7); `settle` before anything but more updates."""
        with self._own_time():
            left = list(updates)
            if self._private.are_masked:
                self._take_answers([one for one in updates if self._private.takes(one.header)])
                left = [one for one in updates if not self._private.takes(one.header)]
            await self._finish_in_slices()
            while left and not self.finished:
                left = await self._take_in_some(left)
                await self._finish_in_slices()

    async def settle(self) -> None:
        """R31.7: wait for the transactions that go on or wait, and for the answers to their updates."""
        self._look_at_files()
        await self._settle_but(0)

    async def _settle_but(self, most: int) -> None:
        while len(self._committing) > most:
            await self._committing.popleft()

    def _commit(self, kept: Sequence[StoredUpdate], answers: Sequence[machine.Acknowledge]) -> None:
        """By the worker; the answers follow when all of it is on the disk."""
        work = self._worked(lambda: self._store.add_updates(self._record.run, kept))
        self._figures.add(kept)
        if self._early is not None:
            self._early.add(kept)
        answered = asyncio.create_task(self._answered(work, kept, answers))
        answered.add_done_callback(_look_at)  # after the first that fails nobody waits for the others
        self._committing.append(answered)

    async def _answered(
        self, work: Awaitable[None], kept: Sequence[StoredUpdate], answers: Sequence[machine.Acknowledge]
    ) -> None:
        """A round is closed after this, not only after `work`: what follows belongs to the round that is open."""
        await work
        self._broker.forget_missing(self._record.run, ((one.device, one.round_number) for one in kept))
        self._broker.acknowledge(answers)

    def ask_again_soon(self) -> None:
        """R30.5: at the next `tick`, as the store may be the worker's now."""
        self._asks_again = True

    def tick(self) -> None:
        """Time has passed."""
        with self._own_time():
            self._pick_again()
            self._perform(self.machine.tick(monotonic_ms()))
            if self._private.exchange is not None:
                self._carry_out(self._private.exchange.tick(monotonic_ms()))
            if self._asks_again:
                self._asks_again = False
                self._perform(self.machine.ask_again())
            self._finish()
            self._tell_waiting()

    def _picked(self, present: dict[str, str]) -> dict[str, str]:
        """Of the devices that are there those that `devices.match` picks (S7.1)."""
        if self._selection is None:
            return present
        self._selection.look(monotonic_ms())
        return self._selection.present(present)

    def _pick_again(self) -> None:
        """S7.3: the graph may say something else of devices that are there."""
        if self._selection is not None and self._fleet is not None and self._selection.look(monotonic_ms()):
            corrections = self._selection.corrections(self._fleet.roster.present(), self.machine.present)
            self._perform(self.machine.devices(corrections, monotonic_ms()))

    def end(self) -> None:
        """Say how the run ended or stands, and what is not wanted any more."""
        self._worker.shutdown(wait=True)  # a transaction that has begun ends before anyone else uses the store
        self._writer.shutdown(wait=True)
        if self._fleet is None:
            return
        self._write_files_of(self._taken_unwritten())
        self._look_at_files()
        phase = "finished" if self.finished else "stopped"
        self._store.set_status(self._record.run, "finished" if self.finished else "stopped")
        self._folder.write_summary()
        if self._selection is not None:
            self._folder.write_descriptions(self._selection.record())
        self._publisher.withdraw(self._fleet)
        self._fleet.expect(self._record.run, ())
        self._fleet.publish_run(self._run_state(self._next_round, 0, phase))
        for node in sorted({node for node in self._nodes_at_work() if node}):
            self._fleet.stop(node, self._record.run)

    # ---- the machine's actions ----

    @contextmanager
    def _own_time(self) -> Iterator[None]:
        """A deadline does not pass while hundreds of commands are written down and published."""
        began_ms = monotonic_ms()
        yield
        took_ms = monotonic_ms() - began_ms
        if took_ms >= _OWN_TIME_MS:
            self.machine.postpone(took_ms)

    def _perform(self, actions: Sequence[Action]) -> None:
        """One after the other; assignments that follow one another are one transaction."""
        for kind, some in groupby(actions, key=type):
            if kind is machine.Assign:
                written = [action.assignment for action in some if isinstance(action, machine.Assign)]
                if self._traffic.nodes is not None:
                    self._traffic.nodes.update([one.node for one in written])
                self._store.add_assignments(self._record.run, written)
            elif kind is machine.Command:
                commands = [action for action in some if isinstance(action, machine.Command)]
                now = _to_unix_ms(0)
                self._commands_waiting += [(one.assignment, now + one.deadline_ms) for one in commands]
            else:
                for action in some:
                    self._perform_one(action)
        if any(not isinstance(action, machine.Acknowledge | machine.CloseRound) for action in actions):
            self._expect()

    def _expect(self) -> None:
        """The updates that a round waits for, or the answers of its secure sum."""
        asked = self._private.awaited
        awaited = self.machine.awaited if asked is None else asked
        self._broker.expect(self._record.run, awaited)
        if self._aggregators is not None:
            self._aggregators.expect(self._record.run, awaited)

    def _perform_one(self, action: Action) -> None:
        match action:
            case machine.OpenRound(number, _, assignments):
                self._write_open(action)
                self._traffic = _Traffic(nodes={one.node for one in assignments})
                self._of_no_use.clear()
                self._early = self._early_rows(number, assignments)
                self._figures = self._no_figures()
                devices = tuple(one.device for one in assignments)
                self._on_event(events.RoundStarted(number, self._record.rounds, devices))
            case machine.Announce(number, deadline_ms):
                self._broker.publish_run(self._run_state(number, deadline_ms, "training"))
            case machine.Acknowledge():
                self._broker.acknowledge([action])
            case machine.CloseRound(number):
                self._close_or_sum(number)
            case machine.GiveUp(message, hint, missing):
                raise RunError(message + self._why_missing(missing), self._about_unfit() + hint)

    def _write_open(self, opened: machine.OpenRound) -> None:
        """Unless it was written with the end of the round before."""
        if self._written_open < opened.round_number:
            self._store.open_round(self._record.run, opened.round_number, opened.members, opened.assignments)
            self._written_open = opened.round_number

    def _finish(self) -> None:
        """What follows from actions and is not written down: commands, then the files beside the database."""
        self._send_commands(len(self._commands_waiting))
        self._write_files_soon()

    async def _finish_in_slices(self) -> None:
        """R31.6: the same; devices work on the first commands while the last are encoded.

        The updates that are awaited are known by now.
        """
        while self._commands_waiting:
            self._send_commands(_COMMANDS_AT_ONCE)
            await asyncio.sleep(0)
        self._write_files_soon()

    def _send_commands(self, most: int) -> None:
        now, self._commands_waiting = self._commands_waiting[:most], self._commands_waiting[most:]
        for assignment, deadline in now:
            self._command(assignment, deadline)

    @property
    def _broker(self) -> Fleet:
        if self._fleet is None:
            raise RuntimeError("the driver was not started")
        return self._fleet

    def _look_at_files(self) -> None:
        """Raise what kept the files beside the database from being written, if anything did."""
        if self._writing is not None and self._writing.done():
            writing, self._writing = self._writing, None
            writing.result()

    async def _take_in_some(self, updates: Sequence[Arrived]) -> list[Arrived]:
        """Up to the one that completes a round; the others, which belong to the next one."""
        questions = [
            None if one.content is not None else self.machine.question_of(one.node, one.header, one.blob)
            for one in updates
        ]
        asked = [question for question in questions if question is not None]
        answers = iter(await self._checked(asked))
        verdicts = [
            one.content if question is None else next(answers) for one, question in zip(updates, questions, strict=True)
        ]
        actions: list[Action] = []
        taken = 0
        for one, content in zip(updates, verdicts, strict=True):
            more = self._actions_of(one, content)
            actions += more
            taken += 1
            if more and isinstance(more[-1], machine.CloseRound):
                break
        kept = [_stored(one) for one in actions if isinstance(one, machine.Keep)]
        answered = [one for one in actions if isinstance(one, machine.Acknowledge)]
        if kept:
            await self._settle_but(_MOST_COMMITTING - 1)
            self._commit(kept, answered)
        elif answered:
            await self.settle()
            self._broker.acknowledge(answered)
        others = [one for one in actions if not isinstance(one, machine.Keep | machine.Acknowledge)]
        if others:
            await self.settle()
            self._perform(others)
        return list(updates[taken:])

    async def _checked(self, questions: Sequence[validation.Question]) -> Sequence[Verdict]:
        """R31.7: of few bytes here, as the worker may be committing the group before; of many by the worker."""
        if sum(len(one.blob) for one in questions) <= _MOST_BYTES_CHECKED_HERE:
            return validation.contents(questions, self._expected)
        return await self._worked(lambda: validation.contents(questions, self._expected))

    def _worked(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """What the worker makes of it."""
        return asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _actions_of(self, arrived: Arrived, content: Verdict | None) -> list[Action]:
        actions = self.machine.update(arrived.node, arrived.header, arrived.blob, arrived.payload_bytes, content)
        if not actions:
            return []
        answer = actions[1] if isinstance(actions[0], machine.Keep) else actions[0]
        if not isinstance(answer, machine.Acknowledge):
            raise TypeError(f"{answer} does not answer an update")
        verdict = answer.verdict
        if verdict.result != "stored" and not self._may_refuse(arrived, verdict):
            return []
        self._tell_checked(arrived, verdict)
        return actions

    def _tell_checked(self, arrived: Arrived, verdict: Verdict) -> None:
        """Of what nobody had asked for, the rejections are told (P4)."""
        if verdict.result == "rejected" and not verdict.retry:
            return
        header = arrived.header
        if verdict.retry:
            self._of_no_use[header.device] = verdict.reason
        if verdict.result in ("rejected", "late") and len(self._refused) < _MOST_REFUSED_KEPT:
            what = {"round": header.round, "device": header.device, "result": verdict.result}
            self._refused.append(what | {"reason": shown(verdict.reason)})
        checked = events.UpdateChecked(
            round_number=header.round,
            device=header.device,
            attempt=header.attempt,
            result=verdict.result,
            reason=verdict.reason,
            loss=header.loss,
            score=header.score,
            payload_bytes=arrived.payload_bytes,
        )
        self._on_event(checked)

    def _may_refuse(self, arrived: Arrived, verdict: Verdict) -> bool:
        """Count an update that is not stored; whether it is answered, too (P3: so many a second)."""
        self._traffic.repeated_bytes += arrived.payload_bytes
        where = f"{arrived.node}/up/{arrived.header.run}/{arrived.header.round} of {arrived.header.device}"
        if verdict.result == "rejected":
            self._broker.rejections.add(Reason.UPDATE, where, verdict.reason)
        if not verdict.retry and not self._refusals.take(time.monotonic()):
            self._broker.rejections.add(Reason.FLOOD, where, "more updates that cannot be stored than are answered")
            return False
        return True

    # ---- a secure sum ----

    def _close_or_sum(self, number: int) -> None:
        """Close a round; of masked updates the sum is asked for before (U3)."""
        if not self._private.are_masked or self._private.has_sum:
            following = self._close(number)
            self._perform(following)
            if not following:
                self._expect()
            return
        stored = self._store.updates(self._record.run, number)
        self._carry_out(self._private.begin(number, stored, self._publisher.blob_of(number), monotonic_ms()))

    def _take_answers(self, answers: Sequence[Arrived]) -> None:
        """Answers are written down before anything follows from them (U7.2)."""
        actions: list[exchange.Action] = []
        for one in answers:
            try:
                actions += self._private.answer(one.node, one.header, one.blob, monotonic_ms())
            except SecureError as error:
                self._traffic.repeated_bytes += one.payload_bytes
                self._broker.rejections.add(Reason.UPDATE, f"{one.node}, {one.header.encoding}", error)
            else:
                self._traffic.secure_bytes += one.payload_bytes
        if actions:
            self._carry_out(actions)

    def _carry_out(self, actions: Sequence[exchange.Action]) -> None:
        run, number = self._record.run, self._next_round
        if kept := [action.kept for action in actions if isinstance(action, exchange.Keep)]:
            self._store.keep_of_sum(run, number, kept)
        seconds = math.ceil(self._config.round.deadline_s)
        for action in actions:
            match action:
                case exchange.Ask(device, stage, body):
                    node, attempt = self._private.part_of(device)
                    self._broker.ask(
                        node, messages.SecureCommand(run, number, device, attempt, str(stage), body), seconds
                    )
                case exchange.TooFew(message, missing):
                    hint = "look at these devices, then go on with `jaragua run CONFIG --resume`"
                    raise RunError(f"{message}; missing: {', '.join(missing)}{self._why_missing(missing)}", hint)
                case exchange.Complete():
                    for liar in action.liars:
                        self._broker.rejections.add(Reason.UPDATE, liar, "it answered wrong shares (U5.2)")
                    self._private.complete(action)
                    self._close_or_sum(number)
        self._expect()

    # ---- closing a round ----

    def _close(self, number: int) -> list[Action]:
        """Aggregate in float64 in the order of devices (R5), write it down, publish it."""
        stored = self._store.updates(self._record.run, number)
        # R4 has looked at the figures of what this process took in; a folder of an older version may hold others.
        updates = stored
        if not all(one.sha256 for one in stored):
            updates = [one if one.sha256 else tamed(one, self._most_samples(one.round_number)) for one in stored]
        learned = self._learned(number, updates)
        vector, moments = checked_aggregate(
            self._strategy, number, self._current.vector, learned, self._current.moments
        )
        _, excluded = self._strategy.settings.aggregation.checked(self._current.vector, learned)
        excluded = self._private.spread(excluded, stored)
        self._current = Initialisation(number, vector, hashlib.sha256(self._codec.pack(vector)).digest(), moments)
        start = self._publisher.after(self._current)
        with self._store.together():  # R31.11
            closed = self._write_round(number, updates, excluded, start)
            actions = self.machine.closed(self._bases(number + 1, start.sha256), monotonic_ms())
            for action in actions:
                if isinstance(action, machine.OpenRound):
                    self._write_open(action)
        self._tell_round(number, closed, excluded)
        self._publisher.move_to(start, self._broker)
        if number == self._record.rounds:
            self._publisher.replace_by(self._codec.pack(vector), self._broker)
        self._tell_rounds()
        self._publisher.clear(self._broker, number + 1, self.machine.rounds_at_work)
        self._exclusions.saw(number, len(updates), excluded)
        self._private.closed(number, finished=number == self._record.rounds)
        return actions

    def _learned(self, number: int, updates: Sequence[StoredUpdate]) -> Sequence[ClientUpdate]:
        """Of each device, or of all together (U1.3)."""
        if not self._private.are_sums:
            return rows_of(self._formats, self._start(), number, updates, self._early)
        return self._private.combined(number, updates, self._publisher.blob_of(number), self._current.vector)

    def _early_rows(self, number: int, assignments: Sequence[Assignment]) -> EarlyRows | None:
        """R31.8: None where a round may take updates in that do not begin with its start, or takes in few."""
        is_plain = not (self._config.round.buffer or self._work.compressed or self._private.are_sums)
        if not is_plain or not self._sums_asked.is_known or self._codec.held:
            return None
        return EarlyRows(self._codec, self._start(), number, [one.device for one in assignments])

    def _start(self) -> RoundBase:
        exponent = self._config.round.staleness_exponent
        return RoundBase(
            self._current.vector, self._publisher.base_of, exponent, self._work.local_layers, self._sums_asked
        )

    def _bases(self, number: int, sha256: bytes | None = None) -> Bases:
        """Hashes of what the devices of a round start from; there is no float32 form of a difference (M10).

        sha256: that of the own form, where the round's start is not written down yet.
        """
        own = self._publisher.sha256_of(number) if sha256 is None else sha256
        if self._work.compressed:
            return Hashes(own)
        others = [partial(self._publisher.in_format, number, codec) for codec in self._formats.others]
        return Hashes(own, partial(self._publisher.float_of, number), *others)

    def _tell_rounds(self) -> None:
        """R30.2: what aggregators check updates against; a difference they leave to the coordinator."""
        if self._aggregators is None or self._work.compressed or self._private.are_sums:
            return
        numbers = [number for number in (*self._earlier_rounds(), self._next_round) if number > 0]
        self._aggregators.tell_rounds({number: self._known_round(number) for number in numbers})

    def _known_round(self, number: int) -> KnownRound:
        own = self._codec
        starts = {form_of("blob", own): self._publisher.sha256_of(number)}
        starts |= {
            form_of("blob", one): hashlib.sha256(self._publisher.in_format(number, one)).digest()
            for one in self._formats.others
        }
        starts[form_of("f32", own)] = hashlib.sha256(self._publisher.float_of(number)).digest()
        return KnownRound(starts, self._most_samples(number))

    def _write_round(
        self, number: int, updates: Sequence[StoredUpdate], excluded: Mapping[str, str], start: ModelVersion
    ) -> _Unwritten:
        metrics = self._metrics(number, updates) | {"excluded": dict(excluded), "silent": self.machine.silent}
        metrics["rejected"] = self._rejected_since_last_round()
        metrics["refused"], self._refused = self._refused, []
        metrics |= self._private.spent()
        finished = number == self._record.rounds
        stored = self._publisher.record_of(start, number)
        line = self._figures.line(metrics, updates)
        self._store.close_round(self._record.run, number, line, self._current, stored, finished=finished)
        return metrics, line, updates

    def _tell_round(self, number: int, closed: _Unwritten, excluded: Mapping[str, str]) -> None:
        """The files and the screen are never ahead of the database (R16)."""
        self._unwritten.append(closed)
        for device, reason in excluded.items():
            self._on_event(events.UpdateExcluded(number, device, reason))
        self._on_event(events.RoundFinished(number, self._record.rounds, closed[0]))

    def _write_files_soon(self) -> None:
        """R31.6: in a thread of their own. What is closed while it writes is written when this is called again."""
        self._look_at_files()
        if self._unwritten and self._writing is None:
            self._writing = self._writer.submit(self._write_files_of, self._taken_unwritten())

    def _taken_unwritten(self) -> list[_Unwritten]:
        taken, self._unwritten = self._unwritten, []
        return taken

    def _write_files_of(self, unwritten: Sequence[_Unwritten]) -> None:
        """Of rounds that are closed: the line, the weights and the summary. They may lag behind the database (R16)."""
        for metrics, line, updates in unwritten:
            self._folder.append_metrics(metrics, [one.device for one in updates], line)
        if unwritten:
            self._folder.write_latest(self._record, self._codec.arrays)

    def _rejected_since_last_round(self) -> dict[str, int]:
        """P2: numbers by reason."""
        before, self._rejected = self._rejected, dict(self._broker.rejections.counts())
        more = {reason: count - before.get(reason, 0) for reason, count in self._rejected.items()}
        return {reason: count for reason, count in more.items() if count}

    def _metrics(self, number: int, updates: Sequence[StoredUpdate]) -> dict[str, Any]:
        """The line of a round. loss and score: means over the samples the devices trained on."""
        weights = [one.samples for one in updates]
        return {
            "round": number,
            "alpha": step_size_of(self._strategy, number),
            "loss": mean_of((one.loss for one in updates), weights),
            "metric": self._codec.model.metric,
            "score": mean_of((one.score for one in updates), weights),
            "samples": sum(weights),
            "bytes_up": sum(one.payload_bytes for one in updates) + self._traffic.beside,
            "bytes_down": self._bytes_down(number, updates),
            "model_hash": self._current.blob_hash.hex(),
            "seconds": (monotonic_ms() - self._traffic.opened_ms) / 1000,
            "devices": self._figures.of(updates),
        }

    def _no_figures(self) -> DeviceFigures:
        return DeviceFigures(lambda device: self._broker.roster.kind(device))

    def _bytes_down(self, number: int, updates: Sequence[StoredUpdate]) -> int:
        """R11, R12: what each node that was given work read; a gateway reads it once for all its boards."""
        run = self._record.run
        sent = {} if self._are_all_own_blobs(updates) else self._store.forms_sent(run, number)
        given = self._traffic.nodes
        nodes = [node for node in (self._store.nodes_of_round(run, number) if given is None else given) if node]
        if not sent and not self._publisher.has_differences:
            return len(nodes) * len(self._publisher.newest.blob)
        return sum(self._bytes_read(node, number, sent.get(node, ())) for node in nodes)

    def _are_all_own_blobs(self, updates: Sequence[StoredUpdate]) -> bool:
        """Whether all are blobs of the run's own format."""
        if self._early is not None and self._early.has_all(updates):
            return True
        forms = {(one.encoding, one.blob[ARCHITECTURE]) for one in updates}
        return forms <= {("blob", self._codec.architecture)}

    def _bytes_read(self, node: str, number: int, sent: Iterable[tuple[str, bytes]]) -> int:
        """By a node that sent updates of these forms; of one that sent none: the run's own."""
        forms = {None if encoding == "f32" else codec_of(self._formats, encoding, head) for encoding, head in sent}
        others = [form for form in forms if form is not None and form is not self._codec]
        read = sum(form.blob_bytes for form in others)
        if None in forms:
            read += len(self._publisher.float_of(number))
        return read + (self._publisher.bytes_for(node, number) if not forms or self._codec in forms else 0)

    # ---- messages ----

    def _run_state(self, number: int, deadline_ms: int, phase: str) -> messages.RunState:
        return messages.RunState(
            run=self._record.run,
            round=number,
            rounds=self._record.rounds,
            phase=phase,
            model=self._codec.model.name,
            network=self._codec.architecture.hex(),
            hash=self._publisher.newest.sha256,
            deadline=_to_unix_ms(deadline_ms) if deadline_ms else 0,
            quorum=self._config.round.quorum,
            input=None if self._input is None else hashlib.sha256(self._input).digest(),
        )

    def _command(self, one: Assignment, deadline: int) -> None:
        """Send a train-command. deadline: Unix milliseconds."""
        alike = self._alike_of(one, deadline)
        if alike not in self._commands or self._private.are_masked:
            if len(self._commands) >= _FORMS_OF_COMMANDS:
                self._commands.clear()
            self._commands[alike] = messages.Template(self._train_command(one, alike), "device", "seed")
        command_bytes = self._commands[alike].encode(device=one.device, seed=one.seed)
        self._broker.train(one.node, one.device, command_bytes, deadline)

    def _alike_of(self, one: Assignment, deadline: int) -> _Alike:
        """What the command of an assignment shares with most others."""
        work = self._work_of(one.round_number)
        stored = self._store.last_stored_round(self._record.run, one.device) if work.compressed else None
        return one.round_number, one.attempt, deadline, self._start_of(one), self._float_start(one, work), stored

    def _train_command(self, one: Assignment, alike: _Alike) -> messages.TrainCommand:
        """Of an assignment."""
        client, work = self._config.client, self._work_of(one.round_number)
        number, attempt, deadline, sha256, start, stored = alike
        return messages.TrainCommand(
            run=self._record.run,
            round=number,
            device=one.device,
            attempt=attempt,
            hash=sha256,
            seed=one.seed,
            deadline=deadline,
            start=start,
            stored=stored,
            learning_rate=work.learning_rate,
            ways=client.ways,
            shots=client.shots,
            passes=work.passes,
            batch=None if work.batch == 1 else work.batch,
            proximal_decay=work.proximal_decay(client.ways * client.shots) if work.proximal else None,
            until=number + self._config.round.max_staleness if self._config.round.buffer else None,
            **sent(work),
            **_difference_wanted(work),
            **(self._private.wanted(self._publisher.blob_of(number)) if self._private.are_masked else {}),
        )

    def _start_of(self, one: Assignment) -> bytes:
        """The hash of the blob in the device's format; another than the run's own is put on the broker."""
        codec = self._formats.of(self._broker.roster.architecture(one.device))
        if codec is self._codec:
            return self._publisher.sha256_of(one.round_number)
        return self._publisher.publish_form(
            one.round_number, self._publisher.in_format(one.round_number, codec), self._broker
        )

    def _float_start(self, one: Assignment, work: ClientWork) -> bytes | None:
        """M9: the start of a device that computes in float32, put on the broker."""
        if work.compressed or self._private.are_sums or self._broker.roster.format(one.device) != "f32":
            return None
        return self._publisher.publish_form(one.round_number, self._publisher.float_of(one.round_number), self._broker)

    # ---- starting ----

    def _rules(self) -> Rules:
        config = self._config
        return Rules(
            run=self._record.run,
            seed=config.run.seed,
            rounds=config.run.rounds,
            clients=config.strategy.clients_per_round,
            quorum=config.round.quorum,
            minimum=config.devices.minimum,
            deadline_ms=int(config.round.deadline_s * 1000),
            wait_ms=int(config.devices.wait_s * 1000),
            expected=self._expected,
            exclude=frozenset(config.devices.exclude) | self._held_out(),
            buffer=config.round.buffer,
            max_staleness=self._max_staleness,
        )

    def _held_out(self) -> frozenset[str]:
        """Devices of one's own data that never train (N4)."""
        tasks = self._codec.model.tasks
        return tasks.never_train() if isinstance(tasks, NamesDevices) else frozenset()

    def _most_samples(self, number: int) -> int:
        """Samples of a device in a round: those of its task times the passes."""
        client = self._config.client
        return client.ways * client.shots * self._work_of(number).passes

    def _work_of(self, number: int) -> ClientWork:
        """The work of a round, which the strategy is asked for once; the last few are remembered."""
        if number not in self._works:
            while len(self._works) > self._config.round.max_staleness + 1:
                del self._works[next(iter(self._works))]
            self._works[number] = work_of(self._strategy, number)
        return self._works[number]

    def _check_updates(self, updates: Sequence[tuple[messages.UpdateHeader, bytes]]) -> Sequence[str]:
        """R4; of sums, what they say themselves (U1.3)."""
        if not self._private.are_sums:
            return self._check(updates)
        return [self._fault_of_sum(header, update) for header, update in updates]

    def _fault_of_sum(self, header: messages.UpdateHeader, update: bytes) -> str:
        if header.base != self._hash_for(header, codec_of(self._formats, header.encoding, update)):
            return f"it is a {header.encoding}, which its start is not"
        return self._private.fault(header, update, self._publisher.blob_of(header.round))

    def _hash_for(self, header: messages.UpdateHeader, codec: ModelCodec) -> bytes:
        """What an update of that form must have started from."""
        if header.encoding != "f32" and codec is self._codec:
            return self._publisher.sha256_of(header.round)
        return hashlib.sha256(self._publisher.base_of(header.round, header.encoding, codec)).digest()

    def _resume_state(self) -> ResumeState:
        run, following = self._record.run, self._current.rounds_done + 1
        rounds = self._store.rounds(run, following - 1)
        is_open = bool(rounds) and rounds[-1].metrics is None
        since = following - self._max_staleness
        return ResumeState(
            rounds_done=self._current.rounds_done,
            open_members=rounds[-1].members if is_open else None,
            last_members=rounds[-1].members if rounds else (),
            assignments=tuple(self._store.assignments(run, since)),
            stored=frozenset(self._store.stored_keys(run, since)),
            proven=frozenset(self._store.devices_stored(run, following)),
            taken=self._store.taken_in(run, following),
            bases={number: self._bases(number) for number in self._earlier_rounds()},
            silent=self._silent_before(rounds),
            is_closing=is_open and self._private.is_closing(following),
        )

    def _silent_before(self, rounds: Sequence[RoundRecord]) -> frozenset[str]:
        """R15: as the last closed round has it."""
        closed = [one.metrics for one in rounds if one.metrics is not None]
        return frozenset(closed[-1].get("silent", ())) if closed else frozenset()

    def _earlier_rounds(self) -> range:
        """Those of whose updates one can still count (R13)."""
        following = self._current.rounds_done + 1
        return range(max(1, following - self._max_staleness), following)

    @property
    def _max_staleness(self) -> int:
        """R13.2: 0 without a buffer."""
        return self._config.round.max_staleness if self._config.round.buffer else 0

    def _clear_old_blobs(self, fleet: Fleet) -> None:
        """Whatever this run's last process, or the fleet's run before, may have left behind."""
        at_work = {self._publisher.sha256_of(number) for number in self.machine.rounds_at_work}
        left = _BLOBS_LEFT_BEHIND + len(self._earlier_rounds())
        old = set(self._store.blob_hashes(self._record.run)[-left:]) - at_work
        if fleet.last_run is not None:
            old.add(fleet.last_run.hash)
        for sha256 in old - {self._publisher.newest.sha256}:
            fleet.clear_blob(sha256)
            fleet.clear_difference(sha256)

    def _about_unfit(self) -> str:
        """What to do with devices that are there and cannot train, "" if there are none."""
        unfit = self._broker.roster.unfit()
        if not unfit:
            return ""
        how = f"start clients and gateways with --model {self._config.model.name}, and flash boards with it"
        return f"there, but of another model: {', '.join(unfit)}; {how}; else "

    def _why_missing(self, missing: Sequence[str]) -> str:
        """Of the first device that a round misses and that something is known of: what; "" if of none."""
        for device in missing:
            reason = self._of_no_use.get(device) or self._broker.roster.reason(device)
            if reason:
                return f"; of {device}: {shown(reason)}"
        return ""

    def _nodes_at_work(self) -> list[str]:
        waiting = self.machine.at_work
        present = self._broker.roster.present()
        return [node for device, node in present.items() if device in waiting]

    def _tell_waiting(self) -> None:
        """Once a second at most: devices may come and go as fast as anyone likes."""
        now_ms = monotonic_ms()
        if self.machine.phase is machine.Phase.WAITING and now_ms >= self._waiting_event_ms + _MS_BETWEEN_WAITING:
            self._waiting_event_ms = now_ms
            present, unfit = tuple(self.machine.present), tuple(self._broker.roster.unfit())
            self._on_event(events.Waiting(present, self._config.devices.minimum, unfit))


def _look_at(task: asyncio.Task[None]) -> None:
    """Of a task that failed and that nobody waits for, asyncio prints a traceback unless somebody looked."""
    if not task.cancelled():
        task.exception()


def _difference_wanted(work: ClientWork) -> dict[str, Any]:
    """M10: the fields that ask for one."""
    if not work.compressed:
        return {}
    return {"bits": work.delta_bits or 16, "fraction": float(work.upload_fraction), "local": work.local_layers}


def _to_unix_ms(machine_ms: int) -> int:
    return unix_ms() + machine_ms - monotonic_ms()


def _stored(kept: machine.Keep) -> StoredUpdate:
    header = kept.header
    return made(
        StoredUpdate,
        round_number=header.round,
        device=header.device,
        attempt=header.attempt,
        blob=kept.blob,
        samples=header.samples,
        loss=header.loss,
        score=header.score,
        metric=header.metric,
        instructions=header.instructions,
        payload_bytes=kept.payload_bytes,
        taken_in=kept.taken_in,
        encoding=header.encoding,
        sha256=header.sha256,  # R4 has compared it with the bytes
    )
