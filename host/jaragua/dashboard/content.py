"""What the dashboard shows at one moment, as plain values. Pure: from a view of the broker, a run's folder, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from statistics import fmean
from typing import Any, Final, TypeAlias

from jaragua.bases.value import Value
from jaragua.dashboard.learning import Learning
from jaragua.observe.fleet_view import DeviceView, FleetView
from jaragua.observe.observer import ago
from jaragua.report.details import METRIC, RunDetails
from jaragua.report.page.charts import Line, thinned
from jaragua.report.page.held_out import per_device
from jaragua.report.page.values import UNKNOWN, count, figure, number, sequence, table, text
from jaragua.report.page.view import curve_of, not_counted
from jaragua.wire.wear import wear_of

_NOTHING: Final = "-"
_MOST_NAMED: Final = 8
_MOST_ROUNDS_LISTED: Final = 200
#: Counters of a link (L3.5) that tell a bad cable.
_HEALTH: Final = (("retransmits", "sent again"), ("bad_crc", "damaged"), ("naks", "NAKs"), ("rtt_ms", "ms"))


Columns: TypeAlias = tuple[tuple[str, str, bool], ...]
DEVICE_COLUMNS: Final[Columns] = (
    ("device", "Device", False), ("kind", "Kind", False), ("node", "Node", False), ("state", "State", False),
    ("seen", "Last seen", False), ("link", "Link", False), ("memory", "Memory", False), ("progress", "Progress", False),
    ("updates", "Updates", True), ("reason", "What it says", False),
)  # fmt: skip
ADAPTATION_COLUMNS: Final[Columns] = (
    ("device", "Device", False), ("tasks", "Tasks", True), ("before", "Before", True), ("after", "After", True),
)  # fmt: skip
ROUND_COLUMNS: Final[Columns] = (
    ("round", "Round", True), ("loss", "Loss", True), ("score", "Score", True), ("updates", "Updates", True),
    ("up", "Bytes up", True),
)  # fmt: skip
REFUSED_COLUMNS: Final[Columns] = (
    ("round", "Round", True), ("device", "Device", False), ("result", "Result", False), ("reason", "Reason", False),
)  # fmt: skip
CLASS_COLUMNS: Final[Columns] = (
    ("place", "Output", True),
    ("name", "Class", False),
    ("recall", "Recall after adaptation", True),
    ("prototypes", "Enrolled by (samples)", False),
)
LEARNING_COLUMNS: Final[Columns] = (
    ("device", "Device", False), ("what", "What it is", False), ("memory", "Free for a network", False),
    ("sensors", "Sensors", False), ("can", "Can train", False), ("cannot", "Cannot train, and why", False),
)  # fmt: skip
DESCRIPTION_COLUMNS: Final[Columns] = (
    ("source", "Source", False), ("reasons", "Why it is refused", False), ("count", "Times", True),
)  # fmt: skip


class Grid(Value):
    """A table of texts. columns: key, heading, whether it is of numbers; the first is the name of a row."""

    columns: Columns
    rows: tuple[tuple[str, ...], ...] = ()
    empty: str = ""
    """What is said in place of rows."""


class Snapshot(Value):
    """One moment. status: one sentence, which is read aloud when it changes."""

    status: str
    notes: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    metric: str = ""
    loss: Line = field(default_factory=lambda: Line("loss", (), ()))
    score: Line = field(default_factory=lambda: Line("score", (), ()))
    devices: Grid = field(default_factory=lambda: Grid(DEVICE_COLUMNS))
    adaptation: Grid = field(default_factory=lambda: Grid(ADAPTATION_COLUMNS))
    rounds: Grid = field(default_factory=lambda: Grid(ROUND_COLUMNS))
    refused: Grid = field(default_factory=lambda: Grid(REFUSED_COLUMNS))
    classes: Grid = field(default_factory=lambda: Grid(CLASS_COLUMNS))
    learning: Grid = field(default_factory=lambda: Grid(LEARNING_COLUMNS))
    descriptions: Grid = field(default_factory=lambda: Grid(DESCRIPTION_COLUMNS))


def snapshot(
    view: FleetView | None,
    details: RunDetails | None,
    at_ms: int,
    *,
    connected: bool,
    graph: Learning | None = None,
    graph_problem: str = "",
) -> Snapshot:
    """The moment. at_ms: Unix milliseconds. connected: whether the broker is there, if there is a view.

    graph: what the knowledge graph says, None if none is read; graph_problem: why it cannot be read now.
    """
    rounds = _rounds(view, details)
    held = table(details.held_out if details else {})
    metric = _metric(view, rounds, held)
    return Snapshot(
        status=_status(view, details, rounds, connected=connected),
        notes=tuple(_notes(view, details)),
        figures=tuple(_figures(view, details, rounds, metric)),
        metric=metric,
        loss=thinned(curve_of(rounds, "loss")),
        score=thinned(curve_of(rounds, "score")),
        devices=_devices(view, rounds, at_ms),
        adaptation=_adaptation(view, held, metric),
        rounds=_rounds_listed(rounds, metric),
        refused=_refused(view, rounds),
        classes=_classes(view, details, held),
        learning=_learning(graph, graph_problem),
        descriptions=_descriptions(graph),
    )


def _rounds(view: FleetView | None, details: RunDetails | None) -> list[Mapping[str, Any]]:
    """Of the folder, which has all; then those that only the broker tells yet, if it is the same run."""
    known = [one for one in details.rounds if number(one.get("round")) is not None] if details else []
    if view is None or (details is not None and not _same_run(view, details)):
        return list(known)
    last = number(known[-1].get("round")) if known else None
    return [*known, *(one for place, one in sorted(view.rounds.items()) if last is None or place > last)]


def _same_run(view: FleetView, details: RunDetails) -> bool:
    return view.run is not None and view.run.run == details.summary.get("run")


def _metric(view: FleetView | None, rounds: Sequence[Mapping[str, Any]], held: Mapping[str, Any]) -> str:
    last = rounds[-1].get(METRIC) if rounds else ""
    return text(held.get(METRIC) or last or (view.metric if view else ""))


def _status(
    view: FleetView | None, details: RunDetails | None, rounds: Sequence[Mapping[str, Any]], *, connected: bool
) -> str:
    if view is not None and not connected:
        return "The broker is away; trying again."
    if view is not None and view.run is not None:
        run = view.run
        if run.phase == "training":
            return f"{text(run.run)}: round {run.round} of {run.rounds} is open."
        return f"{text(run.run)}: {run.phase} after {len(rounds) or run.round} of {run.rounds} rounds."
    if details is not None:
        one = details.summary
        done = f"{count(one.get('rounds_done'))} of {count(one.get('rounds'))} rounds"
        return f"{text(one.get('run'))}: {text(one.get('status'))}, {done}."
    return "No run is announced on the broker."


def _notes(view: FleetView | None, details: RunDetails | None) -> list[str]:
    found = []
    if view is not None and details is not None and view.run is not None and not _same_run(view, details):
        found.append(
            f"The folder is of the run {text(details.summary.get('run'))}; the fleet is at {text(view.run.run)}."
        )
    if view is not None and view.coordinator is not None and not view.coordinator.online:
        found.append("No coordinator serves the fleet.")
    if view is not None and (rejected := view.rejections.counts()):
        listed = ", ".join(f"{reason} ({times})" for reason, times in rejected.items())
        found.append(f"Messages that were not used here: {listed}.")
    return found


def _figures(
    view: FleetView | None, details: RunDetails | None, rounds: Sequence[Mapping[str, Any]], metric: str
) -> list[tuple[str, str]]:
    found = []
    if view is not None:
        present = sum(one.state in ("ready", "training") for one in view.devices.values())
        found.append(("devices present", f"{present} of {len(view.devices)}"))
    last = rounds[-1] if rounds else {}
    found += [("rounds with updates", count(len(rounds))), ("loss, last round", figure(last.get("loss")))]
    if metric and "score" in last:
        found.append((f"{metric}, last round", figure(last.get("score"), metric)))
    if details is not None:
        found += [("bytes up", count(details.summary.get("bytes_up")))]
        found += [("bytes down", count(details.summary.get("bytes_down")))]
    return found


# ---- tables ----


def _devices(view: FleetView | None, rounds: Sequence[Mapping[str, Any]], at_ms: int) -> Grid:
    if view is None:
        return _devices_of_folder(rounds)
    counted = {name: updates for name, (_, updates) in _trained(rounds).items()}
    lines = tuple(
        _device_line(name, one, max(one.updates, counted.get(name, 0)), at_ms)
        for name, one in sorted(view.devices.items())
    )
    return Grid(DEVICE_COLUMNS, lines, "No device has said anything yet.")


def _trained(rounds: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    """Kind and number of updates of each device of these rounds."""
    seen: dict[str, tuple[str, int]] = {}
    for one in rounds:
        for device, figures in table(one.get("devices")).items():
            kind, updates = seen.get(text(device), ("", 0))
            seen[text(device)] = (text(table(figures).get("kind") or kind or UNKNOWN), updates + 1)
    return seen


def _devices_of_folder(rounds: Sequence[Mapping[str, Any]]) -> Grid:
    rest = (_NOTHING,) * 6
    lines = tuple((name, kind, *rest, str(updates), "") for name, (kind, updates) in sorted(_trained(rounds).items()))
    return Grid(DEVICE_COLUMNS, lines, "A simulation records no single devices.")


def _device_line(name: str, one: DeviceView, updates: int, at_ms: int) -> tuple[str, ...]:
    return (
        text(name),
        text(one.kind or UNKNOWN) + (f", {one.facts['board']}" if "board" in one.facts else ""),
        text(one.node),
        text(one.state or UNKNOWN),
        ago(one.seen_ms, at_ms),
        _link(one.health),
        _memory(one),
        _progress(one.progress),
        str(updates),
        one.reason,
    )


def _link(health: Mapping[str, int]) -> str:
    found = [f"{count(health[key])} {words}" for key, words in _HEALTH if key in health]
    return ", ".join(found) or _NOTHING


def _memory(one: DeviceView) -> str:
    used, whole = one.facts.get("usedRamBytes"), one.facts.get("ramBytes")
    found = []
    if used:
        found.append(f"{used} B RAM used" + (f" of {whole}" if whole else ""))
    if one.health.get("stack_bytes") and "stack_free_bytes" in one.health:  # a process on a host has none to tell
        found.append(f"{count(one.health['stack_free_bytes'])} B stack free")
    if wear := wear_of(one.health):
        found.append(wear.words)
    return ", ".join(found) or _NOTHING


def _progress(progress: Mapping[str, int | float]) -> str:
    done, samples = progress.get("done"), progress.get("samples")
    return f"{count(done)} of {count(samples)} samples" if done is not None and samples else _NOTHING


def _adaptation(view: FleetView | None, held: Mapping[str, Any], metric: str) -> Grid:
    found = {name: (tasks, before, after) for name, tasks, before, after in per_device(held)}
    for name, one in view.devices.items() if view else ():
        if one.after:
            found[text(name)] = (len(one.after), fmean(one.before), fmean(one.after))
    lines = tuple(
        (name, str(tasks), figure(before, metric), figure(after, metric))
        for name, (tasks, before, after) in sorted(found.items())
    )
    empty = "No device has adapted to held-out tasks: `jaragua evaluate RUN` has them do it."
    return Grid(ADAPTATION_COLUMNS, lines, empty)


def _rounds_listed(rounds: Sequence[Mapping[str, Any]], metric: str) -> Grid:
    lines = tuple(
        (
            count(one.get("round")),
            figure(one.get("loss")),
            figure(one.get("score"), metric) if "score" in one else _NOTHING,
            count(one.get("updates", len(table(one.get("devices"))))),
            count(one.get("bytes_up")),
        )
        for one in reversed(rounds[-_MOST_ROUNDS_LISTED:])
    )
    return Grid(ROUND_COLUMNS, lines, "No round has updates yet.")


def _refused(view: FleetView | None, rounds: Sequence[Mapping[str, Any]]) -> Grid:
    found = not_counted(rounds)
    known = {line[:3] for line in found}
    for one in view.refused if view else ():
        line = (str(one.round), text(one.device), one.result, one.reason)
        if line[:3] not in known:
            found.append(line)
    return Grid(REFUSED_COLUMNS, tuple(found[-_MOST_ROUNDS_LISTED:]), "No update was rejected, late or left out.")


def _learning(graph: Learning | None, problem: str) -> Grid:
    if graph is None:
        return Grid(
            LEARNING_COLUMNS, (), "No graph is read: keep one with `jaragua fleet serve`, and name it: --graph FOLDER."
        )
    return Grid(LEARNING_COLUMNS, graph.devices, problem or "The graph describes no device of this fleet.")


def _descriptions(graph: Learning | None) -> Grid:
    return Grid(DESCRIPTION_COLUMNS, graph.refused if graph else (), "No description is refused.")


def _classes(view: FleetView | None, details: RunDetails | None, held: Mapping[str, Any]) -> Grid:
    names = [text(one) for one in sequence(details.facts.get("classes") if details else ())]
    names = names or list(view.classes if view else ())
    recall = table(table(held.get("comparison")).get("per_class"))
    recall = recall or (view.answers.recall() if view and view.answers else {})
    names = names or [text(one) for one in recall]
    enrolled = {text(name): one.enrolled for name, one in sorted(view.devices.items())} if view else {}
    names = names or sorted({name for one in enrolled.values() for name in one})
    lines = tuple(
        (str(place), name, figure(recall.get(name), "accuracy"), _enrolled_by(name, enrolled))
        for place, name in enumerate(names)
    )
    able = sorted(text(name) for name, one in view.devices.items() if _knows_prototypes(one)) if view else []
    empty = "The classes of this model have no names: each task has its own."
    more = f" Room for prototypes (A12) have: {', '.join(able)}." if able else ""
    return Grid(CLASS_COLUMNS, lines, empty + more)


def _enrolled_by(name: str, enrolled: Mapping[str, Mapping[str, int]]) -> str:
    """The devices whose last held-out task had a prototype of the class, with its samples (M30)."""
    found = [f"{device} ({one[name]})" for device, one in enrolled.items() if one.get(name)]
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more or _NOTHING


def _knows_prototypes(one: DeviceView) -> bool:
    return "prototypes" in one.facts.get("imageOperators", "").split(", ")
