"""Read a run's TOML: defaults of the model filled in, and every problem reported at once with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jaragua import strategies
from jaragua.config.problems import Problem, cross_problems, fleet_problems, from_pydantic, unknown_sections
from jaragua.config.schema import validated
from jaragua.config.strategy import strategy_problems
from jaragua.errors import ConfigurationError, DataError, ModelError
from jaragua.models import absolute, is_file, model_named, properties_of
from jaragua.settings import SECTIONS, RunConfig, all_keys
from jaragua.strategies import registry
from jaragua_models import ChecksDevices, Defaults, HasOwners, Model
from jaragua_models import ModelError as ModelsError

Document = dict[str, Any]


Changes = Mapping[str, Any]
"""Values by `section.key` that take the place of the file's."""


def for_simulation(path: Path | None, changes: Changes, source: str) -> RunConfig:
    """What is to be simulated: a run's file with changes, or the changes alone, which name a model then.

    source: where the changes come from, for messages. Raises: ConfigurationError; ModelError, DataError for the model.
    """
    if path is not None:
        return load(path, changes, fleet=False, source=source)
    model_named(changes["model.name"])  # what is wrong with it is not wrong with a file
    return parse("", Path("simulation"), changes, fleet=False, source=source)


def load(path: Path, changes: Changes | None = None, *, fleet: bool = True, source: str = "--set") -> RunConfig:
    """The configuration in a file. Arguments and errors as in `parse`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"cannot read the configuration {path}: {reason}", "check the path") from error
    return parse(text, path, changes, fleet=fleet, source=source)


def parse(
    text: str, path: Path, changes: Changes | None = None, *, fleet: bool = True, source: str = "--set"
) -> RunConfig:
    """The configuration in `text`, every default filled in.

    path: gives the default name, the base of relative folders, and the messages. changes: values that take the place
    of the text's, by `section.key`. fleet: a fleet is to run it, which can do less than a simulation. source: what
    gave the changes, for messages.
    Raises: ConfigurationError that lists every problem.
    """
    changed = changes or {}
    document = _with_model_placed(_changed(_toml(text, path), changed), path)
    problems = unknown_sections(document)
    model, model_problems = _known_model(document)
    problems += model_problems + _strategy_problems(document)
    filled = _with_defaults(document, model, path)
    problems += cross_problems(filled) + _way_problems(document, filled) + (fleet_problems(filled) if fleet else [])
    config: RunConfig | None = None
    try:
        config = validated(filled)
    except ValidationError as error:
        problems += from_pydantic(error, defaults_known=model is not None)
    if config is not None and not problems:
        problems = strategy_problems(config, fleet=fleet)
    if problems or config is None:
        raise _configuration_error(problems, text, path, changed, source)
    return config


def _changed(document: Document, changes: Changes) -> Document:
    """The document with some values changed; a section that is no table is left for the checks to refuse."""
    for path, value in changes.items():
        document = _placed(document, path.split("."), value)
    return document


def _placed(table: Document, place: Sequence[str], value: Any) -> Document:
    first, *rest = place
    if not rest:
        return table | {first: value}
    inner = table.get(first, {})
    return table | {first: _placed(inner, rest, value)} if isinstance(inner, dict) else table


def _toml(text: str, path: Path) -> Document:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}", "mend the line that is named") from error


def _with_model_placed(document: Document, path: Path) -> Document:
    """A model's own TOML file, which is relative to this one, made absolute: a run is found again from anywhere."""
    model = document.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("name"), str) or not is_file(model["name"]):
        return document
    return document | {"model": model | {"name": absolute(model["name"], path.absolute().parent)}}


def _model_of(document: Document) -> Model | None:
    """Raises: ModelError, DataError."""
    model = document.get("model")
    name = model.get("name") if isinstance(model, dict) else None
    return model_named(name) if isinstance(name, str) else None


def _known_model(document: Document) -> tuple[Model | None, list[Problem]]:
    try:
        return _model_of(document), []
    except (ModelError, DataError) as error:
        name = document["model"]["name"]
        message = error.message if is_file(name) else f"there is no model '{name}'"
        return None, [Problem(("model", "name"), message, error.hint)]


def _way_problems(document: Document, filled: Document) -> list[Problem]:
    """A task of more classes than the network can tell apart."""
    try:
        model = _model_of(document)
    except (ModelError, DataError):
        return []
    if model is None or not model.network.classifier:
        return []
    return list(_too_many_ways(filled, model))


def _too_many_ways(filled: Document, model: Model) -> Iterator[Problem]:
    """Where a class needs an output, of rounds and of new devices: prototypes need none (A12)."""
    asked = filled["strategy"] if isinstance(filled["strategy"], dict) else {}
    strategy, options = _class_of(asked.get("name")), asked.get("options", {})
    needs_none = {"client": strategy.PROTOTYPES, "evaluation": isinstance(options, dict) and strategy.enrols(options)}
    outputs = model.network.outputs
    for section, without in needs_none.items():
        found = filled[section]
        ways = found.get("ways") if isinstance(found, dict) else None
        if isinstance(ways, int) and ways > outputs and not without:
            message = f"{ways} is more than the {outputs} classes that '{model.name}' can tell apart"
            yield Problem((section, "ways"), message, f"at most {outputs}, or a model with more outputs")
            return  # a new device has as many as a round unless the file says otherwise


def _strategy_problems(document: Document) -> list[Problem]:
    strategy = document.get("strategy")
    name = strategy.get("name") if isinstance(strategy, dict) else None
    if not isinstance(name, str) or ":" in name or registry.canonical(name) in registry.REGISTRY:
        return []
    return [Problem(("strategy", "name"), f"there is no strategy '{name}'", registry.suggestion(name))]


def _with_defaults(document: Document, model: Model | None, path: Path) -> Document:
    """Every section present, and what depends on the model or on another key filled in."""
    filled = {name: document.get(name, {}) for name in SECTIONS}
    if not all(isinstance(table, dict) for table in filled.values()):
        return filled
    filled = {name: dict(table) for name, table in filled.items()}
    if model is not None:
        defaults = model.defaults_of(_named_strategy(filled))
        filled["simulation"].setdefault("engine", model.network.weights)
        _fill_from_model(filled, defaults)
        _fill_shots(filled, model, defaults)
        _fill_devices(filled, model, defaults)
    filled["run"].setdefault("name", _name_of(path))
    _fill_from_strategy(filled, model)
    _fill_from_clients(filled)
    _place(filled["run"], path)
    _place_files(filled, path)
    return filled


def _named_strategy(filled: Document) -> str | None:
    """The strategy that somebody named; None if nobody did."""
    name = filled["strategy"].get("name")
    return registry.canonical(name) if isinstance(name, str) else None


def _fill_from_model(filled: Document, defaults: Defaults) -> None:
    filled["run"].setdefault("rounds", defaults.rounds)
    filled["strategy"].setdefault("clients_per_round", defaults.clients)
    filled["strategy"].setdefault("alpha", defaults.alpha)
    if defaults.adapt_learning_rate and "learning_rate" not in filled["client"]:
        filled["evaluation"].setdefault("learning_rate", defaults.adapt_learning_rate)
    if defaults.training_ways and "ways" not in filled["client"]:
        filled["client"]["ways"] = defaults.training_ways
        filled["evaluation"].setdefault("ways", defaults.ways)
    for key in ("learning_rate", "ways"):
        filled["client"].setdefault(key, getattr(defaults, key))
    filled["strategy"].setdefault("name", defaults.strategy)
    if defaults.error_clip and filled["simulation"]["engine"] != "float32":  # which has none
        filled["client"].setdefault("error_clip", defaults.error_clip)
    for key in ("shots", "queries", "passes"):
        filled["evaluation"].setdefault(key, getattr(defaults, key))


def _fill_devices(filled: Document, model: Model, own: Defaults) -> None:
    """Of one's own data all training devices take turns, and not only as many as train in a round."""
    clients = filled["strategy"]["clients_per_round"]
    if not isinstance(clients, int):
        return
    if is_file(filled["model"]["name"]) and isinstance(model.tasks, HasOwners):
        filled["simulation"].setdefault("devices", max(clients, own.devices, model.tasks.owners()))
    if own.devices:
        filled["simulation"].setdefault("devices", max(clients, own.devices))


def _fill_shots(filled: Document, model: Model, defaults: Defaults) -> None:
    """Devices train with as many samples as new devices adapt to, or with what the model needs if that is more.

    A new device with one sample of each class gains most from a start that was trained with several. Of one's own data
    they are only as many as each training device has.
    """
    held_out, own = filled["evaluation"]["shots"], defaults.shots_of_a_round
    if "shots" in filled["client"]:
        return
    if not isinstance(held_out, int):
        filled["client"]["shots"] = 1
        return
    counts = range(max(held_out, own), held_out, -1)
    ways = filled["client"]["ways"]
    enough = (shots for shots in counts if not is_file(filled["model"]["name"]) or _all_have(model, ways, shots))
    filled["client"]["shots"] = next(enough, held_out)


def _all_have(model: Model, ways: object, shots: int) -> bool:
    """Whether each training device has so many samples of so many classes."""
    tasks = model.tasks
    if not (isinstance(tasks, HasOwners) and isinstance(tasks, ChecksDevices) and isinstance(ways, int)):
        return True
    try:
        names = tuple(f"device-{number}" for number in range(1, tasks.owners() + 1))
        tasks.check_devices(names, ways, shots)
    except ModelsError:
        return False
    return True


def _fill_from_strategy(filled: Document, model: Model | None) -> None:
    """How often and in what batches a device goes through its samples; of an unknown strategy: once, one by one.

    Some models learn nothing from one pass a round (tasks.md): theirs is the least. And the strategy's options.
    """
    name = filled["strategy"].get("name", "tinyreptile")
    if isinstance(name, str):
        filled["strategy"]["name"] = registry.canonical(name)
    strategy = _class_of(name)
    own = model.defaults_of(filled["strategy"].get("name")).training_passes if model else 1
    filled["client"].setdefault("passes", max(strategy.PASSES, own))
    filled["client"].setdefault("batch", strategy.BATCH)
    options = filled["strategy"].get("options", {})
    if isinstance(options, dict) and model is not None:
        filled["strategy"]["options"] = registry.options_of(strategy, properties_of(model)) | options


def _class_of(name: Any) -> type[strategies.Strategy]:
    """Of one that cannot be found the base: what is wrong with the name is said with all other problems."""
    try:
        return registry.find(name) if isinstance(name, str) else strategies.Strategy
    except ConfigurationError:
        return strategies.Strategy


def _fill_from_clients(filled: Document) -> None:
    """Wait for K devices and close a round with K updates, unless the file says otherwise.

    A new device adapts at the rate of training, to as many classes.
    """
    for key in ("learning_rate", "ways"):
        if key in filled["client"]:
            filled["evaluation"].setdefault(key, filled["client"][key])
    clients = filled["strategy"].get("clients_per_round")
    if not isinstance(clients, int):
        return
    filled["simulation"].setdefault("devices", clients)
    minimum = filled["devices"].setdefault("minimum", clients)
    filled["round"].setdefault("quorum", min(clients, minimum) if isinstance(minimum, int) else clients)


def _name_of(path: Path) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", path.stem.lower()).strip("-")[:23] or "run"


def _place(run: Document, path: Path) -> None:
    """Make the folder absolute: a run must be found again from wherever it is resumed."""
    run.setdefault("directory", f"runs/{run['name']}")
    if isinstance(run["directory"], str):
        run["directory"] = str((path.absolute().parent / run["directory"]).resolve())


def _place_files(filled: Document, path: Path) -> None:
    """Files that the run file names are beside it, wherever the command is given."""
    for key in all_keys():
        section, name = key.path.split(".")
        value = filled[section].get(name)
        if key.setting.is_path and isinstance(value, str) and value:
            filled[section][name] = str((path.absolute().parent / value).resolve())


def _configuration_error(
    problems: list[Problem], text: str, path: Path, changes: Changes, source: str
) -> ConfigurationError:
    lines = _lines_of_keys(text)
    described = sorted((_line(problem.place, lines), problem) for problem in dict.fromkeys(problems))
    listing = [
        f"  {source if _is_changed(problem.place, changes) else f'{path.name}:{line}:'} {problem.sentence}"
        for line, problem in described
    ]
    count = f"{len(listing)} problems" if len(listing) > 1 else "1 problem"
    hint = "correct them all and start again; docs/reference/configuration.md lists every key"
    return ConfigurationError("\n".join([f"{count} in the configuration {path}:", *listing]), hint)


def _is_changed(place: tuple[str, ...], changes: Changes) -> bool:
    """Whether a key, or a whole section, is not the file's."""
    return any(path.split(".")[: len(place)] == list(place) for path in changes)


def _line(place: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> int:
    """The line of a key, else of its section, else of the first line."""
    return lines.get(place) or lines.get(place[:2]) or lines.get(place[:1]) or 1


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Where each section and each key of a section stands (tables and plain keys, which is all this file has)."""
    lines: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            section = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            lines.setdefault(section, number)
        elif key := re.match(r"\s*([A-Za-z0-9_\-.\"']+)\s*=", line):
            place = (*section, *(part.strip("\"'") for part in key[1].split(".")))
            lines.setdefault(place, number)
            lines.setdefault(place[:1], number)
    return lines
