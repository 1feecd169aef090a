"""A node of the fleet: one session with the broker, the devices behind it, and the outbox between the two."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from jaragua.errors import JaraguaError, ModelError, ProtocolError, UsageError
from jaragua.folders import state_folder
from jaragua.node import intake, questions, reports
from jaragua.node.connection.gate import NodeGate
from jaragua.node.connection.session import Gates, Incoming, Participant, Session
from jaragua.node.connection.url import BrokerUrl
from jaragua.node.description import DeviceFacts, Place, describe_device, describe_node
from jaragua.node.device import MOST_QUESTIONS, AdaptJob, Device, DeviceJob, DeviceKind, TrainJob, in_words
from jaragua.node.intake import BlobArrived, DifferenceArrived, FlashRequest
from jaragua.node.outbox import Outbox, OutboxEntry, UpdateKey
from jaragua.node.program import ended
from jaragua.node.public_reports import PublicReports
from jaragua.node.questions import Caller, NoQuestionError, Question
from jaragua.node.reports import JobRefused, Report, RoundLog
from jaragua.node.secure_answers import SecureAnswers
from jaragua.node.telemetry import DeviceTelemetry, TelemetryThrottle
from jaragua.node.training import jobs
from jaragua.node.training.column_statistics import ColumnStatistics
from jaragua.node.training.task_sampler import TaskSampler
from jaragua.node.training.trainer import Trainer
from jaragua.node.weights.blobs import Blobs
from jaragua.node.weights.model_fetcher import ModelFetcher
from jaragua.semantics.things.statements import Statements
from jaragua.trust.signing import Stamp, Verifier
from jaragua.wire.messages import (
    AdaptResult,
    BlobSignature,
    FlashReport,
    NodeState,
    RunState,
    SecureCommand,
    StatisticsResult,
    StopCommand,
    Telemetry,
    TrainCommand,
    UpdateAck,
    UpdateHeader,
    encode,
    unpack_update,
)
from jaragua.wire.rejections import Reason, RejectedError, Rejections, shown
from jaragua.wire.topics import TopicError, TopicKind, build, check_id, is_id, pattern
from jaragua_compiler.errors import CompileError

LOGGER = logging.getLogger(__name__)

NodeKind = Literal["gateway", "pi"]
_TELEMETRY_EXPIRY_SECONDS = 10
_FAREWELL_SECONDS = 2.0
_MODEL_BEFORE_ANY_RUN = "digits"
# P3: runs that were stopped, the latest ones.
_STOPPED_RUNS_KEPT = 64
_FLASH = "flash"
#: Images are large, and boards of one kind get the same one after another.
_IMAGES_KEPT = 1


def default_data_dir() -> Path:
    """Where outboxes are kept if nothing else is said. Raises: StoreError."""
    return state_folder()


@dataclass(frozen=True)
class NodeSettings:
    """Identity and model of a node.

    model: what it trains until a run says otherwise; None believes the run alone. resend_seconds: M2's timer.
    patience_seconds: how long the first connection to the broker is tried, None for ever. stated: device -> what its
    owner states of it (S2.5). coordinator_key: 32 bytes that verify what the coordinator signed; None believes whoever
    the broker lets publish.
    """

    url: BrokerUrl
    fleet: str
    node: str
    kind: NodeKind
    model: str | None = None
    data_dir: Path = field(default_factory=default_data_dir)
    resend_seconds: float = 10.0
    patience_seconds: float | None = None
    stated: Mapping[str, Statements] = field(default_factory=dict)
    coordinator_key: bytes | None = None

    def __post_init__(self) -> None:
        for what, name in (("fleet", self.fleet), ("node", self.node)):
            if not is_id(name):
                raise UsageError(f"--{what} {name!r} is not a name", "use a-z, 0-9 and -, 1 to 32 characters")

    @property
    def outbox_path(self) -> Path:
        """The node's durable outbox."""
        return self.data_dir / f"outbox-{self.fleet}-{self.node}.sqlite3"


class Node:
    """What a gateway and a Pi client are to the fleet.

    `run` keeps the session and the outbox going; devices are added at any time and each is served by its owner's
    task (`Device.serve`). Errors: ModelError (unknown model), StoreError (outbox), BrokerError (from `run`).
    """

    def __init__(self, settings: NodeSettings, on_report: Callable[[Report], None] = lambda report: None) -> None:
        """on_report: told what the devices do, from the event loop."""
        self.settings = settings
        self.round_log = RoundLog()
        self._on_report = on_report
        self._sampler = self._own = TaskSampler.of(settings.model or _MODEL_BEFORE_ANY_RUN)
        self._model_is_known = settings.model is not None
        self._scaling_lock = asyncio.Lock()
        self._scaling = b""
        """Hash of what the node's own data are scaled with, if a run said it (M17)."""
        self._outbox = Outbox(settings.outbox_path)
        self._devices: dict[str, Device] = {}
        self._telemetry: dict[str, DeviceTelemetry] = {}
        self._run: RunState | None = None
        self._starts: dict[str, tuple[str, bytes]] = {}
        """Of each device the run of its last job, and the hash of what that started from."""
        self._preparing: set[asyncio.Task[None]] = set()
        """Questions whose weights are fetched."""
        self._stopped_runs: deque[str] = deque(maxlen=_STOPPED_RUNS_KEPT)
        self._rejections = Rejections(f"node {settings.node}")
        self._rejections_of: dict[str, Rejections] = {}
        self._place = Place(settings.url, settings.fleet, settings.node)
        self._gate = NodeGate(settings.fleet, settings.node, self._devices)
        self.on_flash: Callable[[FlashRequest], None] = self._refuse_flash
        """What is done with a flash-command (M41); a node without boards refuses it."""
        self._verifier = self._make_verifier(settings.coordinator_key)
        participant = Participant(
            settings.url,
            f"jaragua-{settings.fleet}-{settings.node}",
            will=(self._topic(TopicKind.NODE_STATE), self._state("lost")),
            next_epoch=self._outbox.next_epoch,
            patience_seconds=settings.patience_seconds,
            verifier=self._verifier,
        )
        self._session = Session(participant, self, Gates(self._gate, self._gate))
        self._blobs = Blobs(self._session, settings.fleet)
        self.images = Blobs(self._session, settings.fleet, _IMAGES_KEPT)
        self._fetcher = ModelFetcher(self._session, settings.fleet, self._blobs)
        self._secure = SecureAnswers(self._outbox, self._send_secure, self._refuse_secure)
        self._statistics = ColumnStatistics(lambda: self._own, self._answer_sums, self._refuse_sums)

    def _make_verifier(self, key: bytes | None) -> Verifier | None:
        """G23: what was signed as the last flash-command, or before, was seen by an earlier process."""
        if key is None:
            return None
        generation, counter = self._outbox.flashed
        topic = self._topic(TopicKind.COMMAND, verb=_FLASH)
        return Verifier(key, Stamp(*self._outbox.seen), {topic: Stamp(generation, counter + 1)})

    # ---- life ----

    async def run(self) -> None:
        """Serve the broker until cancelled; then say `disconnected`. BrokerError: see Session.run."""
        fleet, node = self.settings.fleet, self.settings.node
        self._session.retain(self._topic(TopicKind.NODE_STATE), self._state("ready"))
        self._session.retain(self._topic(TopicKind.NODE_DESCRIPTION), describe_node(self._place, self.settings.kind))
        own = (pattern(kind, fleet, node=node) for kind in (TopicKind.ACK, TopicKind.COMMAND, TopicKind.QUESTION))
        self._session.listen(pattern(TopicKind.RUN, fleet), *own)
        retained = (TopicKind.NODE_STATE, TopicKind.DEVICE_STATE, TopicKind.DEVICE_PROPERTY)
        self._session.guard(self._on_overwritten, *(pattern(kind, fleet, node=node) for kind in retained))
        session = asyncio.create_task(self._session.run())
        resending = asyncio.create_task(self._resend_on_timer())
        answering = asyncio.create_task(self._statistics.serve())
        try:
            await asyncio.wait([session])
        finally:
            resending.cancel()
            await ended(*self._secure.close())
            answering.cancel()
            await self._farewell(session)
            self._outbox.close()
        session.result()

    async def _farewell(self, session: asyncio.Task[None]) -> None:
        for telemetry in self._telemetry.values():
            telemetry.close()
        await ended(*self._preparing)
        for device in self._devices.values():
            device.set_state("disconnected")
        self._session.retain(self._topic(TopicKind.NODE_STATE), self._state("disconnected"))
        if self._session.is_connected:
            await self._session.flush(_FAREWELL_SECONDS)
        await ended(session, again_seconds=0.5)

    async def _resend_on_timer(self) -> None:
        while True:
            await asyncio.sleep(self.settings.resend_seconds)
            self._send_pending()
            if self._gate.has_missed_a_run:
                self._gate.has_missed_a_run = False
                await self._session.read_again(pattern(TopicKind.RUN, self.settings.fleet))

    # ---- devices ----

    def add_device(self, name: str, kind: DeviceKind, facts: DeviceFacts, model: str, architecture: bytes) -> Device:
        """The device of that name, new or known; its state and description are on their way to the broker."""
        check_id(name, "the device's name")
        device = self._devices.get(name)
        if device is None:
            device = self._devices[name] = Device(self, name, kind, model, architecture)
            throttle = TelemetryThrottle(lambda message: self._publish_telemetry(name, message))
            public = PublicReports(lambda kind, what, payload: self._publish_public(name, kind, what, payload))
            self._telemetry[name] = DeviceTelemetry(throttle, public)
            self._rejections_of[name] = Rejections(f"device {name}")
        device.set_identity(model, architecture)
        description = describe_device(self._place, name, facts)
        self._session.retain(self._topic(TopicKind.DEVICE_DESCRIPTION, device=name), description)
        self._telemetry[name].public.memory(facts.facts)
        self.state_changed(device)
        return device

    def expect_of(self, device: Device) -> None:
        """Compare what the device computes with what the run computes, if that is known yet."""
        if self._model_is_known:
            sampler = _sampler_for(device, self._sampler)
            device.expect(sampler.model, sampler.plan, sampler.image, sampler.refusal(device.name))
            self._tell_model(device)

    def telemetry_of(self, device: Device) -> DeviceTelemetry:
        """Where the device's progress and health go."""
        return self._telemetry[device.name]

    def signature_of(self, sha256: bytes) -> BlobSignature | None:
        """What a board is told of a blob that came from the broker (G33); None if the coordinator did not sign it."""
        return self._blobs.signature_of(sha256) or self.images.signature_of(sha256)

    @property
    def rejected(self) -> int:
        """Messages that were not used, and commands that could not be carried out (P2)."""
        return self._rejections.total + sum(one.total for one in self._rejections_of.values())

    @property
    def task_sampler(self) -> TaskSampler:
        """The samples of the run's model."""
        return self._sampler

    # ---- DeviceHost: what devices need ----

    async def perform(self, trainer: Trainer, job: DeviceJob) -> None:
        """Carry out a job on a trainer; the result goes to the outbox or to whoever asked."""
        started_s = time.monotonic()
        self._report(reports.begun(job.command))
        task_sampler = _sampler_for(self._devices[job.command.device], await self._scaled_sampler())
        self._starts[job.command.device] = job.command.run, job.command.hash
        if isinstance(job, AdaptJob):
            signed = self._devices[job.command.device].needs_signatures
            blob = await self._blobs.fetch(job.command.start or job.command.hash, signed=signed)
            result = await jobs.adapt(trainer, task_sampler, job.command, blob)
            self._report(reports.adapted(result, time.monotonic() - started_s))
            self._answer(job, result)
            return
        entry = await self._train(trainer, task_sampler, job.command)
        self._report(reports.trained(unpack_update(entry.payload)[0], time.monotonic() - started_s))
        if job.command.run not in self._stopped_runs:
            self._outbox.put(entry)
            self._send(entry)

    def _report(self, report: Report) -> None:
        self.round_log.add(report)
        if report.device in self._telemetry:  # a command may name one that is not here
            self._telemetry[report.device].public.report(report, self.round_log.rounds_of(report.run))
        self._on_report(report)

    async def _scaled_sampler(self) -> TaskSampler:
        """The samples of the run's model; of one's own data with the run's scaling (M17)."""
        wanted = self._run.input if self._run is not None else None
        if wanted is None or self._sampler is not self._own:
            return self._sampler
        async with self._scaling_lock:  # the boards of a gateway ask at the same time
            if wanted != self._scaling:
                interface = await self._blobs.fetch(wanted)
                before, self._own = self._own, await asyncio.to_thread(self._own.scaled_by, interface)
                self._sampler = self._own if self._sampler is before else self._sampler
                self._scaling = wanted
        return self._sampler

    async def _train(self, trainer: Trainer, task_sampler: TaskSampler, command: TrainCommand) -> OutboxEntry:
        signed = self._devices[command.device].needs_signatures
        if command.start is not None or command.bits is None:
            start = await self._blobs.fetch(command.start or command.hash, signed=signed)
            return await jobs.train(trainer, task_sampler, command, start)
        if signed:  # what is made of differences has no signature (G32.3)
            blob = await self._blobs.fetch(command.hash, signed=True)
        else:
            blob = await self._fetcher.fetch(command.hash, task_sampler.plan)
        residual = self._outbox.residual(command.run, command.device, command.stored or 0)
        return await jobs.train(trainer, task_sampler, command, blob, residual)

    def refuse(self, job: DeviceJob, why: str, reason: Reason = Reason.COMMAND) -> None:
        """An adapt command is answered with the reason; a train command has none, its round goes on without it."""
        self._report(JobRefused(job.command.device, job.command.run, why))
        if isinstance(job, AdaptJob):
            self._answer(job, jobs.refusal(job.command, self._sampler.metric, why))
            where = f"cmd/adapt (run {job.command.run})"
        else:
            where = f"cmd/train (run {job.command.run}, round {job.command.round})"
        self._count(reason, where, why, self._rejections_of.get(job.command.device, self._rejections))

    async def reply(self, trainer: Trainer, question: Question) -> None:
        """Have the device compute (M51)."""
        task_sampler, weights, blob = await self._start_for(self._devices[question.caller.device])
        inputs = task_sampler.real_inputs(question.inputs)
        outputs = await trainer.infer(task_sampler.plan, inputs[None], blob)
        if not np.isfinite(outputs).all():
            raise ModelError("the network's outputs are not all finite numbers", "train with a lower learning rate")
        answer = questions.answer(task_sampler.model, weights, outputs[0], task_sampler.class_names)
        self._send_answer(question.caller, answer)

    async def _start_for(self, device: Device) -> tuple[TaskSampler, bytes, bytes]:
        """What a device answers with: how samples become its integers, and the hash and bytes of its weights (M51).

        Raises: ModelError if no run gave it any; BrokerError, ProtocolError if they are not on the broker.
        """
        run = self._run
        if run is None:
            raise ModelError("no run has announced weights yet", "ask again when a coordinator has begun a run")
        scaled = await self._scaled_sampler()
        task_sampler, weights = _sampler_for(device, scaled), run.hash
        if task_sampler is not scaled:  # of the run's other format (R14), which only commands name
            found = self._starts.get(device.name)
            if found is None or found[0] != run.run:
                raise ModelError("no job of the run has given this device weights in its format yet", "ask again later")
            weights = found[1]
        return task_sampler, weights, await self._blobs.fetch(weights, signed=device.needs_signatures)

    def decline(self, question: Question, why: str, reason: Reason = Reason.COMMAND) -> None:
        """A question is answered with the reason."""
        self._decline(question.caller, why, reason)

    def _decline(self, caller: Caller, why: str, reason: Reason) -> None:
        where = self._topic(TopicKind.QUESTION, device=caller.device, asker=caller.asker, call=caller.call)
        self._count(reason, where, why, self._rejections_of.get(caller.device))
        self._send_answer(caller, questions.refusal(why))

    def _send_answer(self, caller: Caller, answer: bytes) -> None:
        topic = self._topic(TopicKind.ANSWER, device=caller.device, asker=caller.asker, call=caller.call)
        self._session.send(topic, answer)

    def is_of_the_run(self, job: DeviceJob) -> bool:
        """Whether the run that the coordinator announces asks for it, now or in its next round."""
        run = self._run
        if run is None or job.command.run != run.run:
            return False
        return isinstance(job, AdaptJob) or job.command.round <= run.round + 1

    def _count(
        self, reason: Reason, where: str, why: object, rejections: Rejections | None = None, count: int = 1
    ) -> None:
        (rejections or self._rejections).add(reason, where, why, count)
        for name, telemetry in self._telemetry.items():
            telemetry.rejected(self.rejected)
            if rejections is self._rejections_of[name]:
                telemetry.public.rejected(reason, shown(why), rejections.total)

    def state_changed(self, device: Device) -> None:
        """Publish a device's state, and what it computes if that has changed, now and after each reconnect."""
        topic = self._topic(TopicKind.DEVICE_STATE, device=device.name)
        self._session.retain(topic, lambda epoch: encode(device.message(epoch)))
        self._tell_model(device)

    def _tell_model(self, device: Device) -> None:
        """What the device computes, if that has changed; the sizes of its network once the run's is known to be it."""
        state = device.message(epoch=0)
        network = _sampler_for(device, self._sampler).network_of(state.architecture)
        self._telemetry[device.name].public.model(
            {"model": state.model, "architecture": state.architecture.hex(), **network}
        )

    # ---- Listener: what the session brings ----

    def connected(self) -> None:
        """M2: what is not acknowledged goes out again."""
        self._send_pending()

    def received(self, message: Incoming) -> None:
        """Do what a message asks; what cannot be used is counted and, if there is a way, answered (P1, P2)."""
        try:
            self._do(intake.read(message))
        except NoQuestionError as error:
            self._decline(error.caller, error.message, Reason.FORMAT)
        except intake.NotPossible as error:
            self.refuse(error.job, error.message, Reason.FORMAT)
        except TopicError as error:
            self._count(Reason.TOPIC, message.topic, error)
        except ProtocolError as error:
            self._count(Reason.FORMAT, message.topic, error)

    def refused(self, topic: str, error: RejectedError) -> None:
        """Called by the session for what the coordinator did not sign, or signed for another moment (G10, G11)."""
        self._count(error.reason, topic, error)

    def dropped(self, count: int, topic: str) -> None:
        """Called by the session for what the gate did not admit."""
        self._count(Reason.FLOOD, topic, "more of this kind than is read", count=count)

    def _on_overwritten(self, topic: str) -> None:
        """The session publishes our state again (M14)."""
        self._count(Reason.IMPOSTOR, topic, "only this node may write there")

    def _do(self, request: intake.Request) -> None:
        match request:
            case RunState():
                self._on_run(request)
            case UpdateAck():
                self._on_ack(request)
            case BlobArrived(sha256_hex, payload, signature):
                self._blobs.offer(sha256_hex, payload, signature)
                self.images.offer(sha256_hex, payload, signature)
            case DifferenceArrived(sha256_hex, payload):
                self._fetcher.offer(sha256_hex, payload)
            case TrainJob():
                self._on_train(request)
            case AdaptJob():
                self._submit(request)
            case SecureCommand():
                self._secure.take(request)
            case intake.StatisticsAsked():
                self._on_statistics(request)
            case StopCommand():
                self._on_stop(request)
            case FlashRequest():
                self._on_flash(request)
            case Question():
                self._on_question(request)

    def _on_run(self, run: RunState) -> None:
        if self._verifier is not None:
            self._outbox.note_seen(self._verifier.floor.generation, self._verifier.floor.counter)
        try:
            self._sampler = self._sampler_of(run.model)
        except ModelError as error:
            own = "a task of your own is given with --model FILE.toml"
            self._count(Reason.MODEL, f"run {run.run}", f"this node has not what it trains ({own}): {error}")
            return
        self._run = run
        self._outbox.forget_private(but="" if run.phase == "finished" else run.run)
        self.round_log.run_is(run)
        self._gate.run = run.run
        self._model_is_known = True
        for device in self._devices.values():
            device.drop(self._is_obsolete)
        for device in self._devices.values():
            self.expect_of(device)

    def _sampler_of(self, model: str) -> TaskSampler:
        """What a run names is the node's own model or one of the zoo, never a path. Raises: ModelError."""
        return self._own if model == self._own.model else TaskSampler.of_zoo(model)

    def _on_ack(self, ack: UpdateAck) -> None:
        key = UpdateKey(ack.run, ack.round, ack.device, ack.attempt)
        if self._outbox.acknowledge(key) and ack.result == "rejected":
            LOGGER.warning(
                "the coordinator rejected the update of %s in round %d: %s", ack.device, ack.round, shown(ack.reason)
            )

    def _on_train(self, job: TrainJob) -> None:
        known = self._outbox.get(jobs.key_of(job.command))
        if known is not None:
            self._send(known)  # M3
            return
        with contextlib.suppress(ValueError):
            self._stopped_runs.remove(job.command.run)
        self._submit(job)

    def _on_stop(self, command: StopCommand) -> None:
        if command.run not in self._stopped_runs:
            self._stopped_runs.append(command.run)
        for device in self._devices.values():
            device.drop(lambda job: job.command.run == command.run)

    def _on_flash(self, request: FlashRequest) -> None:
        if self._verifier is not None:
            newest = self._verifier.newest(self._topic(TopicKind.COMMAND, verb=_FLASH))
            self._outbox.note_flashed(newest.generation, newest.counter)
        self.on_flash(request)

    def _refuse_flash(self, request: FlashRequest) -> None:
        why = f"{self.settings.node} has no boards that get images: it is no gateway"
        self.say_flash(request, FlashReport(request.command.id, request.command.device, "refused", why))

    def say_flash(self, request: FlashRequest, report: FlashReport) -> None:
        """Send a report (M43); one that was not sent yet is replaced."""
        if report.phase == "refused":
            where = f"cmd/flash ({request.command.device})"
            self._count(Reason.COMMAND, where, report.reason, self._rejections_of.get(request.command.device))
        key = (_FLASH, request.command.id)
        self._session.send(request.response_topic, encode(report), key=key, correlation=request.correlation)

    def _submit(self, job: DeviceJob) -> None:
        device = self._devices.get(job.command.device)
        if device is None:
            self.refuse(job, f"node {self.settings.node} has no device {job.command.device!r}")
        else:
            device.submit(job)

    def _on_statistics(self, asked: intake.StatisticsAsked) -> None:
        device = asked.command.device
        if device not in self._devices:
            self._refuse_sums(asked, f"node {self.settings.node} has no device {device!r}")
        elif not self._statistics.take(asked):
            self._count(Reason.FLOOD, "cmd/statistics", f"more commands wait than may, of {device}")

    def _answer_sums(self, asked: intake.StatisticsAsked, answer: StatisticsResult) -> None:
        self._session.send(asked.response_topic, encode(answer), correlation=asked.correlation)

    def _refuse_sums(self, asked: intake.StatisticsAsked, why: str) -> None:
        rejections = self._rejections_of.get(asked.command.device, self._rejections)
        self._count(Reason.COMMAND, f"cmd/statistics (run {asked.command.run})", why, rejections)

    def _on_question(self, question: Question) -> None:
        device = self._devices.get(question.caller.device)
        if device is None:
            why = f"node {self.settings.node} has no device {question.caller.device!r}"
            self.decline(question, why)
        elif len(self._preparing) >= MOST_QUESTIONS:
            self.decline(question, f"{MOST_QUESTIONS} questions wait for weights already", Reason.FLOOD)
        else:
            task = asyncio.create_task(self._prepare(device, question))
            self._preparing.add(task)
            task.add_done_callback(self._preparing.discard)

    async def _prepare(self, device: Device, question: Question) -> None:
        """Fetch the weights before the device's turn: a job does not wait for them."""
        try:
            await self._start_for(device)
        except (JaraguaError, CompileError) as error:
            self.decline(question, in_words(error))
        else:
            device.ask(question)

    def _is_obsolete(self, job: DeviceJob) -> bool:
        """A training job whose round is over: its update would be late."""
        run = self._run
        if run is None or not isinstance(job, TrainJob) or job.command.run != run.run:
            return False
        return run.phase != "training" or max(job.command.round, job.command.until or 0) < run.round

    # ---- what goes out ----

    def _send_pending(self) -> None:
        for entry in self._outbox.pending():
            self._send(entry)

    def _send(self, entry: OutboxEntry) -> None:
        self._session.send(self._update_topic(entry.key.run, entry.key.round), entry.payload, key=entry.key)

    def _send_secure(self, header: UpdateHeader, payload: bytes) -> None:
        topic = self._update_topic(header.run, header.round)
        self._session.send(topic, payload, key=("secure", header.device))

    def _refuse_secure(self, command: SecureCommand, reason: Reason, why: str) -> None:
        where = f"cmd/secure (run {command.run}, round {command.round}, {command.stage})"
        self._count(reason, where, why, self._rejections_of.get(command.device, self._rejections))

    def _answer(self, job: AdaptJob, result: AdaptResult) -> None:
        self._session.send(job.response_topic, encode(result), correlation=job.correlation)

    def _publish_telemetry(self, device: str, message: Telemetry) -> None:
        topic = self._topic(TopicKind.TELEMETRY, device=device)
        self._session.send_if_connected(topic, encode(message), _TELEMETRY_EXPIRY_SECONDS)

    def _publish_public(self, device: str, kind: TopicKind, name: str, payload: bytes) -> None:
        topic = self._topic(kind, device=device, name=name)
        if kind is TopicKind.DEVICE_PROPERTY:
            self._session.retain(topic, payload)
        else:
            self._session.send_if_connected(topic, payload, _TELEMETRY_EXPIRY_SECONDS)

    def _state(self, state: str) -> Callable[[int], bytes]:
        kind = self.settings.kind
        return lambda epoch: encode(NodeState(state=state, epoch=epoch, kind=kind))

    def _topic(self, kind: TopicKind, **parts: str) -> str:
        return build(kind, self.settings.fleet, node=self.settings.node, **parts)

    def _update_topic(self, run: str, number: int) -> str:
        return build(TopicKind.UPDATE, self.settings.fleet, node=self.settings.node, run=run, round=number)


def _sampler_for(device: Device, sampler: TaskSampler) -> TaskSampler:
    """The samples in the integers of a device: a board's are those of its image, a Pi follows the run (R14)."""
    return sampler if device.kind == "pi" else sampler.computing(device.architecture)
