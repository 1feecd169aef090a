"""What a search says: the settings to write, and sentences for the user. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jaragua.models import LINEAR, METRIC
from jaragua.tuning.candidates import SCRATCH, counted
from jaragua.tuning.search import Found, Simple, Trial
from jaragua.tuning.toml_edit import Value

#: What a task's file says of the network of a candidate's variant.
_NETWORKS: Final[Mapping[str, Mapping[str, Value]]] = {"": {}, LINEAR: {"hidden": []}, METRIC: {"hidden": "metric"}}
#: Strategies that find one model of all devices, or train on each device alone: no meta-learning.
_PLAIN: Final = {"fedavg": "FedAvg", SCRATCH: "plain fine-tuning from random weights"}
_META: Final = ("tinyreptile", "protoreptile")


def task_settings(found: Found, shots: int | None = None) -> Mapping[str, Mapping[str, Value]]:
    """The sections of a task's file. shots: of a new device, if the search was told."""
    if found.is_short:  # they stand in the file, or are what it is silent of
        return {"defaults": {"shots": shots}} if shots is not None else {}
    trial = found.best
    candidate = trial.candidate
    defaults: dict[str, Value] = {"strategy": candidate.strategy}
    if candidate.trains:
        defaults |= {"learning_rate": candidate.learning_rate, "training_passes": candidate.passes}
        defaults["rounds"] = trial.rounds
    elif candidate.enrols:
        defaults["rounds"] = 1  # there is nothing to train
    if (round_of := _round_of(found)) is not None:
        defaults |= {"training_ways": round_of[0], "training_shots": round_of[1]}
    if candidate.temperature:
        defaults["temperature"] = candidate.temperature
    if candidate.has_prototypes and candidate.trains:
        defaults |= {"episode_queries": candidate.queries, "adapt_by_steps": int(candidate.by_steps)}
    if candidate.enrols:
        defaults["refine_passes"] = trial.adaptation.passes
    if not candidate.enrols:
        defaults["passes"] = trial.adaptation.passes
    if trial.adaptation.passes:
        defaults["adapt_learning_rate"] = _rounded(trial.adaptation.learning_rate)
    if shots is not None:
        defaults["shots"] = shots
    network = _NETWORKS[candidate.variant]
    return {"defaults": defaults} | ({"network": network} if network else {})


def run_settings(model: str, found: Found, shots: int | None = None) -> Mapping[str, Mapping[str, Value]]:
    """The sections of a run's file. shots: of a new device, if the search was told."""
    trial = found.best
    best, candidate = trial.adaptation, trial.candidate
    strategy: dict[str, Value] = {"name": candidate.strategy}
    sections: dict[str, Mapping[str, Value]] = {"model": {"name": candidate.variant + model}, "strategy": strategy}
    client: dict[str, Value] = {}
    if candidate.trains:
        sections["run"] = {"rounds": found.rounds if found.is_short else trial.rounds}
        client = {"learning_rate": candidate.learning_rate, "passes": candidate.passes}
    evaluation = _adaptation(found)
    if shots is not None:
        evaluation["shots"] = shots
    if (round_of := _round_of(found)) is not None:
        client |= {"ways": round_of[0], "shots": round_of[1]}
        evaluation["ways"] = found.ways
    if candidate.has_prototypes:
        refine_passes = best.passes if candidate.enrols and not found.is_short else 0
        options: dict[str, float] = {"temperature": candidate.temperature, "refine_passes": refine_passes}
        options = {name: value for name, value in options.items() if value}
        more = {"episode_queries": candidate.queries, "adapt_by_steps": int(candidate.by_steps)}
        strategy["options"] = options | (more if candidate.trains else {})
    return {
        name: values for name, values in (sections | {"client": client, "evaluation": evaluation}).items() if values
    }


def _adaptation(found: Found) -> dict[str, Value]:
    """Rate and passes of a new device in a run's file; nothing where the start was cut short."""
    best = found.best.adaptation
    if found.is_short:
        return {}
    told: dict[str, Value] = {"learning_rate": _rounded(best.learning_rate)} if best.passes else {}
    return told if found.best.candidate.enrols else told | {"passes": best.passes}


def _round_of(found: Found) -> tuple[int, int] | None:
    """Classes and samples of a round of training with prototypes; None of other candidates."""
    candidate = found.best.candidate
    if not candidate.has_prototypes or not candidate.trains:
        return None
    if candidate.own:
        return found.own
    return found.wide if candidate.wide else found.narrow


def sentence(trial: Trial, metric: str) -> str:
    """One trial in a line."""
    passes, rate = trial.adaptation.passes, trial.adaptation.learning_rate
    adaptation = f"{counted(passes, 'pass', 'passes')} at {rate:.3g} to adapt" if passes else "enrolment alone"
    rounds = f", {trial.rounds} rounds" if trial.candidate.trains else ""
    return f"{trial.candidate}{rounds}; {adaptation}: {metric} {_figure(trial)}"


def advice(found: Found) -> Iterator[str]:
    """What the user should know of the result."""
    best, simple, meta = found.best, found.best_simple, found.best_of(*_META)
    for strategy, name in _PLAIN.items():
        other = found.best_of(strategy)
        if other is None or meta is None or other.adaptation.score < meta.adaptation.score:
            continue
        if found.is_clear(other, meta):
            yield f"{name} is the better choice here{_by(found, other, meta)}"
        else:
            yield f"{name} is as good here{_by(found, other, meta)}: meta-learning gains nothing that could be measured"
    if simple and simple.score.mean > best.score.mean:
        clearly = "clearly " if found.is_clear(simple, best) else ""
        yield f"{simple.name} is {clearly}better than what is recommended{_by(found, simple, best)}"
    if found.has_one_device:
        yield f"all validation tasks are of device {found.devices[0]!r}: more training devices would make them surer"
    if found.is_short:
        tried = f"the task's own settings were the best with {found.best.rounds} of their {found.rounds} rounds"
        yield f"{tried}, and stay as they are: --minutes gives the search more"
    if found.out_of_time:
        yield "the time was over before all was tried: --minutes gives it more"


def as_json(found: Found) -> dict[str, Any]:
    """All that was tried, as JSON values."""
    return {
        "metric": found.metric,
        "best": _trial(found.best),
        "trials": [_trial(trial) for trial in found.trials],
        "simple": [
            {"name": one.name, "mean": one.score.mean, "ci95": one.score.ci95, "scores": list(one.scores)}
            for one in found.simple
        ],
        "out_of_time": found.out_of_time,
        "advice": list(advice(found)),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    finite = math.isfinite(trial.score.mean)
    return {
        "strategy": trial.candidate.strategy,
        "network": trial.candidate.variant.removesuffix(":") or "own",
        "learning_rate": trial.candidate.learning_rate,
        "passes": trial.candidate.passes,
        "temperature": trial.candidate.temperature,
        "wide": trial.candidate.wide,
        "episode_queries": trial.candidate.queries,
        "adapt_by_steps": trial.candidate.by_steps,
        "own_settings": trial.candidate.own,
        "rounds": trial.rounds,
        "adapt_learning_rate": trial.adaptation.learning_rate,
        "adapt_passes": trial.adaptation.passes,
        "mean": trial.score.mean if finite else None,
        "ci95": trial.score.ci95 if finite else None,
        "scores": list(trial.scores) if finite else [],
        "seconds": trial.seconds,
    }


def _by(found: Found, one: Trial | Simple, other: Trial | Simple) -> str:
    """How much more one scores, in words."""
    gap, name = found.gap(one, other), other.name if isinstance(other, Simple) else str(other.candidate)
    if found.metric != "accuracy":
        return f" ({found.metric} {gap.mean:+.4f} ± {gap.ci95:.4f} to {name})"
    return f" ({100 * gap.mean:+.1f} ± {100 * gap.ci95:.1f} points to {name})"


def _figure(trial: Trial) -> str:
    return f"{trial.score.mean:.4f} ± {trial.score.ci95:.4f}" if math.isfinite(trial.score.mean) else "diverged"


def _rounded(rate: float) -> float:
    return float(f"{rate:.3g}")
