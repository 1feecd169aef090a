"""`connect`: a board on a port, for code without asyncio. The requests are those of `jaragua.serial.Board`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

import jaragua_compiler as compiler
from jaragua.api.loop_thread import LoopThread
from jaragua.api.one_tree import one_tree
from jaragua.api.start_weights import NamedWeights, StartWeights, weights_of
from jaragua.api.tasks import LearningTask, load_task
from jaragua.bases.closing import Closing
from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import BoardError, ModelError
from jaragua.gateway.board_trainer import BoardTrainer
from jaragua.models import zoo_model_named
from jaragua.node.training.trainer import Figures, SampleSet
from jaragua.serial import Board, BoardEvent, samples_of
from jaragua.strategies.vectors import flat
from jaragua.wire.messages import Identity
from jaragua_compiler import Network, Plan
from jaragua_compiler.engine_protocol import ACCEPT_ALL
from jaragua_compiler.export.inputs.samples import assumed_samples
from jaragua_compiler.planning.plan import with_prototypes
from jaragua_compiler.quantisation.exponents import Exponents
from jaragua_models.loading import ZOO_SEED

Loadable: TypeAlias = StartWeights | bytes


@dataclass(frozen=True)
class Inference:
    """What the board computed."""

    outputs: NDArray[np.float64]
    """float64 [samples, outputs]: logits of a classifier (before softmax), else the values themselves."""
    classes: NDArray[np.int64] | None
    """int64 [samples]: the class with the largest logit, the first of equal ones. None for a regression."""


@dataclass(frozen=True)
class Recognised:
    """What the board recognised samples as, by prototypes."""

    classes: NDArray[np.int64]
    """int64 [samples]: the class with the nearest prototype."""
    distances: NDArray[np.float64]
    """float64 [samples]: its squared distance, in the unit of the features."""
    relative: NDArray[np.float64]
    """float64 [samples]: that distance by the mean of the distances to the other classes, 0 to 1."""
    accepted: NDArray[np.bool_]
    """bool [samples]: whether `relative` is at most the threshold; others are unknown."""


class ConnectedBoard(Closing):
    """A board on a port, with the network that it computes. `connect` returns one; `with` or `close` ends it.

    A request waits until the board has answered. One thread at a time may use it. Errors of every request:
    `jaragua.errors.PortError` (the port went away), `jaragua.errors.BoardError` (the board is silent, refuses, or was
    restarted and has lost its weights), `jaragua.errors.ProtocolError` (another version of the protocol).
    """

    def __init__(
        self, port: str, network: str | LearningTask | Network | None, on_event: Callable[[BoardEvent], None] | None
    ) -> None:
        """`connect` has the arguments and the errors."""
        self._loop = LoopThread(f"jaragua {port}")
        self._board = Board(port, on_event)
        try:
            self._loop.call(self._board.__aenter__())
            self._task, computed = _known(network, self._board.identity)
            self._plan = compiler.plan(computed)
            _check_architecture(port, self._board.identity, self._plan)
        except BaseException:
            self.close()
            raise
        self._trainer = BoardTrainer(self._board)
        self._base = b""
        """What was loaded last: its exponents are those of all samples."""
        self._pending = b""
        """The same until a job has begun with it; empty: jobs go on with the weights that the board has."""

    def close(self) -> None:
        """Close the port; the board keeps its weights. A second call does nothing."""
        self._loop.stop_after(self._board.__aexit__(None, None, None))

    @property
    def network(self) -> Network:
        """The network that the board computes."""
        return self._plan.network

    @property
    def identity(self) -> Identity:
        """The last answer to `identify`."""
        return self._board.identity

    def identify(self) -> Identity:
        """Ask the board who it is: board, model, firmware, uid, memory in bytes, hashes of its weights."""
        return self._loop.call(self._board.identify())

    @one_tree()
    def load(self, start: Loadable | None = None) -> str:
        """Send weights to the board. It trains and infers with them from now on.

        Args:
            start: A `Result`, a safetensors file, or a blob (bytes) as boards exchange it. None: the random weights of
                seed 1.

        Returns:
            SHA-256 of the blob, hexadecimal; of a `Result` its `final_hash`, if it was computed in the same format.

        Raises:
            jaragua.errors.ModelError: The weights are of another network.
        """
        blob = bytes(start) if isinstance(start, bytes | bytearray) else self._packed(start)
        compiler.exponents(self._plan, blob)
        digest = self._loop.call(self._board.upload(blob))
        self._base = self._pending = blob
        return digest.hex()

    @one_tree()
    def train(
        self,
        samples: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        learning_rate: float | None = None,
        passes: int = 1,
        seed: int = 0,
    ) -> Figures:
        """Train on the board: a step for each sample, in their order.

        Args:
            samples: Real numbers [samples, inputs]; the board gets them as integers in the format of its weights.
            labels: Classes [samples]; of a regression targets [samples, outputs].
            learning_rate: From 2.4e-10 to below 1. None: the default of the board's model.
            passes: How often the board goes over the samples.
            seed: Of the dither of int8 weights, 0 to 2^32 - 1.

        Returns:
            Figures of the job, counted by the board before each step: `samples`, `correct`, `loss` (mean; nats or
            squared error) and `instructions` (of one sample; 0 where they cannot be counted).

        Raises:
            jaragua.errors.ModelError: Shapes, labels or the learning rate do not fit.
        """
        formats = self._formats()
        rate = compiler.LearningRate.from_float(self._rate(learning_rate))
        inputs = compiler.quantise_inputs(self._plan, formats, np.atleast_2d(np.asarray(samples)))
        targets = compiler.quantise_targets(self._plan, formats, np.asarray(labels))
        if not 0 < len(inputs) == len(targets):
            raise ModelError(f"{len(inputs)} samples with {len(targets)} labels", "give one label for each sample")
        wanted = SampleSet(inputs, targets).replayed(passes)
        figures = self._loop.call(self._trainer.train(self._plan, wanted, rate, self._pending, seed))
        self._pending = b""
        return figures

    @one_tree()
    def enrol(self, samples: npt.ArrayLike, labels: npt.ArrayLike, *, fresh: bool = False) -> Figures:
        """Take samples into the prototypes of their classes: one forward pass each, and no training.

        Prototypes belong to the weights with which they were enrolled: after `load` or `train`, enrol again with
        `fresh`. The board's image needs room for them (`JARAGUA_PROTOTYPES=N`).

        Args:
            samples: Real numbers [samples, inputs].
            labels: Classes [samples], 0 to N - 1; there may be more of them than the network has outputs.
            fresh: Forget all classes first.

        Returns:
            Figures of the job: `samples` and `instructions` (of one sample; 0 where they cannot be counted).

        Raises:
            jaragua.errors.ModelError: Shapes or labels do not fit, or the image has no prototypes.
        """
        layout, formats = self._with_prototypes(), self._formats()
        inputs = compiler.quantise_inputs(layout, formats, np.atleast_2d(np.asarray(samples)))
        targets = compiler.quantise_targets(layout, formats, np.asarray(labels))
        if not 0 < len(inputs) == len(targets):
            raise ModelError(f"{len(inputs)} samples with {len(targets)} labels", "give one label for each sample")
        wanted = SampleSet(inputs, targets)
        figures = self._loop.call(self._trainer.enrol(self._plan, wanted, self._pending, fresh=fresh))
        self._pending = b""
        return figures

    @one_tree()
    def recognise(self, samples: npt.ArrayLike, *, threshold: float = 1.0) -> Recognised:
        """Compare samples with the prototypes that were enrolled on the board.

        Args:
            samples: Real numbers [samples, inputs].
            threshold: The largest relative distance that is accepted, 0 to 1; 1 accepts everything.

        Raises:
            jaragua.errors.ModelError: The shape or the threshold does not fit, or the image has no prototypes.
            jaragua.errors.BoardError: No sample was enrolled since the board's start.
        """
        if not 0 <= threshold <= 1:
            raise ModelError(f"a threshold of {threshold:g} is not possible", "give 0 to 1")
        layout, formats = self._with_prototypes(), self._formats()
        inputs = compiler.quantise_inputs(layout, formats, np.atleast_2d(np.asarray(samples)))
        packed = samples_of(inputs, np.zeros((len(inputs), 1), np.int16))
        job, limit = self._board.new_job(), round(threshold * ACCEPT_ALL)
        found = self._loop.call(self._board.recognise(job, packed, self._pending, limit))
        self._pending = b""
        return Recognised(
            np.array([one.label for one in found], np.int64),
            np.ldexp(np.array([one.distance for one in found], np.float64), -2 * self._prototype_exponent()),
            np.array([one.relative for one in found]) / ACCEPT_ALL,
            np.array([one.accepted for one in found], bool),
        )

    @one_tree()
    def prototype(self, label: int) -> NDArray[np.float64]:
        """The mean features of a class, float64 [features], read from the board.

        Raises:
            jaragua.errors.ModelError: The image has no prototypes.
            jaragua.errors.BoardError: No sample of the class is enrolled.
        """
        self._with_prototypes()
        _, numbers = self._loop.call(self._board.prototype(label))
        return np.ldexp(numbers.astype(np.float64), -self._prototype_exponent())

    @one_tree()
    def forget(self, label: int) -> None:
        """Forget all samples of a class.

        Raises:
            jaragua.errors.ModelError: The image has no prototypes.
        """
        self._with_prototypes()
        self._loop.call(self._board.forget(label))

    @one_tree()
    def infer(self, samples: npt.ArrayLike) -> Inference:
        """Compute the network's outputs on the board, with its weights as they are now.

        Args:
            samples: Real numbers [samples, inputs].

        Raises:
            jaragua.errors.ModelError: The shape does not fit.
        """
        formats = self._formats()
        inputs = compiler.quantise_inputs(self._plan, formats, np.atleast_2d(np.asarray(samples)))
        packed = samples_of(inputs, np.zeros((len(inputs), self.network.targets), np.int16))
        outputs = self._loop.call(self._board.infer(self._board.new_job(), packed, self._pending))
        self._pending = b""
        real = np.ldexp(outputs.astype(np.float64), -formats.output)
        return Inference(real, real.argmax(axis=1) if self.network.classifier else None)

    @one_tree()
    def blob(self) -> bytes:
        """The board's weights as they are now, read from it, in the form in which boards exchange them."""
        self._formats()
        probe = samples_of(np.zeros((1, self.network.input_size), np.int16), np.zeros(self.network.targets, np.int16))
        # The board tells the weights of its last job, which may be no training: a job that changes nothing comes first.
        state = self._loop.call(self._board.evaluate(self._board.new_job(), probe, self._pending))
        self._pending = b""
        return self._loop.call(self._board.read_update(state))

    @one_tree()
    def weights(self) -> NamedWeights:
        """The same weights as float64 arrays: `layers.0.weight` [outputs, …], `layers.0.bias` [outputs], …"""
        named: dict[str, NDArray[np.float64]] = {}
        for number, (weights, biases) in enumerate(compiler.unpack(self._plan, self.blob())):
            named |= {f"layers.{number}.weight": weights, f"layers.{number}.bias": biases}
        return named

    def __repr__(self) -> str:
        identity = self.identity
        return f"{identity.board} {identity.uid.hex()} on {self._board.url}: {identity.model}"

    def _with_prototypes(self) -> Plan:
        """The plan of the board's image. Raises: ModelError if it has no prototypes."""
        room = self._board.identity.prototypes
        if not room:
            message = f"{self._board.url}: the board's image has no prototypes"
            raise ModelError(message, "build and flash it with JARAGUA_PROTOTYPES=N, for N classes")
        return with_prototypes(self._plan, room)

    def _prototype_exponent(self) -> int:
        """f of A12.2."""
        return self._formats().inputs[-1] + 15 - self._plan.prototype_head.input_width

    def _formats(self) -> Exponents:
        if not self._base:
            raise BoardError(f"{self._board.url}: no weights were loaded", "call load first, for example with a Result")
        return compiler.exponents(self._plan, self._base)

    def _rate(self, given: float | None) -> float:
        if given is not None:
            return given
        if self._task is None:
            raise ModelError(f"the network {self.network.name!r} has no default", "give learning_rate")
        return self._task.defaults.learning_rate

    def _packed(self, start: StartWeights | None) -> bytes:
        """The blob of weights; those of a model that is known are packed as a coordinator packs them."""
        network = self.network
        weights = compiler.first_weights(network, ZOO_SEED) if start is None else weights_of(start, network)
        if self._task is not None:
            return ModelCodec(self._task.model).pack(flat(weights))
        return compiler.pack(self._plan, weights, compiler.calibrate(self._plan, weights, assumed_samples(network)))


@one_tree()
def connect(
    port: str,
    network: str | LearningTask | Network | None = None,
    *,
    on_event: Callable[[BoardEvent], None] | None = None,
) -> ConnectedBoard:
    """Open the port of a board that runs Jaragua's firmware, and ask it who it is.

        with jaragua.connect("/dev/ttyACM0") as board:
            board.load(result)
            board.train(task.support.x, task.support.y)
            print(board.infer(task.query.x).classes)

    Args:
        port: `/dev/tty…`, a pty, `socket://host:port` or `unix://path` (an emulated board has one of these).
        network: What the board computes: a name of the zoo, a task, or a network. None: the model that the board names.
        on_event: Called, in another thread, with what the board says by itself: log lines, progress, its health.

    Returns:
        The board, to be used in a `with` block or closed with `close`.

    Raises:
        jaragua.errors.PortError: The port is not there, may not be opened, or is in use.
        jaragua.errors.BoardError: Nothing that speaks the protocol answers.
        jaragua.errors.ProtocolError: The board speaks another version of the protocol.
        jaragua.errors.ModelError: The board computes another network, or one that is not in the zoo.
    """
    return ConnectedBoard(port, network, on_event)


def _known(network: str | LearningTask | Network | None, identity: Identity) -> tuple[LearningTask | None, Network]:
    """The network that the board computes, and the task it is of unless it is one's own. Raises: ModelError."""
    if isinstance(network, Network):
        return None, network
    task = network if isinstance(network, LearningTask) else load_task(network) if network else _of_board(identity)
    return task, task.network


def _of_board(identity: Identity) -> LearningTask:
    """The model of the zoo that a board names."""
    try:
        return LearningTask(identity.model, zoo_model_named(identity.model))  # a board's word never names a file
    except ModelError as error:
        message = f"the board computes {identity.model!r}, which is no model of the zoo"
        raise ModelError(message, "give its network: connect(port, network)") from error


def _check_architecture(port: str, identity: Identity, compiled: Plan) -> None:
    if identity.architecture != compiled.architecture:
        raise ModelError(
            f"{port}: the board computes architecture {identity.architecture.hex()} ({identity.model}), the network "
            f"{compiled.network.name!r} has {compiled.architecture.hex()}",
            f"give connect the network of the board's image, or build the image for {compiled.network.name!r}",
        )
