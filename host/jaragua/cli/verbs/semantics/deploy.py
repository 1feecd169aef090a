"""`jaragua deploy`: from a model and conditions to a run on the boards that can train it (semantics.md, S8)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import completions, output
from jaragua.cli.broker_options import BrokerOptions
from jaragua.cli.options import changes, from_fields
from jaragua.cli.verbs import run as run_verb
from jaragua.cli.verbs.semantics import graph_folder
from jaragua.errors import Interrupted, RunError, UsageError

if TYPE_CHECKING:
    from jaragua.coordinator.selection import ImageRoom
    from jaragua.deploy.plan import Chosen, Excluded, Plan
    from jaragua.directory.service import Directory
    from jaragua.node.connection.url import BrokerUrl
    from jaragua.semantics.graph.store import GraphStore
    from jaragua.semantics.matching.conditions import Constraint

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class DeployOptions(BrokerOptions):
    """The options of `jaragua deploy`."""

    model: Annotated[str, typer.Argument(help="Model of the zoo, or a TOML file.", autocompletion=completions.models)]
    where: Annotated[
        str, typer.Option(help="Conditions: 'sensor = accelerometer and trains' (semantics.md, S5.8).")
    ] = ""
    fleet: Annotated[str | None, typer.Option(help="Name of the fleet; default: the identity's, or home.")] = None
    graph: Annotated[Path | None, typer.Option(help=graph_folder.HELP)] = None
    file: Annotated[Path | None, typer.Option(help="Run file to write; default: deploy-MODEL.toml.")] = None
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value of the run file; once per key.")
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and the run file; build, flash and start nothing.")
    ] = False
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(DeployOptions)
def deploy(options: DeployOptions) -> None:
    """Find the boards that can train a model, build and flash what they need, and start the run."""
    from jaragua.config import load, parse
    from jaragua.coordinator.selection import image_room, trained_parts
    from jaragua.deploy.fleet import open_graph
    from jaragua.deploy.run_file import settings_text
    from jaragua.models import absolute, model_named
    from jaragua.store.files import write_whole

    model, changed = absolute(options.model), changes_of(options)
    model_named(model)
    conditions = _conditions(options)
    url, fleet, folder = options.address(), _fleet(options), graph_folder.folder_of(options.graph)
    path = options.file or Path(f"deploy-{Path(model).stem.partition('@')[0]}.toml")
    with open_graph(folder, fleet) as (store, directory):
        wanted = parse(settings_text(model, changed), path)
        parts, room = trained_parts(wanted), image_room(wanted, model_named(model))
        plan = _interruptible(_plan(conditions, parts, room, model, url, fleet, store, directory))
        text = _run_file(options, model, plan, folder, changed)
        _require_some(plan, fleet, options)
        settings = parse(text, path)
        if options.dry_run:
            _show(plan, path, text, options.json)
            return
        _refuse_other(path, text)
        _say(plan)
        _interruptible(_flash(plan, room, url, fleet, options))
        write_whole(path, text.encode())
        beside = None if directory is None else lambda: directory.run(url)
        result = run_verb.carried_out(path, load(path), beside=beside)
    if options.json:
        output.print_result(run_verb.document(settings, result) | _document(plan, path))
    else:
        run_verb.print_result(settings, result)


def changes_of(options: DeployOptions) -> dict[str, Any]:
    """What `--set` says, by `section.key`. Raises: UsageError for what deploy decides itself."""
    from jaragua.cli.options import Given

    found = changes(Given({}, frozenset()), (), options.set_ or [])
    for key in ("model.name", "devices.match", "devices.graph", "run.fleet"):
        if key in found:
            raise UsageError(
                f"--set {key} is what deploy writes itself", "use the argument MODEL, --where, --graph or --fleet"
            )
    return found


def _conditions(options: DeployOptions) -> tuple[Constraint, ...]:
    from jaragua.semantics.matching.conditions import parse

    return parse(options.where)


def _fleet(options: DeployOptions) -> str:
    from jaragua.wire.topics import check_id

    owner = options.access.owner()
    return check_id(options.fleet or (owner.fleet if owner else "home"), "the fleet's name")


async def _plan(
    conditions: tuple[Constraint, ...],
    parts: frozenset[str],
    room: ImageRoom,
    model: str,
    url: BrokerUrl,
    fleet: str,
    store: GraphStore,
    directory: Directory | None,
) -> Plan:
    """S8.1: what the broker keeps goes into the graph, and the graph decides."""
    from jaragua.deploy.fleet import Snapshot
    from jaragua.deploy.plan import planned
    from jaragua.models import model_named
    from jaragua.semantics.described import model_record
    from jaragua.semantics.graph.facts import device_records
    from jaragua.semantics.models.writing import described

    found = await Snapshot.of(url, fleet)
    if directory is not None:
        for topic, payload in found.descriptions.items():
            await asyncio.to_thread(directory.offer, topic, payload)
    devices = [one for one in device_records(store) if one.fleet == fleet]
    return planned(devices, model_record(described(model_named(model))), conditions, found.presence, model, parts, room)


def _run_file(options: DeployOptions, model: str, plan: Plan, graph: Path, changed: Mapping[str, Any]) -> str:
    from jaragua.deploy.run_file import run_file

    given = {"run.fleet": _fleet(options)} | _broker_values(options)
    return run_file(model, plan, options.where, str(graph.absolute()), given, changed)


def _broker_values(options: DeployOptions) -> dict[str, Any]:
    """The broker's options as the file has them; what was not said is left out."""
    paths = {
        "identity": options.identity,
        "ca": options.ca,
        "certificate": options.cert,
        "key": options.key,
        "password_file": options.password_file,
    }
    values = {"url": options.broker, "user": options.user, "insecure": options.insecure}
    values |= {name: str(path.absolute()) for name, path in paths.items() if path is not None}
    return {f"broker.{name}": value for name, value in values.items() if value}


def _require_some(plan: Plan, fleet: str, options: DeployOptions) -> None:
    """S8.7."""
    if plan.chosen:
        return
    for one in plan.excluded:
        output.say(_excluded(one))
    if not plan.excluded:
        raise RunError(f"fleet {fleet} has no devices", "start a gateway with `jaragua gateway`, or check --fleet")
    what = f"where {options.where}" if options.where else "of the fleet"
    raise RunError(
        f"none of {len(plan.excluded)} devices {what} can train {options.model} now", "the lines above say why"
    )


def _refuse_other(path: Path, text: str) -> None:
    """A run file that is there already is the same, or nobody's to overwrite. Raises: UsageError."""
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "name another file with --file") from error
    if there != text:
        hint = f"`jaragua run {path} --resume` continues it; --file NAME.toml writes another"
        raise UsageError(f"{path} is there, and is another run", hint)


async def _flash(plan: Plan, room: ImageRoom, url: BrokerUrl, fleet: str, options: DeployOptions) -> None:
    from jaragua.deploy.flashing import Where, put

    if plan.flashed:
        await put(plan.flashed, room, Where(url, fleet, options.signer()), output.say)


def _interruptible(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted("stopped before the run began", "give the same command again") from None


def _say(plan: Plan) -> None:
    for chosen in plan.chosen:
        output.say(_chosen(chosen))
    for left in plan.excluded:
        output.say(_excluded(left))


def _show(plan: Plan, path: Path, text: str, json: bool) -> None:
    """S8.3."""
    if json:
        output.print_result(_document(plan, path) | {"text": text})
        return
    output.show(f"{len(plan.chosen)} of {len(plan.chosen) + len(plan.excluded)} devices train")
    for chosen in plan.chosen:
        output.show(f"  {_chosen(chosen)}")
    for left in plan.excluded:
        output.show(f"  {_excluded(left)}")
    output.show(f"\n{path}\n\n{text.rstrip()}")


def _chosen(one: Chosen) -> str:
    from jaragua.deploy.plan import Action

    done = {
        Action.KEEP: "has its image",
        Action.FLASH: f"is flashed with {Path(one.image).name}",
        Action.COMPILE: "compiles for itself",
    }[one.action]
    buffers = "two buffers" if one.buffers == 2 else "one buffer"
    part = "" if one.build.trains == "all" else ", last layer alone"
    return f"{one.device} ({one.board} at {one.node}): {one.build.arithmetic}{part}, {buffers}, {done}"


def _excluded(one: Excluded) -> str:
    return f"{one.device} ({one.board or '?'} at {one.node}) is left out: {'; '.join(one.reasons)}"


def _document(plan: Plan, path: Path) -> dict[str, Any]:
    return {
        "file": str(path),
        "plan": [
            {
                "device": one.device,
                "node": one.node,
                "board": one.board,
                "action": one.action.value,
                "image": one.image,
                "weights": one.build.arithmetic,
                "trains": one.build.trains,
                "buffers": one.buffers,
            }
            for one in plan.chosen
        ],
        "excluded": [
            {"device": one.device, "node": one.node, "board": one.board, "reasons": list(one.reasons)}
            for one in plan.excluded
        ],
    }
