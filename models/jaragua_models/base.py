"""What a model of the zoo is: a network, where its tasks come from, and the defaults to train it with.

Nothing here trains anything or knows of sockets: rooms that do ask a `TaskSource` for samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from jaragua_compiler import Dense, Network
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_models.errors import ModelError
from jaragua_models.random_rows import Seeds, UnitRows, unit_rows_of

Features: TypeAlias = NDArray[np.float32]
Targets: TypeAlias = NDArray[np.int64] | NDArray[np.float32]
Metric: TypeAlias = Literal["accuracy", "mse"]


@dataclass(frozen=True)
class Samples:
    """Labelled samples, in the order in which a device meets them.

    x: float32 [n, inputs]; y: labels int64 [n] for a classifier, else targets float32 [n, outputs].
    """

    x: Features
    y: Targets

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Task:
    """What one device has to learn: adapt on `support`, be evaluated on `query`. They share no sample."""

    support: Samples
    query: Samples
    device: str = ""
    """Whose samples they are, of data that have owners."""
    classes: tuple[str, ...] = ()
    """What each label means, "" for one that the task lacks; () where classes have no names, or too many."""


class TaskSource(Protocol):
    """Data -> devices -> tasks. Every method is a pure function of its arguments and the data."""

    def train_task(self, device: str, seed: int, ways: int, shots: int) -> Task:
        """The task `device` meets under `seed` (one seed a round), from training data only.

        Args: ways, classes of the task; shots, support samples a class. Raises: ModelError.
        """
        ...

    def held_out_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """A task from data no training task ever draws on; `queries` counts all its query samples.

        Raises: ModelError.
        """
        ...

    def calibration(self) -> Features:
        """Inputs float32 [n, inputs] of training data, from which exponents are estimated (A2.6)."""
        ...


@runtime_checkable
class DrawsMany(Protocol):
    """What a task source may have besides: simulations of many devices draw with it."""

    def train_supports(
        self, devices: Sequence[str], seeds: Seeds, ways: int, shots: int, unit_rows: UnitRows = unit_rows_of
    ) -> Samples:
        """The support samples of `train_task` for each device and its seed, to the bit, one task after the other.

        All these tasks have equally many. unit_rows: what draws. Raises: ModelError.
        """
        ...


@runtime_checkable
class NaturalTasks(Protocol):
    """What the source of a yes-or-no question may have besides: queries as unbalanced as life asks them."""

    def natural_task(self, seed: int, ways: int, shots: int, queries: int) -> Task:
        """The support set of `held_out_task`, and all queries there are. Raises: ModelError."""
        ...


@runtime_checkable
class KnowsClasses(Protocol):
    """What a task source may have besides: which class a sample is really of, whatever a task calls it."""

    def training_classes(self) -> int:
        """How many classes training tasks draw on, all devices together. Raises: ModelError."""
        ...

    def train_support_by_class(self, device: str, seed: int, ways: int, shots: int) -> Samples:
        """The support samples of `train_task`, to the bit and in its order, with their classes as labels.

        A class is a number below `training_classes()`, the same in every task of every device. Raises: ModelError.
        """
        ...


@runtime_checkable
class HasRows(Protocol):
    """What a task source may have besides: a list of all its samples, held-out ones among them."""

    def rows(self) -> Samples:
        """All samples in the order of the data, with the numbers of their classes. Raises: ModelError."""
        ...


@runtime_checkable
class HasColumns(Protocol):
    """What a task source may have besides: columns of readings, which are scaled."""

    def columns(self) -> tuple[str, ...]:
        """Their names in order; none of recordings."""
        ...


@runtime_checkable
class ChecksDevices(Protocol):
    """What a task source may have besides: it tells before any training which device has too few samples."""

    def check_devices(self, devices: Sequence[str], ways: int, shots: int) -> None:
        """Raises: ModelError that names one whose `train_task` would fail."""
        ...


@runtime_checkable
class NamesDevices(Protocol):
    """What a task source may have besides: the devices of its data are called by their names."""

    def check_name(self, device: str) -> None:
        """Raises: ModelError if that device does not train: it is held out, or no data is of it."""
        ...

    def never_train(self) -> frozenset[str]:
        """Names of the devices that are held out."""
        ...


@runtime_checkable
class HasOwners(Protocol):
    """What a task source may have besides: people, nodes or machines who own its data, one of them a device."""

    def owners(self) -> int:
        """How many own training data; more devices than that share it. Raises: ModelError."""
        ...


@runtime_checkable
class Remarks(Protocol):
    """What a task source may have besides: what a user should know of the data before training."""

    def remarks(self, ways: int, shots: int, training_shots: int, queries: int) -> list[str]:
        """Sentences without a full stop: classes that tasks leave out, and more. Raises: ModelError."""
        ...


@runtime_checkable
class HasValidation(Protocol):
    """What a task source may have besides: a validation set within its training data, to choose settings on."""

    def for_validation(self) -> TaskSource:
        """The same tasks without the held-out data: a part of the training data is held out in their place.

        Raises: ModelError if there is too little to part.
        """
        ...


@runtime_checkable
class ShiftsPictures(Protocol):
    """What a task source of pictures may have besides: training on pictures that are shifted at random."""

    def with_shifts(self) -> TaskSource:
        """The same tasks, but each sample of a training task is shifted by a few pixels; held-out tasks stay."""
        ...


@runtime_checkable
class LeavesOneOut(HasOwners, Protocol):
    """What a task source with owners may have besides: each training device in turn as validation set (D11)."""

    def leaving_out(self, number: int) -> TaskSource:
        """The same tasks without the held-out data: one training device is held out in their place.

        number: its place in the order of names, 0 to `owners() - 1`. Raises: ModelError if it is the only one.
        """
        ...


@runtime_checkable
class KnowsTrainingSamples(Protocol):
    """What a task source with fixed labels may have besides: all that devices train on, in one set."""

    def training_samples(self) -> Samples:
        """All samples of all training devices, in any order; their labels are those of every task."""
        ...


@dataclass(frozen=True)
class Defaults:
    """What `jaragua run` takes where a configuration is silent; the reasons are in docs/results/tasks.md."""

    learning_rate: float
    """Learning rate of a device, in training and in adaptation."""
    ways: int
    shots: int
    """Support samples a way when a new device adapts; a device trains on ways · shots samples a round, each once
    (TinyReptile), unless training_shots says more."""
    passes: int
    """Passes over the support set when a new device adapts."""
    queries: int
    """Query samples of a held-out task, all ways together."""
    clients: int
    alpha: float
    """Step of the initialisation in the first round; it falls linearly to 0."""
    rounds: int
    training_passes: int = 1
    """Passes over the support samples in a round of training; the papers' TinyReptile takes one."""
    training_shots: int = 0
    """Support samples a way in a round of training, if they are more than `shots` (Reptile's "train shots")."""
    strategy: str = "tinyreptile"
    """How the start moves, by its name (docs/reference/strategies.md)."""
    adapt_learning_rate: float = 0.0
    """Learning rate when a new device adapts, if it is not `learning_rate`."""
    training_ways: int = 0
    """Classes of a device's task in a round of training, if they are not `ways`."""
    devices: int = 0
    """Devices of a simulation that take turns; 0: as many as train in a round."""
    error_clip: float = 0.0
    """Largest output error of a training step in integers (A11.7); 0: any."""
    temperature: float = 0.0
    """Of prototypes (A12.4), for strategies that have them; 0: the strategy's own."""
    refine_passes: int = 0
    """Passes over the support set after which a new device enrols it again, for strategies with prototypes."""
    episode_queries: int = 0
    """Samples of each class that an episode trains on, for strategies with prototypes (A12.10); 0: no episodes."""
    adapt_by_steps: int = 0
    """1: with a strategy with prototypes, a new device takes steps of all layers and enrols nothing."""

    @property
    def shots_of_a_round(self) -> int:
        """Support samples a way that a device trains on in a round."""
        return max(self.shots, self.training_shots)


@dataclass(frozen=True)
class Model:
    """One entry of the zoo. `metric` is what its tasks are evaluated by: accuracy (up) or mse (down)."""

    name: str
    summary: str
    network: Network
    tasks: TaskSource
    defaults: Defaults
    metric: Metric
    own_labels: bool = False
    """A label means another class in every task, so that the last layer is each device's own."""
    interface: ModelInterface | None = None
    """Of one's own data: what goes in and comes out, in the user's words."""
    recommended: Defaults | None = None
    """With another strategy than that of `defaults`: taken where nobody names a strategy, or this one."""
    sensors: tuple[str, ...] = ()
    """What a device needs to make inputs of its own (docs/reference/semantics.md, S1.3)."""
    data_set: str = ""
    """The address of the data that the zoo's tasks are drawn from; "" for data that are computed or one's own."""

    def defaults_of(self, strategy: str | None) -> Defaults:
        """What is taken where a run is silent. strategy: its name, None if nobody names one."""
        found = self.recommended
        return found if found is not None and strategy in (None, found.strategy) else self.defaults

    def with_outputs(self, count: int) -> Self:
        """The same with `count` outputs, for tasks of other ways. Raises: ModelError if it is no classifier."""
        *body, last = self.network.layers
        if not self.network.classifier or not isinstance(last, Dense):
            raise ModelError(f"The outputs of {self.name!r} cannot be changed.", "Only those of a classifier can.")
        return replace(self, network=replace(self.network, layers=(*body, replace(last, units=count))))
