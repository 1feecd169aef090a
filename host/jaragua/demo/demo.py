"""The demonstration, step by step: build, start the fleet, train, then evaluate a board that was not there.

Everything in it is the product: the image that `pio run -e qemu_m4` builds, on emulated boards; a real broker; the
gateway and the client as processes of their own; the coordinator. Only the boards' hardware is emulated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from enum import Enum
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from jaragua import config as configuration
from jaragua.bases.value import Value
from jaragua.config.strategy import strategy_of
from jaragua.coordinator import (
    AdaptResult,
    RunEvent,
    RunResult,
    Trial,
    open_fleet,
    request_adaptation,
    run_coordinator,
    wait_for_devices,
)
from jaragua.coordinator.evaluate import figures_of
from jaragua.demo.image import ImageSize, image_size
from jaragua.demo.programs import Program
from jaragua.doctor import install_command, missing_packages, needed_by_demo
from jaragua.emulate import EmulatedFleet, build_image
from jaragua.errors import DataError, ToolError
from jaragua.models import model_named
from jaragua.node.program import ended
from jaragua.report.intervals import Interval, paired_interval
from jaragua.settings import TrainingSettings
from jaragua.store import open_run
from jaragua.store.reading import write_evaluation
from jaragua.strategies import ClientWork
from jaragua.strategies.registry import find
from jaragua.wire.topics import is_id
from jaragua_broker import Broker
from jaragua_models import ChecksDevices, Model, NamesDevices
from jaragua_models import ModelError as ModelsError

Outcome = TypeVar("Outcome")

FLEET = "demo"
NEWCOMER = "newcomer"
CLIENT = "pi-1"
_READY_SECONDS = 60.0
_WATCH_SECONDS = 0.5
#: Seeds of held-out tasks; any will do, the zoo keeps them apart from training.
_FIRST_TASK_SEED = 1_000
#: Of a configuration that is read before there is a broker.
_NO_BROKER = "mqtt://127.0.0.1:1883"
#: Of the newcomer over its samples: it sees each once.
_PASSES = 1


class Phase(Enum):
    """What the demonstration is at; the value is the line a person reads."""

    BUILD = "building the firmware image"
    START = "starting the broker, the boards, the gateway and the Pi client"
    TRAIN = "learning to learn"
    EVALUATE = "a board that nobody has seen adapts to tasks of its own"


class DemoSettings(Value):
    """What to show. rounds: fewer than a run takes by default, so that it is over in about two minutes."""

    directory: Path
    model: str = "digits"
    boards: int = 4
    tasks: int = 24
    rounds: int = 100
    seed: int = 1
    strategy: str = "tinyreptile"


class HeldOut(Value):
    """Means over the held-out tasks; `gain` pairs adapting from the learned start with adapting from a random one."""

    metric: str
    before: float
    after: float
    after_from_random: float
    gain: Interval


class DemoResult(Value):
    """All that is shown at the end."""

    run: RunResult
    held_out: HeldOut
    image: ImageSize


class TaskEvaluated(Value):
    """One more held-out task is evaluated."""

    done: int
    total: int


DemoEvent = Phase | RunEvent | TaskEvaluated
OnEvent = Callable[[DemoEvent], None]


class Demonstration:
    """One demonstration. `await Demonstration(settings, on_event).run()`. Errors: those of the rooms it uses."""

    def __init__(self, settings: DemoSettings, on_event: OnEvent = lambda event: None) -> None:
        self._settings = settings
        self._on_event = on_event
        self._model = model_named(settings.model)
        self._names, self._newcomer_name = _names(self._model, settings.boards)
        find(settings.strategy)  # one that is none is said before an image is built
        self._logs = settings.directory / "logs"

    async def run(self) -> DemoResult:
        """Everything, in order; nothing is left running afterwards."""
        _check_machine()
        self._check_samples()
        self._on_event(Phase.BUILD)
        image = await asyncio.to_thread(build_image, "qemu_m4", self._settings.model, prototypes=self.enrolled())
        size = image_size(image)
        self._on_event(Phase.START)
        with Broker() as broker:
            async with self._training_fleet(image, broker.url) as programs:
                run = await _while_alive(self._train(broker.url), programs)
            self._on_event(Phase.EVALUATE)
            async with self._newcomer(image, broker.url) as programs:
                held_out = await _while_alive(self._evaluate(broker.url, run), programs)
        return DemoResult(run, held_out, size)

    def _check_samples(self) -> None:
        """Raises: DataError if a device has too few samples: its node alone would say so, and the round would wait."""
        tasks, own = self._model.tasks, self._model.defaults
        client = self._configuration(_NO_BROKER).client
        try:
            if isinstance(tasks, ChecksDevices):
                tasks.check_devices(self._names, client.ways, client.shots)
            for number in range(self._settings.tasks):
                tasks.held_out_task(_FIRST_TASK_SEED + number, own.ways, own.shots, own.queries)
        except ModelsError as error:
            raise DataError(error.message, error.hint) from error

    @asynccontextmanager
    async def _training_fleet(self, image: Path, url: str) -> AsyncIterator[list[Program]]:
        async with AsyncExitStack() as stack:
            boards = stack.enter_context(EmulatedFleet(image, self._settings.boards))
            names = [word for name in self._names[:-1] for word in ("--id", name)]
            yield [
                stack.enter_context(self._gateway("gateway", boards.urls, url, *names)),
                stack.enter_context(self._client(url)),
            ]

    @asynccontextmanager
    async def _newcomer(self, image: Path, url: str) -> AsyncIterator[list[Program]]:
        with ExitStack() as stack:
            board = stack.enter_context(EmulatedFleet(image, 1))
            yield [stack.enter_context(self._gateway("newcomer-gateway", board.urls, url, "--id", self._newcomer_name))]

    def _gateway(self, name: str, ports: Sequence[str], url: str, *more: str) -> Program:
        options = [word for port in ports for word in ("--port", port)]
        return self._program(name, ["gateway", *options, *more], url)

    def _client(self, url: str) -> Program:
        return self._program(self._names[-1], ["client"], url)

    def _program(self, name: str, words: list[str], url: str) -> Program:
        common = ["--broker", url, "--fleet", FLEET, "--node", name, "--model", self._settings.model]
        data = ["--data-dir", str(self._settings.directory / "nodes" / name)]
        return Program(name, [*words, *common, *data], self._logs / f"{name}.log")

    async def _train(self, url: str) -> RunResult:
        self._on_event(Phase.TRAIN)
        settings = self._configuration(url)
        with open_run(settings.run.directory) as folder:
            return await run_coordinator(settings, store=folder, on_event=self._on_event)

    def _configuration(self, url: str) -> configuration.RunConfig:
        """The run as a user would write it down; what is not said is the model's default."""
        wanted = self._settings
        lines = [
            "[run]",
            'name = "demo"',
            f"seed = {wanted.seed}",
            f"rounds = {wanted.rounds}",
            f'fleet = "{FLEET}"',
            'directory = "."',
            "[model]",
            f'name = "{wanted.model}"',
            "[strategy]",
            f'name = "{wanted.strategy}"',
            f"clients_per_round = {wanted.boards + 1}",
            "[broker]",
            f'url = "{url}"',
        ]
        return configuration.parse("\n".join(lines), wanted.directory / "config.toml")

    async def _evaluate(self, url: str, run: RunResult) -> HeldOut:
        """The same tasks from the learned and from the random start, on the same board."""
        async with open_fleet(url, FLEET) as session:
            await wait_for_devices(session, [self._newcomer_name], _READY_SECONDS)
            total = 2 * self._settings.tasks
            learned: list[AdaptResult] = []
            random: list[AdaptResult] = []
            for blob, results in ((run.final_blob, learned), (run.initial_blob, random)):
                for number in range(self._settings.tasks):
                    results.append(await request_adaptation(session, run.run, self._trial(number, blob)))
                    self._on_event(TaskEvaluated(len(learned) + len(random), total))
        write_evaluation(run.run_dir, figures_of(learned, from_random=[one.after for one in random]))
        return summarise(learned, random)

    def enrolled(self) -> int | None:
        """Classes that the image has room to enrol, if the strategy has prototypes: all labels of a round."""
        if not find(self._settings.strategy).PROTOTYPES:
            return None
        ways = self._configuration(_NO_BROKER).client.ways
        return max(ways, self._model.network.outputs)

    def _adaptation(self) -> TrainingSettings:
        """What the newcomer does with its samples: one pass of steps, or what the strategy has in its place."""
        config = self._configuration(_NO_BROKER)
        return strategy_of(config).adaptation(ClientWork(self._model.defaults.learning_rate, passes=_PASSES))

    def _trial(self, number: int, blob: bytes) -> Trial:
        defaults = self._model.defaults
        return Trial(
            device=self._newcomer_name,
            number=number,
            blob=blob,
            seed=_FIRST_TASK_SEED + number,
            training=self._adaptation(),
            ways=defaults.ways,
            shots=defaults.shots,
            queries=defaults.queries,
        )


def _check_machine() -> None:
    """All that is missing at once, before anything is built. Raises: ToolError."""
    missing = [check for check in needed_by_demo() if check.is_missing]
    if not missing:
        return
    commands = [install_command(missing_packages(missing)), *(check.mend for check in missing if not check.packages)]
    raise ToolError(
        f"the demonstration needs what is missing here: {', '.join(check.name for check in missing)}",
        "run: " + " && ".join(dict.fromkeys(filter(None, commands))),
    )


def _names(model: Model, boards: int) -> tuple[list[str], str]:
    """Names of the boards and the client that train, and of the board that comes at the end (N2, N4)."""
    if not isinstance(model.tasks, NamesDevices):
        return [*(f"board-{number}" for number in range(1, boards + 1)), CLIENT], NEWCOMER
    return [f"device-{number}" for number in range(1, boards + 2)], min(filter(is_id, model.tasks.never_train()))


def summarise(learned: Sequence[AdaptResult], random: Sequence[AdaptResult]) -> HeldOut:
    """Means over tasks, paired by their place in both lists. For an error metric the gain is what it falls by."""
    after, from_random = [one.after for one in learned], [one.after for one in random]
    metric = learned[0].metric
    gain = paired_interval(after, from_random) if metric == "accuracy" else paired_interval(from_random, after)
    return HeldOut(metric, fmean(one.before for one in learned), fmean(after), fmean(from_random), gain)


async def _while_alive(work: Coroutine[None, None, Outcome], programs: Sequence[Program]) -> Outcome:
    """Await the work, but no longer than the programs it needs live."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait([task], timeout=_WATCH_SECONDS))[0]:
            for program in programs:
                program.check_alive()
        return task.result()
    finally:
        await ended(task)
