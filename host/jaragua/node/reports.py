"""What a node's devices do, as events; and one line a round for its log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from jaragua.bases.value import Value
from jaragua.wire.messages import AdaptCommand, AdaptResult, RunState, TrainCommand, UpdateHeader
from jaragua.wire.rejections import shown

LOGGER = logging.getLogger(__name__)
#: Devices that are named in a line; of more their number is told.
_MOST_NAMED: Final = 3
#: P3: rounds and adaptations that are collected while no state of the run comes.
_MOST_OPEN: Final = 64


class JobBegun(Value):
    """A device begins with a job."""

    device: str
    run: str
    round: int | None
    """None: the adaptation `trial`."""
    trial: int | None = None


class Trained(Value):
    """A device has an update of a round. `score`: right answers (0..1) or mean squared error, by `metric`."""

    device: str
    run: str
    round: int
    samples: int
    loss: float
    metric: str
    score: float
    instructions: int
    seconds: float


class Adapted(Value):
    """A device was evaluated before and after adaptation."""

    device: str
    run: str
    trial: int
    metric: str
    before: float
    after: float
    queries: int
    seconds: float


class JobRefused(Value):
    """A job was not carried out."""

    device: str
    run: str
    why: str


Report = JobBegun | Trained | Adapted | JobRefused


def begun(command: TrainCommand | AdaptCommand) -> JobBegun:
    """Of a command that a device begins to carry out."""
    if isinstance(command, TrainCommand):
        return JobBegun(command.device, command.run, command.round)
    return JobBegun(command.device, command.run, None, command.trial)


def trained(header: UpdateHeader, seconds: float) -> Trained:
    """Of an update."""
    figures = header.samples, header.loss, header.metric, header.score, header.instructions
    return Trained(header.device, header.run, header.round, *figures, seconds)


def adapted(result: AdaptResult, seconds: float) -> Adapted:
    """Of an adaptation that was carried out."""
    figures = result.metric, result.before, result.after, result.queries
    return Adapted(result.device, result.run, result.trial, *figures, seconds)


def describe(report: Report, rounds: int | None = None) -> str:
    """A report in words, without the name of its device. rounds: of the run, if it is known."""
    match report:
        case JobBegun(round=None, trial=trial):
            return f"adaptation {trial} of run {shown(report.run)} begins"
        case JobBegun(round=number):
            return f"{_round(number, rounds)} of run {shown(report.run)} begins"
        case Trained():
            cost = f", {report.instructions:,} instructions a sample" if report.instructions else ""
            return (
                f"{_round(report.round, rounds)}: {report.samples} samples, loss {report.loss:.4f}, "
                f"{_score(report.metric, report.score)}, {report.seconds:.2f} s{cost}"
            )
        case Adapted():
            return f"adaptation {report.trial}: {_change([report])}, {report.seconds:.2f} s"
        case JobRefused(why=why):
            return f"refused: {shown(why)}"


class RoundLog:
    """Collects what the devices of a node did in a round, and says it in one line when the round is over."""

    def __init__(self, say: Callable[[str], None] = LOGGER.info) -> None:
        self._say = say
        self._trained: dict[tuple[str, int], list[Trained]] = {}
        self._adapted: dict[tuple[str, int], list[Adapted]] = {}
        self._rounds: dict[str, int] = {}

    def add(self, report: Report) -> None:
        """Takes a report."""
        if isinstance(report, Trained):
            self._trained.setdefault((report.run, report.round), []).append(report)
        elif isinstance(report, Adapted):
            self._adapted.setdefault((report.run, report.trial), []).append(report)
        while len(self._trained) + len(self._adapted) > _MOST_OPEN:
            oldest = self._trained or self._adapted
            del oldest[next(iter(oldest))]

    def rounds_of(self, run: str) -> int | None:
        """How many rounds a run has, if a state of it came."""
        return self._rounds.get(run)

    def run_is(self, state: RunState) -> None:
        """The coordinator says where the run stands: rounds before that are over."""
        self._rounds = {state.run: state.rounds}
        is_over = state.phase != "training"
        for run, number in sorted(self._trained):
            if is_over or run != state.run or number < state.round:
                self._say(self._line(number, state.rounds, self._trained.pop((run, number))))
        for run, trial in sorted(self._adapted):
            reports = self._adapted.pop((run, trial))
            self._say(f"adaptation {trial}: {_who(reports)}, {_change(reports)}")

    @staticmethod
    def _line(number: int, rounds: int, reports: Sequence[Trained]) -> str:
        samples = sum(report.samples for report in reports)
        weights = [(report, report.samples / samples if samples else 0.0) for report in reports]
        loss = sum(report.loss * weight for report, weight in weights)
        score = sum(report.score * weight for report, weight in weights)
        seconds = max(report.seconds for report in reports)
        return (
            f"{_round(number, rounds)}: {_who(reports)}, {samples} samples, loss {loss:.4f}, "
            f"{_score(reports[0].metric, score)}, {seconds:.2f} s"
        )


def _round(number: int | None, rounds: int | None) -> str:
    return f"round {number}" + (f" of {rounds}" if rounds else "")


def _who(reports: Sequence[Trained | Adapted]) -> str:
    names = sorted({report.device for report in reports})
    return ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names)} devices"


def _score(metric: str, score: float) -> str:
    return f"accuracy {100 * score:.1f} %" if metric == "accuracy" else f"squared error {score:.4g}"


def _change(reports: Sequence[Adapted]) -> str:
    """Before and after adaptation: means of the devices."""
    before, after = (sum(values) / len(reports) for values in zip(*((r.before, r.after) for r in reports), strict=True))
    if reports[0].metric == "accuracy":
        return f"accuracy {100 * before:.1f} % before, {100 * after:.1f} % after"
    return f"squared error {before:.4g} before, {after:.4g} after"
