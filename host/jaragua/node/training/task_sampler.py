"""From a command to samples in the device's integers. Labelled samples exist on this side of the broker only (M5)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

import jaragua_models
from jaragua.errors import DataError, ModelError
from jaragua.models import absolute, is_file, model_named, model_with, other_formats, zoo_model_named
from jaragua.node.training.ranges import MOST_SAMPLES
from jaragua.node.training.trainer import Metric, SampleSet
from jaragua.settings import StepSettings, limits, step_settings_of
from jaragua.wire.messages import AdaptCommand, TrainCommand
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_compiler.planning.plan import MOST_PROTOTYPES, Plan, plan, with_prototypes
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs, quantise_targets
from jaragua_models.own_data import device_statistics
from jaragua_models.own_data.statistics import Statistics

# Of models that runs named lately; making one plans its network.
_SAMPLERS_KEPT = 8


@dataclass(frozen=True)
class HeldOut:
    """A held-out task: adapt on `support`, be evaluated on `query` (M4)."""

    support: SampleSet
    query: SampleSet
    classes: tuple[str, ...] = ()
    """What each label means; () where classes have no names."""


class TaskSampler:
    """The samples of one model of the zoo. Pure but for the data set it reads.

    start: what a job begins with. The header of a blob gives the samples' exponents; if the command names a start in
    float32 (M9), samples are float32.
    """

    def __init__(self, model: jaragua_models.Model, image: str = "") -> None:
        """image: what an image of the model is built for, if that is not its name: the path of a TOML file."""
        self._model = model
        self.image = image or model.name
        self.plan: Plan = plan(model.network)

    @classmethod
    def of(cls, model: str) -> TaskSampler:
        """The model that the user chose: a name in the zoo, or a TOML file. Raises: ModelError."""
        return cls(model_named(model), absolute(model))

    def scaled_by(self, interface: bytes) -> TaskSampler:
        """The same task with the scaling of a run (M17). Raises: ModelError, DataError if the run is of other data."""
        try:
            told = ModelInterface.from_json(interface)
            if told == self._model.interface or not is_file(self.image):
                return self
            return TaskSampler(model_with(self.image, told, "the run"), self.image)
        except CompileError as error:
            raise ModelError(error.message, error.hint) from error

    def statistics(self, device: str) -> tuple[str, Statistics]:
        """Whose rows the device has (N1), and their sums (M20). Raises: DataError, ModelError."""
        if not is_file(self.image):
            message = f"'{self.model}' is a model of the zoo: it has no columns"
            raise DataError(message, "give the node --model FILE")
        try:
            return device_statistics(self.image, device)
        except jaragua_models.DataError as error:
            raise DataError(error.message, error.hint) from error
        except jaragua_models.ModelError as error:
            raise ModelError(error.message, error.hint) from error

    def refusal(self, device: str) -> str | None:
        """Why a device of that name cannot take part: no row is of it (N4)."""
        tasks = self._model.tasks
        if not isinstance(tasks, jaragua_models.NamesDevices) or device in tasks.never_train():
            return None
        try:
            tasks.check_name(device)
        except jaragua_models.ModelError as error:
            return f"{error.message} {error.hint}"
        return None

    def check_name(self, device: str) -> None:
        """Raises: DataError if a device of that name does not train: it is held out, or no row is of it (N4)."""
        if isinstance(self._model.tasks, jaragua_models.NamesDevices):
            try:
                self._model.tasks.check_name(device)
            except jaragua_models.ModelError as error:
                raise DataError(error.message, error.hint) from error

    @staticmethod
    def of_zoo(name: str) -> TaskSampler:
        """The model that a run names: a name in the zoo only, never a file. Raises: ModelError."""
        return _sampler_of_zoo(name)

    def computing(self, architecture: bytes) -> TaskSampler:
        """The samples for a device of that architecture: boards of both formats may be behind one node (R14).

        This one itself for an architecture that is of another network.
        """
        return self._by_architecture.get(architecture, self)

    @functools.cached_property
    def _by_architecture(self) -> dict[bytes, TaskSampler]:
        others = (TaskSampler(model, self.image) for model in other_formats(self._model))
        return {one.plan.architecture: one for one in others}

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def metric(self) -> Metric:
        """What its tasks are evaluated by."""
        return self._model.metric

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of a classifier's outputs, () if they have none; None of a regression."""
        if not self.plan.network.classifier:
            return None
        return () if self._model.interface is None else self._model.interface.classes

    def network_of(self, architecture: bytes) -> dict[str, int | bool]:
        """What a device of this architecture takes and gives (M50); nothing of another architecture."""
        if architecture != self.plan.architecture:
            return {}
        network = self.plan.network
        return {"inputs": network.input_size, "outputs": network.outputs, "classifier": network.classifier}

    def real_inputs(self, values: Sequence[float]) -> npt.NDArray[np.float64]:
        """A sample [inputs] as a client gives it, as the network takes it: readings of one's own table are scaled (I1).

        Raises: DataError for another number of values, CompileError for readings that cannot be scaled.
        """
        wanted = self.plan.network.input_size
        if len(values) != wanted:
            raise DataError(
                f"{len(values)} inputs were given, the network of {self.model!r} takes {wanted}",
                "the property `model` of the device has their number",
            )
        sample = np.array(values, np.float64)
        interface = self._model.interface
        if interface is None or interface.inputs is None:
            return sample
        return interface.inputs.standardised(sample).astype(np.float64)

    def support(self, command: TrainCommand, start: bytes) -> SampleSet:
        """The samples a train-command asks for, once: the device's task under its seed."""
        _check_size(command.ways * command.shots * command.passes)
        _check_memory(command)
        self._check_local(command)
        try:
            task = self._model.tasks.train_task(command.device, command.seed, command.ways, command.shots)
        except jaragua_models.ModelError as error:
            raise DataError(error.message, error.hint) from error
        return self._samples(task.support, command, start)

    def held_out(self, command: AdaptCommand, start: bytes) -> HeldOut:
        """The held-out task an adapt command asks for; the support set as often as it is gone over."""
        _check_size(command.ways * command.shots * max(command.passes, 1))
        _check_memory(command)
        _check_size(command.queries)
        try:
            task = self._model.tasks.held_out_task(command.seed, command.ways, command.shots, command.queries)
        except jaragua_models.ModelError as error:
            raise DataError(error.message, error.hint) from error
        support = self._samples(task.support, command, start)
        if not support.temperature:  # prototypes: every pass enrols the support set anew
            support = support.replayed(command.passes, command.replay_buffer_size or 0)
        return HeldOut(support, self._samples(task.query, command, start), task.classes)

    def _check_local(self, command: TrainCommand) -> None:
        layers = len(self.plan.shapes)
        if (command.local or 0) >= layers:
            raise DataError(
                f"a command keeps {command.local} layers local; the network of '{self.model}' has {layers} that learn",
                "change the number of local layers",
            )

    def _samples(
        self, samples: jaragua_models.Samples, command: TrainCommand | AdaptCommand, start: bytes
    ) -> SampleSet:
        settings, temperature = _checked_settings(command), command.temperature or 0.0
        prototypes = temperature, bool(command.episode_queries)
        layout = with_prototypes(self.plan, MOST_PROTOTYPES) if temperature else self.plan
        if command.start is not None:
            targets = samples.y.reshape(len(samples.y), -1)
            return SampleSet(samples.x.astype(np.float32), targets, 1, settings, *prototypes)
        found = exponents(layout, start)
        inputs = quantise_inputs(layout, found, samples.x)
        return SampleSet(inputs, quantise_targets(layout, found, samples.y), 1, settings, *prototypes)


@functools.lru_cache(_SAMPLERS_KEPT)
def _sampler_of_zoo(name: str) -> TaskSampler:
    return TaskSampler(zoo_model_named(name), name)


def _check_size(samples: int) -> None:
    if not 0 < samples <= MOST_SAMPLES:
        raise DataError(
            f"a command asks for {samples} samples; 1 to {MOST_SAMPLES} are possible",
            "change ways, shots, passes or queries",
        )


def _check_episodes(command: TrainCommand | AdaptCommand) -> None:
    batch = command.batch if isinstance(command, TrainCommand) else None
    if not command.temperature or not command.enrolled_shots or batch not in (None, 1):
        raise DataError(
            "a command asks for episodes, which take a temperature, enrolled-shots and a batch of 1 (M18.2)",
            "leave out episode-queries",
        )


def _check_memory(command: TrainCommand | AdaptCommand) -> None:
    proximal_decay = command.proximal_decay if isinstance(command, TrainCommand) else None
    if command.temperature and (command.replay_buffer_size or proximal_decay is not None):
        raise DataError(
            "a command asks for prototypes, which take neither a replay buffer nor a proximal term (M18)",
            "leave out temperature, or replay-buffer-size and proximal-decay",
        )
    if command.episode_queries:
        _check_episodes(command)
    if not isinstance(command, TrainCommand):
        return
    if command.replay_buffer_size and (command.batch not in (None, 1) or proximal_decay is not None):
        raise DataError(
            f"a command asks for a replay buffer of {command.replay_buffer_size} samples, "
            "which takes a batch of 1 and no proximal term (M3)",
            "leave out replay-buffer-size, or batch and proximal-decay",
        )


def _checked_settings(command: TrainCommand | AdaptCommand) -> StepSettings:
    """Raises: DataError for a setting that no run's file could have."""
    settings = step_settings_of(command)
    for name, value in asdict(settings).items():
        least, most = limits(f"client.{name}")
        if not least <= value <= most:
            words = name.replace("_", " ")
            raise DataError(
                f"a command asks for a {words} of {value:g}; {least:g} to {most:g} are possible",
                f"change {name.replace('_', '-')}",
            )
    return settings
