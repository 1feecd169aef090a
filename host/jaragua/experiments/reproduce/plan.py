"""The plan: which simulations, at which scale. All of it follows from plan.toml and the zoo's defaults."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias, get_args

from jaragua.bases.value import Value
from jaragua.settings import EvaluationSettings
from jaragua.simulation import Simulation, device_names
from jaragua.simulation.evaluation import pretraining
from jaragua.simulation.models import model_for, model_named
from jaragua.simulation.strategy import with_options
from jaragua.strategies.registry import find
from jaragua_compiler import plan as compiled
from jaragua_compiler.planning.operators import ConvolutionPlan, WeightedPlan
from jaragua_models import Model

Scale: TypeAlias = Literal["short", "plain", "full"]
SCALES: Final[tuple[Scale, ...]] = get_args(Scale)
#: What an experiment is for: the table of strategies, or a figure over one number.
Purpose: TypeAlias = Literal["strategies", "support", "fraction", "format"]

Table: TypeAlias = Mapping[str, Any]
#: Keys of a row that are no fields of a simulation, but what they mean is.
_OF_A_ROW: Final = frozenset({"name", "strategy", "serial", "own_labels"})
#: Passes of a new device in these tables: devices that drop each sample meet it once.
_ADAPTATION_PASSES: Final = {"digits": 1, "sine": 1, "keywords-mel": 4}


class TaskOfPlan(Value):
    """One section of the document."""

    name: str
    title: str
    model: str
    seeds: int
    note: str = ""
    """What else a reader of the section must know, in Markdown; or empty."""


class Experiment(Value):
    """One simulation under one seed. name: `task/row` or `task/row/purpose-value`, the same for all its seeds."""

    name: str
    task: TaskOfPlan
    row: str
    purpose: Purpose
    value: str
    simulation: Simulation

    @property
    def model(self) -> Model:
        """The zoo's model in the shape and format that is simulated."""
        return model_for(self.simulation)

    @property
    def key(self) -> str:
        """By content: all that the outcome depends on, and nothing else."""
        architecture = compiled(self.model.network).architecture.hex()
        return _digest({"architecture": architecture, "simulation": _said(self.simulation)})

    @property
    def training_key(self) -> str:
        """The same for all that differ in how they are evaluated only: they share what was trained."""
        architecture = compiled(self.model.network).architecture.hex()
        return _digest({"architecture": architecture, "simulation": self.simulation.identity()})

    @property
    def steps(self) -> int:
        """Training steps on single samples, of all rounds and devices; what it takes to evaluate is counted alike."""
        wanted, defaults = self.simulation, self.model.defaults
        samples = wanted.ways * wanted.shots * (wanted.passes or 1)
        held_out = wanted.evaluation
        adapted = wanted.ways * (held_out.shots or 1) * held_out.passes + 2 * defaults.queries // 3
        evaluated = held_out.tasks + wanted.curve_tasks * (len(wanted.checkpoints) + 2 if wanted.checkpoints else 0)
        trained = wanted.rounds * wanted.clients * samples if find(wanted.strategy).TRAINS else 0
        return trained + evaluated * adapted

    @property
    def multiplications(self) -> int:
        """Approximate multiplications of one training step: forward, errors and update."""
        *hidden, head = compiled(self.model.network).layers
        outputs = pretraining.outputs_of(self.simulation) or head.outputs
        body = sum(layer.outputs * layer.inputs * _positions(layer) for layer in hidden)
        return 3 * (body + outputs * head.inputs * _positions(head))


class Plan(Value):
    """All experiments of a scale, in the order of the document."""

    scale: Scale
    seeds: int
    """Seeds of tasks that have no number of their own."""
    tasks: tuple[TaskOfPlan, ...]
    rows: tuple[str, ...]
    experiments: tuple[Experiment, ...]

    def only(self, names: Sequence[str]) -> Plan:
        """What belongs to these tasks, or to `task/row` of them; all if there are no names."""
        chosen = [one for one in self.experiments if not names or any(_belongs(one.name, name) for name in names)]
        tasks = {one.task for one in chosen}
        return replace(self, experiments=tuple(chosen), tasks=tuple(task for task in self.tasks if task in tasks))


def read_plan(scale: Scale) -> Plan:
    """The plan of this package at a scale. Raises: ModelError."""
    table = tomllib.loads(files("jaragua.experiments.reproduce").joinpath("plan.toml").read_text(encoding="utf-8"))
    scaled = _at_scale(table, scale)
    seeds = scaled["seeds"]
    tasks = tuple(
        TaskOfPlan(task["name"], task["title"], task["model"], task.get("seeds", seeds), task.get("note", ""))
        for task in scaled["task"]
    )
    found = [
        one
        for task, numbers in zip(tasks, scaled["task"], strict=True)
        for one in _PlannedTask(task, numbers, scaled).experiments()
    ]
    return Plan(scale, seeds, tasks, tuple(row["name"] for row in scaled["strategy"]), tuple(found))


def _at_scale(value: Any, scale: Scale) -> Any:
    """Every table of numbers for the scales becomes the one of this scale."""
    if isinstance(value, dict):
        return value[scale] if set(value) == set(SCALES) else {key: _at_scale(one, scale) for key, one in value.items()}
    return [_at_scale(one, scale) for one in value] if isinstance(value, list) else value


class _PlannedTask:
    """The experiments of one task."""

    def __init__(self, task: TaskOfPlan, numbers: Table, whole: Table) -> None:
        self._task = task
        self._numbers = numbers
        self._whole = whole
        self._model = model_named(task.model)

    def experiments(self) -> Iterator[Experiment]:
        """The table of strategies first, then what is varied."""
        rows = [row for row in self._whole["strategy"] if self._model.own_labels or not row.get("own_labels", False)]
        for row in rows:
            yield from self._seeded(row["name"], "strategies", "", self._simulation(row))
        if self._numbers.get("sweeps", True):
            yield from self._support()
            yield from self._shares()
            yield from self._formats()

    def _support(self) -> Iterator[Experiment]:
        for name in ("from scratch", "Reptile", "TinyReptile"):
            plain = self._simulation(self._row(name))
            for shots in self._numbers.get("support", ()):
                if shots != plain.evaluation.shots:
                    yield from self._seeded(name, "support", str(shots), plain.changed({"shots": shots}, curve_tasks=0))

    def _shares(self) -> Iterator[Experiment]:
        plain = self._simulation(self._row("TinyMetaFed"))
        for fraction in self._whole["fractions"]:
            wanted = replace(plain, options=plain.options | {"upload_fraction": fraction}, checkpoints=())
            yield from self._seeded("TinyMetaFed", "fraction", f"{100 * fraction:g}", wanted)

    def _formats(self) -> Iterator[Experiment]:
        plain = self._simulation(self._row("TinyReptile"))
        for engine in self._whole["formats"]:
            if engine != plain.engine:
                yield from self._seeded("TinyReptile", "format", engine, replace(plain, engine=engine, checkpoints=()))

    def _row(self, name: str) -> Table:
        found: Table = next(row for row in self._whole["strategy"] if row["name"] == name)
        return found

    def _seeded(self, row: str, purpose: Purpose, value: str, wanted: Simulation) -> Iterator[Experiment]:
        ending = f"/{purpose}-{value}" if value else ""
        name = f"{self._task.name}/{row.lower().replace(', ', '-').replace(' ', '-')}{ending}"
        for seed in range(1, self._task.seeds + 1):
            yield Experiment(name, self._task, row, purpose, value, replace(wanted, seed=seed))

    def _simulation(self, row: Table) -> Simulation:
        """As `jaragua simulate` fills in what is not said."""
        numbers, defaults = self._numbers, self._model.defaults
        shots = numbers.get("shots", defaults.shots)
        clients = 1 if row.get("serial") else defaults.clients
        rounds = numbers["rounds"] * (defaults.clients if row.get("serial") else 1)
        alpha = numbers.get("serial_alpha", defaults.alpha) if row.get("serial") else defaults.alpha
        plain = Simulation(
            task=self._task.model,
            strategy=row["strategy"],
            engine=self._whole["engine"],
            seed=1,
            rounds=rounds,
            clients=clients,
            devices=device_names(defaults.clients),  # of a serial row, too: one of them in each round
            ways=numbers.get("ways", defaults.ways),
            shots=max(shots, defaults.training_shots),
            learning_rate=defaults.learning_rate,
            alpha=alpha,
            alpha_final=0.0,
            passes=max(find(row["strategy"]).PASSES, defaults.training_passes),
            evaluation=EvaluationSettings(
                tasks=numbers.get("eval_tasks", self._whole["eval_tasks"]),
                queries=numbers.get("queries", defaults.queries),
                shots=shots,
                passes=_ADAPTATION_PASSES.get(self._task.model, defaults.passes),
            ),
            checkpoints=_spread(rounds, self._whole["curve_points"]),
            curve_tasks=self._whole["curve_tasks"],
        )
        own = {name: value for name, value in row.items() if name not in _OF_A_ROW}
        return with_options(plain.changed(**own).changed(**numbers.get("change", {}).get(row["name"], {})))


def _spread(rounds: int, points: int) -> tuple[int, ...]:
    """Rounds for a learning curve that bends early: each about twice the one before."""
    return tuple(sorted({max(1, rounds >> halvings) for halvings in range(1, points + 1)}))


def _said(simulation: Simulation) -> dict[str, Any]:
    """All fields that are not as they are by default: a field that is added later changes no key."""
    defaults = {field.name: field.default for field in fields(simulation)}
    values = asdict(simulation)
    return {name: value for name, value in values.items() if getattr(simulation, name) != defaults[name]}


def _positions(layer: WeightedPlan) -> int:
    return layer.positions if isinstance(layer, ConvolutionPlan) else 1


def _belongs(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(f"{wanted}/")


def _digest(content: Table) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
