"""The run file of a deployment (S8.5). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaragua.deploy.plan import Plan
from jaragua.models import model_named
from jaragua.store.files import to_toml


def run_file(
    model: str, plan: Plan, where: str, graph: str, given: Mapping[str, Any], changes: Mapping[str, Any]
) -> str:
    """The text of the file.

    model: a name, or the absolute path of a file. given: values of [run] and [broker] by `section.key`; changes: those
    of `--set`, which take the place of all others.
    """
    count = len(plan.chosen)
    clients = model_named(model).defaults_of(changes.get("strategy.name")).clients
    values = {
        **{key: value for key, value in given.items() if key.startswith("run.")},
        "model.name": model,
        "strategy.clients_per_round": min(count, clients),
        **{key: value for key, value in given.items() if key.startswith("broker.")},
        "devices.minimum": count,
        "devices.match": where or "trains",
        "devices.graph": graph,
        **changes,
    }
    return _text(values)


def settings_text(model: str, changes: Mapping[str, Any]) -> str:
    """The settings of a run whose devices are not known yet. model, changes: as `run_file`."""
    return _text({"model.name": model, **changes})


def _text(values: Mapping[str, Any]) -> str:
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    return to_toml(sections)
