"""`jaragua simulate`: virtual devices on this machine, in the boards' own arithmetic."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from jaragua.cli import output
from jaragua.cli.next_steps import next_steps, shown
from jaragua.cli.options import Given, Option, changes, setting, takes
from jaragua.errors import Interrupted, UsageError
from jaragua.settings import SHORT_NAMES

if TYPE_CHECKING:
    from jaragua.settings import RunConfig
    from jaragua.simulation import Buffered, Simulation, SimulationResult, VirtualTime

app = typer.Typer()

#: Each thread has a copy of the C of its own: of many more the machine has no memory maps left.
MOST_WORKERS: Final = 1024
#: Beside the folder of the run of a fleet with the same file.
SIMULATED: Final = "-simulated"

#: Settings that have an option of their own; all others are given by --set.
SETTINGS: Final = tuple(
    setting(key, name, help="A model of the zoo, or the TOML file of your own data." if name == "task" else "")
    for name, key in SHORT_NAMES.items()
)
OPTIONS: Final = (
    Option("run", Path, "A run's file, as `jaragua run` takes it; without one: --task.", argument=True),
    *SETTINGS,
    Option("set_", list[str], "Any other setting: section.key=value (docs/reference/configuration.md); repeat."),
    Option("workers", int, "Threads that train; default: one for each core.", least=1, most=MOST_WORKERS),
    Option("ray", str, "Train on a Ray cluster: auto, ray://host:port, or local."),
    Option("directory", Path, "Folder to keep the simulation in and to go on from; default: of a run's file, its own."),
    Option("save_every", float, "Seconds between two saves in that folder.", 10.0, least=0),
    Option("start", Path, "First weights: a file of --save, or a run's."),
    Option("save", Path, "File for what is learned (safetensors), which `jaragua compile` takes, too."),
    Option("no_comparison", bool, "Leave out the simple methods on the same held-out tasks.", False),
    Option("json", bool, "Print the result as one JSON document.", False),
)


@app.command()
@takes(*OPTIONS)
def simulate(given: Given) -> None:
    """Simulate a fleet on this machine, then evaluate what was learned on held-out tasks.

    The same seed, devices (device-1, device-2, …) and settings as a run of a fleet give the same model, to the bit.
    """
    # Simulations have workers of their own: more threads in a product of small matrices only get in their way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from jaragua.semantics.models.writing import place_beside
    from jaragua.simulation import notes, weights_file
    from jaragua.simulation.settings import simulation_of
    from jaragua.store.files import write_whole

    changed = changes(given, SETTINGS, given["set_"] or [])
    config = _configuration(given, changed)
    wanted = simulation_of(config).changed(comparing=not given["no_comparison"])
    folder = given["directory"] or _folder_of(given["run"], config)
    for note in notes.notes_on(_asked(given, changed), wanted, notes.COMMAND_LINE):
        output.say(f"note: {note}")
    if given["save"]:
        weights_file.check_place(given["save"])
        place_beside(given["save"])
    wanted, first = weights_file.started(given["start"], wanted) if given["start"] else (wanted, None)
    how = {"workers": given["workers"], "save_every_seconds": given["save_every"], "ray": given["ray"], "start": first}
    result = _run(wanted, folder, how)
    if not given["json"]:
        _print(wanted, result, folder)
    if given["save"]:
        weights_file.write(given["save"], wanted, result)
        write_whole(place_beside(given["save"]), _description(wanted, result))
    if not given["json"]:
        _say_what_next(wanted, folder, given["save"])
    if given["json"]:  # last: whatever fails is a document of its own
        output.print_result(document(wanted, result) | ({"run_dir": str(folder)} if folder else {}))


def _say_what_next(wanted: Simulation, folder: Path | None, saved: Path | None) -> None:
    from jaragua.simulation.models import enrolled_classes

    classes = enrolled_classes(wanted)
    for line in next_steps(shown(wanted.task), folder=folder and shown(folder), weights=saved, classes=classes):
        output.say(line)


def _description(wanted: Simulation, result: SimulationResult) -> bytes:
    """What the model is and needs, with what was measured here, for the graph of a fleet (semantics.md, S3)."""
    from jaragua.semantics.models.description import Measured
    from jaragua.semantics.models.writing import content, described
    from jaragua.simulation.models import model_for

    mean, half = result.after.mean, result.after.ci95
    measured = Measured(result.metric, mean, mean - half, mean + half, 1, wanted.strategy)
    return content(described(model_for(wanted), [measured]))


def _configuration(given: Given, changed: dict[str, Any]) -> RunConfig:
    """The run's file with the changes, or the changes alone."""
    from jaragua.config import for_simulation

    if not given["run"] and "model.name" not in changed:
        raise UsageError("there is nothing to simulate", "give a run's file, or --task digits")
    return for_simulation(given["run"], changed, "--set")


def _folder_of(run: Path | None, config: RunConfig) -> Path | None:
    """A run's file has a folder, beside that of the fleet's run; a command without one leaves nothing behind."""
    return config.run.directory.with_name(config.run.directory.name + SIMULATED) if run else None


def _asked(given: Given, changed: dict[str, Any]) -> set[str]:
    """What stands on the command line: keys of settings, and names of the other options."""
    from jaragua.simulation.notes import settings_in

    return settings_in(changed) | (set(given.named) - {one.name for one in SETTINGS} - {"set_"})


def _run(wanted: Simulation, folder: Path | None, how: dict[str, Any]) -> SimulationResult:
    from jaragua.cli.progress.simulate import progress
    from jaragua.simulation import simulate as run_simulation

    try:
        with progress(wanted.rounds) as on_progress:
            return run_simulation(wanted, state_folder=folder, on_progress=on_progress, **how)
    except KeyboardInterrupt:
        hint = "give the same command to continue" if folder else "with --directory FOLDER it could be continued"
        raise Interrupted("stopped" + ("; what was learned is saved" if folder else ""), hint) from None


def document(wanted: Simulation, result: SimulationResult) -> dict[str, object]:
    """The result as the data of the JSON document; before and after are means over the held-out tasks."""
    from jaragua.simulation.rounds.run_files import simulated_facts
    from jaragua.store.facts import versions
    from jaragua.store.run_folder import settings_of
    from jaragua_compiler.engines.host_build import has_compiler

    name = result.metric
    return {
        "task": shown(wanted.task),
        "strategy": wanted.strategy,
        "engine": wanted.engine,
        "seed": wanted.seed,
        "ways": wanted.ways,
        "shots": wanted.evaluation.shots or wanted.shots,
        "train_shots": wanted.shots,
        "clients": wanted.clients,
        "devices": len(wanted.devices),
        "rounds": result.rounds,
        "metric": name,
        f"{name}_mean": result.after.mean,
        f"{name}_ci95": result.after.ci95,
        f"{name}_before_mean": result.before.mean,
        f"{name}_before_ci95": result.before.ci95,
        "tasks": result.tasks,
        "client_tasks": result.client_tasks,
        "client_tasks_per_second": result.client_tasks_per_second,
        "seconds": result.seconds,
        "parameters": result.parameters,
        "final_hash": result.final_hash,
        "computed_by": "c" if has_compiler() else "numpy",
        "bytes_up": result.bytes_up,
        "bytes_down": result.bytes_down,
        "excluded": result.excluded,
        "privacy": asdict(result.privacy) if result.privacy else None,
        "curve": [asdict(point) for point in result.curve],
        "scores": list(result.scores),
        "scores_before": list(result.scores_before),
        "comparison": result.comparison.as_json() if result.comparison else None,
        "settings": settings_of(wanted.config) if wanted.config else {},
        "facts": {"versions": [versions()], **simulated_facts(wanted)},
        "history": [asdict(record) for record in result.history],
    } | (_clock(wanted.buffered, result.time) if wanted.buffered and result.time else {})


def _clock(buffered: Buffered, time: VirtualTime) -> dict[str, object]:
    return asdict(buffered) | {
        "virtual_time": time.finish,
        "updates": time.updates,
        "mean_age": time.mean_age,
        "late": time.late,
    }


def _print(wanted: Simulation, result: SimulationResult, folder: Path | None) -> None:
    from jaragua.report import privacy
    from jaragua.simulation.comparison.text import lines

    name = result.metric
    devices = f"{wanted.clients} of {len(wanted.devices)} devices"
    output.show(f"{shown(wanted.task)}: {result.rounds} rounds of {wanted.strategy}, {devices}")
    output.show(f"  before adapting  {name} {result.before.mean:.4f} ± {result.before.ci95:.4f}")
    output.show(
        f"  after adapting   {name} {result.after.mean:.4f} ± {result.after.ci95:.4f}, {result.tasks} held-out tasks"
    )
    if result.comparison:
        for line in lines(result.comparison):
            output.show(f"  {line}")
    for point in result.curve:
        before, after = point.before, point.after
        output.show(
            f"  after round {point.rounds:<5}{name} {before.mean:.4f} ± {before.ci95:.4f} before adapting, "
            f"{after.mean:.4f} ± {after.ci95:.4f} after"
        )
    output.show(
        f"  speed            {result.client_tasks_per_second:.0f} client tasks a second, evaluation not counted"
    )
    output.show(f"  weights          {result.parameters}, {result.bytes_up} bytes up, {result.bytes_down} bytes down")
    if result.excluded:
        output.show(f"  excluded         {result.excluded} implausible updates left out (docs/design/rounds.md, R17)")
    if result.time:
        output.show(f"  virtual time     {_in_words(result.time)}")
    if result.privacy:
        output.show(f"  privacy          {privacy.in_words(asdict(result.privacy))}")
    output.show(f"  model            {result.final_hash}")
    if folder:
        output.show(f"  folder           {folder}")


def _in_words(time: VirtualTime) -> str:
    """Where the clock stands, in one line."""
    return f"{time.finish:.1f} of a median device's work; mean age {time.mean_age:.2f} rounds, {time.late} too late"
