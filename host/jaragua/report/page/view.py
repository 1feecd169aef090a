"""What a report shows of each run, as sections of a page. Pure: from RunDetails alone.

A section whose figures are not there stays, and says why: a reader must not take what is unknown for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jaragua.bases.value import Value
from jaragua.report import privacy
from jaragua.report.details import METRIC, RunDetails
from jaragua.report.page import charts, costs, held_out
from jaragua.report.page.model import Cell, Part, Section, Table, rows
from jaragua.report.page.values import count, figure, number, numbers, sequence, spread, table, text

#: Rounds that the table under a curve lists; of more, evenly chosen ones and the last.
_MOST_ROWS: Final = 40
_MOST_REFUSED: Final = 200
#: The interval of two devices is so wide that nothing else in a chart could be read.
_LEAST_FOR_A_BAND: Final = 3
_SIMULATION_HAS_NO_DEVICES: Final = "A simulation records each round as a whole, not each device of it."


class Energy(Value):
    """What the user measured of a board. nanojoules of an instruction; error: of it, in percent."""

    nanojoules: float
    error_percent: float


def parts_of(runs: Sequence[RunDetails], energy: Energy | None = None) -> list[Part]:
    """The parts of a page: a comparison if there are several runs, then each run. Raises: ToolError."""
    found = [_part(run, number_, energy) for number_, run in enumerate(runs, 1)]
    return [_comparison(runs), *found] if len(runs) > 1 else found


def name_of(run: RunDetails) -> str:
    """What a run is called in headings and charts."""
    return text(run.summary.get("name") or run.summary.get("run") or run.source)


def _part(run: RunDetails, place: int, energy: Energy | None) -> Part:
    prefix = f"run-{place}"
    sections = (
        _curves(run),
        *held_out.sections(run),
        costs.section(run, energy.nanojoules if energy else None, energy.error_percent if energy else 0.0),
        _rejected(run),
        _repeat(run),
        _configuration(run),
    )
    return Part(
        title=name_of(run),
        anchor=prefix,
        lead=_lead(run),
        figures=tuple(_figures(run)),
        sections=tuple(Section(**{**vars(one), "anchor": f"{prefix}-{one.anchor}"}) for one in sections),
    )


def _lead(run: RunDetails) -> str:
    one = run.summary
    what = "Simulation" if run.kind == "simulation" else "Run of a fleet"
    done, wanted = count(one.get("rounds_done")), count(one.get("rounds"))
    how_far = f"{done} rounds" if done == wanted else f"{done} of {wanted} rounds ({text(one.get('status'))})"
    return f"{what}: {text(one.get('strategy'))} on {text(one.get('model'))}, {how_far}, seed {text(one.get('seed'))}."


def _figures(run: RunDetails) -> Iterator[tuple[str, str]]:
    one, held = run.summary, run.held_out
    metric = text(held.get(METRIC) or table(one.get("last_round")).get(METRIC) or "")
    if held.get("after"):
        yield f"{metric} after adaptation", spread(held["after"], metric)
    if held.get("before"):
        yield f"{metric} before adaptation", spread(held["before"], metric)
    loss = table(one.get("last_round")).get("loss") if not run.rounds else run.rounds[-1].get("loss")
    yield "loss of the last round", figure(loss)
    yield "rounds", count(one.get("rounds_done"))
    names = table(one.get("updates"))
    if run.kind == "fleet":
        yield "devices", count(len(names))
    yield "updates", count(sum(numbers(list(names.values()))))
    yield "bytes up", count(one.get("bytes_up"))
    yield "bytes down", count(one.get("bytes_down"))
    if private := privacy.in_words(table(one.get("privacy"))):
        yield "privacy of a device (U11)", private


# ---- curves ----


def _curves(run: RunDetails) -> Section:
    closed = [one for one in run.rounds if number(one.get("round")) is not None]
    if not closed:
        return Section("Learning curves", "curves", ("No round is closed yet.",))
    drawn = [charts.lines(charts.Axis("Loss by round", "round", "loss"), [_loss(closed)])]
    metric = text(closed[-1].get(METRIC) or "")
    scores = _score(closed)
    if scores.x:
        words = charts.Axis(f"{metric} by round", "round", metric, percent=metric == "accuracy")
        drawn.append(charts.lines(words, [scores]))
    many = "The band is the 95 % interval of the mean over the devices of a round (Student), of three or more."
    told = many if run.kind == "fleet" else _SIMULATION_HAS_NO_DEVICES
    text_ = f"Devices measure loss and {metric or 'metric'} on the samples they train on, before each step. {told}"
    return Section("Learning curves", "curves", (text_,), tuple(drawn), (rounds_table(closed, metric),))


def _by_device(one: Mapping[str, Any], what: str) -> list[float]:
    return numbers([table(device).get(what) for device in table(one.get("devices")).values()])


def _loss(closed: Sequence[Mapping[str, Any]]) -> charts.Line:
    return curve_of(closed, "loss")


def _score(closed: Sequence[Mapping[str, Any]]) -> charts.Line:
    return curve_of(closed, "score")


def curve_of(closed: Sequence[Mapping[str, Any]], what: str) -> charts.Line:
    """Of rounds with devices the mean over them and its interval; of others the figure of the round."""
    known = [one for one in closed if number(one.get(what)) is not None]
    groups = [_by_device(one, what) or [number(one.get(what)) or 0.0] for one in known]
    x = [number(one.get("round")) or 0.0 for one in known]
    middle, low, high = charts.banded(groups)
    has_band = any(len(group) >= _LEAST_FOR_A_BAND for group in groups)
    return charts.Line(what, x, middle, low if has_band else (), high if has_band else ())


def rounds_table(closed: Sequence[Mapping[str, Any]], metric: str) -> Table:
    """The rounds, evenly chosen ones of many."""
    step = -(-len(closed) // _MOST_ROWS)
    some = [one for place, one in enumerate(closed) if place % step == 0 or one is closed[-1]]
    headings = [("round", True), ("loss", True)]
    headings += [(metric, True)] if metric else []
    headings += [("updates", True), ("bytes up", True), ("bytes down", True)]
    caption = "Rounds" if step == 1 else f"Rounds: one in {step}, and the last, of {len(closed)}"
    return Table(caption, tuple(headings), rows(*(_round_row(one, metric) for one in some)), folded=True)


def _round_row(one: Mapping[str, Any], metric: str) -> tuple[str, ...]:
    updates = one.get("updates", len(table(one.get("devices"))))
    scored = (figure(one.get("score"), metric),) if metric else ()
    moved = (count(one.get("bytes_up")), count(one.get("bytes_down")))
    return (count(one.get("round")), figure(one.get("loss")), *scored, count(updates), *moved)


# ---- rejected ----


def not_counted(rounds: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Round, device, what became of it and why, of each update that did not count."""
    excluded = [
        (count(one.get("round")), text(device), "left out (R17)", text(reason))
        for one in rounds
        for device, reason in table(one.get("excluded")).items()
    ]
    refused = [
        (count(one.get("round")), text(one.get("device")), text(one.get("result")), text(one.get("reason")))
        for closed in rounds
        for one in map(table, sequence(closed.get("refused")))
    ]
    return [*refused, *excluded]


def _rejected(run: RunDetails) -> Section:
    listed = not_counted(run.rounds)
    counted = table(run.summary.get("rejected"))
    tables = []
    if listed:
        names = (("round", True), ("device", False), ("what became of it", False), ("reason", False))
        more = f"; the first {_MOST_REFUSED} of {len(listed)}" if len(listed) > _MOST_REFUSED else ""
        tables.append(Table(f"Updates that did not count{more}", names, rows(*listed[:_MOST_REFUSED])))
    if counted:
        lines = ((text(reason), count(times)) for reason, times in counted.items())
        tables.append(Table("Rejected messages by reason (P2)", (("reason", False), ("messages", True)), rows(*lines)))
    number_excluded = sum(numbers(list(table(run.summary.get("excluded")).values())))
    told = []
    if not tables and not number_excluded:
        told.append("Every update that came was believed, and no message was rejected.")
    elif number_excluded and run.kind == "simulation":
        told.append(
            f"{count(number_excluded)} updates were left out as implausible (R17). {_SIMULATION_HAS_NO_DEVICES}"
        )
    return Section("Rejected updates", "rejected", tuple(told), (), tuple(tables))


# ---- repeating, configuration ----


def _repeat(run: RunDetails) -> Section:
    verb = "simulate" if run.kind == "simulation" else "run"
    told = [
        "Save the text below as repeat.toml and give the command; the model's hash must be the same.",
        "A fleet ends with it if the same devices take part in the same rounds."
        if run.kind == "fleet"
        else "It does not depend on the number of workers or on interruptions.",
    ]
    facts = (
        ("command", f"jaragua {verb} repeat.toml"),
        ("seed", text(run.summary.get("seed"))),
        ("hash of the model (SHA-256)", text(run.summary.get("model_hash"))),
        ("read from", text(run.source)),
    )
    listed = Table("How to repeat it", (("what", False), ("value", False)), rows(*facts))
    if not run.settings:
        return Section("Repeat it", "repeat", ("The configuration was not recorded.",), (), (listed,))
    return Section("Repeat it", "repeat", tuple(told), (), (listed,), (_toml(run.settings),))


def _toml(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """The configuration as a file; without the broker, which is a matter of the place, and the folder."""
    import json

    def value(one: object) -> str:
        if isinstance(one, Mapping):
            return "{" + ", ".join(f"{json.dumps(str(key))} = {value(inner)}" for key, inner in one.items()) + "}"
        return json.dumps(one, ensure_ascii=False)

    parts = []
    for name, section in settings.items():
        kept = {key: one for key, one in table(section).items() if (name, key) != ("run", "directory")}
        if name != "broker" and kept:
            parts.append("\n".join([f"[{name}]", *(f"{key} = {value(one)}" for key, one in kept.items())]))
    return "\n\n".join(parts)


def _configuration(run: RunDetails) -> Section:
    lines = [
        (text(section), text(key), text(value))
        for section, found in run.settings.items()
        for key, value in table(found).items()
    ]
    tables = [Table("Settings", (("section", False), ("key", False), ("value", False)), rows(*lines), folded=True)]
    versions = [table(one) for one in sequence(run.facts.get("versions"))]
    names = [key for key in (versions[-1] if versions else {}) if key != "after_round"]
    if versions:
        headings = (("from round", True), *((text(name), False) for name in names))
        body = (
            (count((number(one.get("after_round")) or 0) + 1), *(text(one.get(name)) for name in names))
            for one in versions
        )
        tables.insert(0, Table("Versions", headings, rows(*body)))
    tables += _chosen(run)
    told = () if versions else ("The folder is of a version that did not record the versions it was made with.",)
    return Section("Configuration and versions", "configuration", told, (), tuple(tables))


def _chosen(run: RunDetails) -> list[Table]:
    """Devices that the graph picked, and the descriptions that a person finds in it again by their SHA-256 (S7.4)."""
    if not run.chosen:
        return []
    headings = (("device", False), ("node", False), ("build", False), ("description (SHA-256)", False))
    lines = (
        (text(device), *(text(table(one).get(key)) for key in ("node", "build", "description")))
        for device, one in sorted(run.chosen.items())
    )
    return [Table("Devices that the graph picked", headings, rows(*lines))]


# ---- comparison ----


def _comparison(runs: Sequence[RunDetails]) -> Part:
    names = _unique([name_of(run) for run in runs])
    headings = (
        ("run", False), ("strategy", False), ("model", False), ("rounds", True), ("seed", True),
        ("before adaptation", True), ("after adaptation", True), ("bytes up", True), ("model's hash", False),
    )  # fmt: skip
    lines = [_compared(name, run) for name, run in zip(names, runs, strict=True)]
    metrics = {text(run.held_out.get(METRIC)) for run in runs if run.held_out.get("after")}
    drawn = [_losses(names, runs)]
    told = ["Intervals are 95 % intervals over held-out tasks."]
    if len(metrics) == 1:
        drawn.append(_afters(names, runs, metrics.pop()))
    elif metrics:
        told.append(f"The runs have different metrics ({', '.join(sorted(metrics))}), which no chart compares.")
    told += held_out.paired(names, runs)
    section = Section(
        "Side by side", "comparison-table", tuple(told), tuple(drawn), (Table("Runs", headings, rows(*lines)),)
    )
    return Part("Comparison", "comparison", f"{len(runs)} runs.", (), (section,))


def _unique(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]


def _compared(name: str, run: RunDetails) -> tuple[str | Cell, ...]:
    one, held = run.summary, run.held_out
    metric = text(held.get(METRIC) or "")
    return (
        name, text(one.get("strategy")), text(one.get("model")), count(one.get("rounds_done")), text(one.get("seed")),
        spread(held.get("before"), metric), spread(held.get("after"), metric), count(one.get("bytes_up")),
        text(one.get("model_hash"))[:12],
    )  # fmt: skip


def _losses(names: Sequence[str], runs: Sequence[RunDetails]) -> Any:
    curves = [
        charts.Line(name, found.x, found.y)
        for name, run in zip(names, runs, strict=True)
        if (found := _loss([one for one in run.rounds if number(one.get("round")) is not None])).x
    ]
    return charts.lines(charts.Axis("Loss by round", "round", "loss"), curves)


def _afters(names: Sequence[str], runs: Sequence[RunDetails], metric: str) -> Any:
    found = [
        charts.Bar(name, (number(before.get("mean")), number(after.get("mean"))), (_half(before), _half(after)))
        for name, run in zip(names, runs, strict=True)
        for before, after in [(table(run.held_out.get("before")), table(run.held_out.get("after")))]
        if after
    ]
    axis = charts.Axis(f"{metric} of new devices", metric, "", percent=metric == "accuracy")
    return charts.bars(axis, ("before adaptation", "after adaptation"), found)


def _half(means: Mapping[str, Any]) -> float:
    return number(means.get("ci95")) or 0.0
