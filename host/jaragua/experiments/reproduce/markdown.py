"""The document: tables and sentences from records. Pure; the same records give the same text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jaragua.experiments.reproduce.figures import Figure
from jaragua.experiments.reproduce.plan import Plan, TaskOfPlan
from jaragua.experiments.reproduce.run import Found
from jaragua.experiments.reproduce.summary import REFERENCE, Line, lines, of_task, over_support, total_seconds
from jaragua.simulation import Means
from jaragua.simulation.evaluation.evaluation import NATURAL_TASKS

_HOW_TO_READ = """\
Every row was simulated with the boards' own arithmetic (`w16`, unless it says else) on the same held-out tasks, none of
whose data was trained on. "±" is Student's 95 % interval over the means of the seeds: it says how well training
repeats, and nothing of other held-out tasks, which are the same for all seeds. Each support-set size has held-out tasks
of its own: compare the rows of one column. Where nothing is said, numbers are the model's defaults
([tasks.md](tasks.md)); the rate of keywords-mel and TinyMetaFed's rule for the head were chosen on these very
tasks. What the strategies do stands in [strategies.md](../reference/strategies.md).

- **Paired difference**: after adapting, this row less TinyReptile under the same seed, so that what a seed does to both
  counts for neither; Student's 95 % interval over the seeds. Of an error, less is better.
- **RAM**: weights, activations, errors and stack, as the compiler plans them for a Cortex-M4; "+" is what samples take
  if a device meets them more than once, in a round or when it is new, and keeps them itself.
- **Instructions**: training steps times instructions a step, counted on the emulated Cortex-M4
  ([benchmarks.md](benchmarks.md)); of one device, to adapt to a new task and for a round of training.
- Reptile adapts as it trains, five passes in mini-batches of five; all others one step a sample.
- FedAvg whose devices take a step a sample, on a task that is another in every round, is TinyReptile's outer step with
  an α that stays 1: it moves further in as many rounds, and its last rounds are not averaged out.
- **Bytes**: all tensors of the whole training, indices and scales included, between the server and all devices.
- "from scratch" has no training: each new device adapts from random weights of its own. "transfer" brings the raw
  samples of all devices to one place, which a fleet must not do, and trains one model on them as the tasks label them.
  Where labels are a task's own, a digit, word or character has another one in every task: steps contradict each other
  until hardly a hidden unit is ever on, what is off learns no more, and it ends at chance. There "transfer, true
  classes" trains a classifier of all training classes by what they are, on the same samples, in float32 as a server
  would; new devices keep its hidden layers, and begin with a new last one."""


@dataclass(frozen=True)
class Header:
    """How the records came to be."""

    command: str
    machine: str
    version: str


def document(plan: Plan, found: Found, header: Header, figures: Sequence[Figure]) -> str:
    """The whole of docs/results/results.md."""
    every = lines(plan, found)
    parts = [_title(plan, found, header), _HOW_TO_READ]
    for task in plan.tasks:
        parts += _section(plan, every, task, [figure for figure in figures if figure.task == task.name])
    return "\n\n".join(parts) + "\n"


def _title(plan: Plan, found: Found, header: Header) -> str:
    done = sum(one.key in found.outcomes for one in plan.experiments)
    seconds = total_seconds(found.outcomes[one.key] for one in plan.experiments if one.key in found.outcomes)
    missing = f" {len(plan.experiments) - done} of them are missing here." if done < len(plan.experiments) else ""
    return (
        "# Results\n\n"
        f"Made by `{header.command}`: {len(plan.experiments)} simulations, seeds 1 to {plan.seeds}"
        f'{_own_seeds(plan)}, scale "{plan.scale}" of `host/jaragua/experiments/reproduce/plan.toml`.{missing}'
        f" They took {_duration(seconds)} in all, without training that an earlier start of the command"
        f" had done and saved ({header.machine}, Jaragua {header.version}). The same command makes this page again."
    )


def _own_seeds(plan: Plan) -> str:
    own = [f"{task.title}: 1 to {task.seeds}" for task in plan.tasks if task.seeds != plan.seeds]
    return f" ({', '.join(own)})" if own else ""


def _section(plan: Plan, every: Sequence[Line], task: TaskOfPlan, figures: Sequence[Figure]) -> Iterator[str]:
    table = of_task(every, task, "strategies")
    if not table:
        return
    yield " ".join(filter(None, [f"## {task.title}\n\n{_what_was_done(table)}", task.note]))
    yield _strategies(table)
    support = over_support(every, task)
    if support:
        yield "**Support-set size** (samples a class with which a new device adapts; one start for all of a row):"
        yield _support(support)
    fractions = of_task(every, task, "fraction")
    if fractions:
        yield "**TinyMetaFed by the fraction that is sent**:\n\n" + _fractions(fractions, _row(table, REFERENCE))
    formats = of_task(every, task, "format")
    if formats:
        yield "**TinyReptile by number format**:\n\n" + _formats([*_row(table, REFERENCE), *formats])
    yield from (f"![{figure.caption}](images/{figure.file})" for figure in figures)


def _what_was_done(table: Sequence[Line]) -> str:
    wanted = next((one for one in table if one.trains), table[0]).experiment.simulation
    samples = f"{wanted.ways * wanted.shots} samples" + (
        f" ({wanted.ways} × {wanted.shots})" if wanted.ways > 1 else ""
    )
    adapted = wanted.ways * (wanted.evaluation.shots or wanted.shots)
    natural = min(wanted.evaluation.tasks, NATURAL_TASKS)
    unbalanced = f" All rows: the first {natural} of them, on queries as they came." if _natural(table) else ""
    held_out = wanted.evaluation
    return (
        f"Model `{wanted.task}`, rate {wanted.learning_rate:g}; a round gives each device {samples}."
        f" Evaluated on: {held_out.tasks} held-out tasks, {adapted} samples and {held_out.passes} pass"
        f"{'es' if held_out.passes > 1 else ''} to adapt, {held_out.queries} queries each.{unbalanced}"
    )


def _strategies(table: Sequence[Line]) -> str:
    natural = _natural(table)
    metric = {"accuracy": "accuracy", "mse": "mean squared error"}[_metric(table)]
    first = "balanced accuracy" if natural else metric
    head = [
        "strategy",
        "rounds × devices",
        f"before adapting, {first}",
        f"after, {first}",
        f"paired difference to {REFERENCE}",
    ]
    head += ["all rows: balanced accuracy", "all rows: F1"] if natural else []
    head += ["RAM, bytes", "instructions to adapt", "instructions a round", "bytes up", "bytes down"]
    return _table(head, [_strategy_cells(one, natural) for one in table])


def _strategy_cells(line: Line, natural: bool) -> list[str]:
    wanted = line.experiment.simulation
    cells = [line.experiment.row, f"{wanted.rounds:,} × {wanted.clients}" if line.trains else "–"]
    cells += [f"{line.before.mean:.3f}", _interval(line.after)]
    cells += [f"{line.difference.mean:+.3f} ± {line.difference.ci95:.3f}" if line.difference else "–"]
    if natural:
        cells += [_interval(one) if one else "–" for one in (line.balanced_accuracy, line.f1)]
    cost = line.cost
    stored = f" + {cost.stored_bytes:,}" if cost.stored_bytes else ""
    cells += [f"{cost.ram_bytes:,}{stored}" if cost.ram_bytes else "–", _count(cost.adapt_instructions)]
    cells += [_count(cost.round_instructions) if line.trains else "–"]
    if line.pooled:
        return [*cells, "raw samples", "–"]
    return cells + [_count(round(value)) if line.trains else "–" for value in (line.bytes_up, line.bytes_down)]


def _support(support: Mapping[str, Mapping[int, Line]]) -> str:
    shots = sorted({number for row in support.values() for number in row})
    rows = [
        [row, *(_interval(found[number].after) if number in found else "–" for number in shots)]
        for row, found in support.items()
    ]
    instructions = [
        [
            f"{row}: instructions",
            *(_count(found[number].cost.adapt_instructions) if number in found else "–" for number in shots),
        ]
        for row, found in support.items()
    ]
    return _table(["samples a class", *map(str, shots)], [*rows, *instructions[1:]])


def _fractions(fractions: Sequence[Line], whole: Sequence[Line]) -> str:
    rows = [[f"{one.experiment.value} %", *_traffic(one, whole)] for one in fractions]
    rows += [["TinyReptile, all of it", *_traffic(one, whole)] for one in whole]
    return _table(["of the update is sent", "after adapting", "bytes up", "bytes down", "times fewer bytes"], rows)


def _traffic(line: Line, whole: Sequence[Line]) -> list[str]:
    total = line.bytes_up + line.bytes_down
    fewer = f"{(whole[0].bytes_up + whole[0].bytes_down) / total:.1f}" if whole and total else "–"
    return [_interval(line.after), _count(round(line.bytes_up)), _count(round(line.bytes_down)), fewer]


def _formats(formats: Sequence[Line]) -> str:
    rows = [
        [
            one.experiment.simulation.engine,
            _interval(one.after),
            f"{one.cost.ram_bytes:,}" if one.cost.ram_bytes else "–",
            _count(one.cost.adapt_instructions),
        ]
        for one in formats
    ]
    return _table(["numbers", "after adapting", "RAM, bytes", "instructions to adapt"], rows)


def _row(table: Sequence[Line], name: str) -> list[Line]:
    return [one for one in table if one.experiment.row == name]


def _natural(table: Sequence[Line]) -> bool:
    """Whether it was evaluated on queries as unbalanced as they come, too."""
    return any(one.f1 for one in table)


def _metric(table: Sequence[Line]) -> str:
    return table[0].experiment.model.metric


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    both = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in both)


def _interval(means: Means) -> str:
    return f"{means.mean:.3f} ± {means.ci95:.3f}"


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} seconds"
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours {minutes % 60} minutes"
