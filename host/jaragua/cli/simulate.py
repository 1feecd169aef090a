"""`jaragua simulate`: virtual devices on this machine, in the boards' own arithmetic."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import output
from jaragua.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from jaragua.simulation import Buffered, EngineName, Simulation, SimulationResult, VirtualTime

app = typer.Typer()

#: The names of more would fill the memory.
MOST_DEVICES = 1_000_000
#: Each thread has a copy of the C of its own: of many more the machine has no memory maps left.
MOST_WORKERS = 1024


@app.command()
def simulate(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="Model of the zoo, or a TOML file of your own data.")],
    strategy: Annotated[str, typer.Option(help="docs/reference/strategies.md, or module:Class.")] = "tinyreptile",
    engine: Annotated[str | None, typer.Option(help="w16 or w8 (boards), or float32; default: the model's.")] = None,
    ways: Annotated[int | None, typer.Option(min=1, help="Classes of a task; default: the model's.")] = None,
    shots: Annotated[int | None, typer.Option(min=1, help="Samples of each class; default: the model's.")] = None,
    train_shots: Annotated[
        int | None, typer.Option(min=1, help="The same in training; default: --shots or, if more, the model's.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=0, help="Default: the model's; 0: only evaluate.")] = None,
    clients: Annotated[
        int | None, typer.Option(min=1, max=MOST_DEVICES, help="Devices that train in a round; default: the model's.")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, max=MOST_DEVICES, help="Devices there are; default: as many as train.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first weights, the choice of devices, their tasks.")] = 1,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate of a device; default: the model's.")
    ] = None,
    alpha: Annotated[float | None, typer.Option(min=0, max=1, help="Server step size in the first round.")] = None,
    alpha_final: Annotated[float, typer.Option(min=0, max=1, help="Final server step size (linear decay).")] = 0.0,
    passes: Annotated[
        int | None,
        typer.Option(min=1, help="Over a task in a round; default: the strategy's or, if more, the model's."),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=0, help="Mini-batch; 0: all; default: the strategy's.")] = None,
    loss_threshold: Annotated[
        float,
        typer.Option(min=0, help="Skip the backward pass below this loss (nats, or mean squared error). 0 disables."),
    ] = 0.0,
    replay_buffer_size: Annotated[
        int, typer.Option(min=0, help="Samples a device keeps to repeat in its passes; 0 keeps all.")
    ] = 0,
    option: Annotated[list[str] | None, typer.Option(help="name=number, an option of the strategy; repeat.")] = None,
    combine: Annotated[str, typer.Option(help="How updates become one; docs/reference/configuration.md.")] = "own",
    trim: Annotated[float, typer.Option(min=0, max=0.499, help="Left out at either end by trimmed-mean.")] = 0.2,
    norm_clip_factor: Annotated[
        float, typer.Option(min=0, help="Shorten updates to this many median norms. 0 disables.")
    ] = 0.0,
    float_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Fraction of a round's devices that compute in float32, as Pis do.")
    ] = 0.0,
    outlier_factor: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Reject updates farther than this many median distances. 0 disables; default: a run's.",
        ),
    ] = None,
    buffer: Annotated[
        int, typer.Option(min=0, help="Updates that close a round, from whichever start (R13); 0: a round's own.")
    ] = 0,
    max_staleness: Annotated[
        int | None, typer.Option(min=1, help="With --buffer: oldest update that counts, in rounds; default: a run's.")
    ] = None,
    staleness_exponent: Annotated[
        float | None,
        typer.Option(min=0, help="With --buffer: an update n rounds old counts (1 + n)^-this; default: a run's."),
    ] = None,
    compute_time_sigma: Annotated[
        float | None,
        typer.Option(
            min=0, help="With --buffer: standard deviation of the log of a device's compute time; default: 0.25."
        ),
    ] = None,
    slow_fraction: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --buffer: fraction of devices that are slow; default: 0.")
    ] = None,
    slow_factor: Annotated[
        float | None, typer.Option(min=1, help="With --buffer: how many times longer slow devices take; default: 4.")
    ] = None,
    eval_tasks: Annotated[int, typer.Option(min=1, help="Held-out tasks to evaluate with.")] = 100,
    queries: Annotated[int | None, typer.Option(min=1, help="Query samples of a held-out task.")] = None,
    adapt_passes: Annotated[int | None, typer.Option(min=1, help="Passes when a new device adapts.")] = None,
    adapt_learning_rate: Annotated[float | None, typer.Option(help="Default: that of training.")] = None,
    adapt_batch: Annotated[int, typer.Option(min=0, help="Samples of a step when a new device adapts; 0: all.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, max=MOST_WORKERS, help="Default: one for each core.")] = None,
    ray: Annotated[str | None, typer.Option(help="Train on a Ray cluster: auto, ray://host:port, or local.")] = None,
    state: Annotated[Path | None, typer.Option(help="Folder to save in, and to go on from.")] = None,
    save_every: Annotated[float, typer.Option(min=0, help="Seconds between two saves.")] = 10.0,
    start: Annotated[Path | None, typer.Option(help="First weights: a file of --save, or a run's.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="File for what is learned (safetensors), which `jaragua compile` takes, too.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Simulate a fleet on this machine, then evaluate what was learned on held-out tasks.

    The same seed, devices (device-1, device-2, …) and numbers as a run of a fleet give the same model, to the bit.
    """
    # Simulations have workers of their own: more threads in a product of small matrices only get in their way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from jaragua.cli import idle_options, weights_file
    from jaragua.simulation import Simulation, device_names
    from jaragua.simulation.models import model_named
    from jaragua.strategies.registry import canonical, find
    from jaragua.strategies.robust import OUTLIER_FACTOR

    model = model_named(task)
    defaults = model.defaults
    in_a_round = clients or defaults.clients
    wanted = Simulation(
        task=task,
        strategy=canonical(strategy),
        engine=_engine(engine or model.network.weights),
        seed=seed,
        rounds=defaults.rounds if rounds is None else rounds,
        clients=in_a_round,
        devices=device_names(devices or in_a_round),
        ways=ways or defaults.ways,
        shots=train_shots or max(shots or defaults.shots, defaults.training_shots),
        learning_rate=defaults.learning_rate if learning_rate is None else learning_rate,
        alpha=defaults.alpha if alpha is None else alpha,
        alpha_final=alpha_final,
        passes=passes or max(find(strategy).PASSES, defaults.training_passes),
        batch=batch,
        loss_threshold=loss_threshold,
        replay_buffer_size=replay_buffer_size,
        options=_numbers(option or []),
        combine=combine,
        trim=trim,
        norm_clip_factor=norm_clip_factor,
        outlier_factor=OUTLIER_FACTOR if outlier_factor is None else outlier_factor,
        float_fraction=float_fraction,
        eval_tasks=eval_tasks,
        queries=queries or defaults.queries,
        adapt_shots=shots or defaults.shots,
        adapt_passes=adapt_passes or defaults.passes,
        adapt_learning_rate=adapt_learning_rate,
        adapt_batch=adapt_batch,
        buffered=_buffered(
            buffer,
            max_staleness=max_staleness,
            staleness_exponent=staleness_exponent,
            compute_time_sigma=compute_time_sigma,
            slow_fraction=slow_fraction,
            slow_factor=slow_factor,
        ),
    )
    idle_options.check(_given(context), wanted)
    if save:
        weights_file.check_place(save)
    first = weights_file.read(start, wanted) if start else None
    result = _run(wanted, state, {"workers": workers, "save_every_seconds": save_every, "ray": ray, "start": first})
    if not json:
        _print(wanted, result)
    if save:
        weights_file.write(save, wanted, result)
    if json:  # last: whatever fails is a document of its own
        output.print_result(document(wanted, result))


def _run(wanted: Simulation, state: Path | None, how: dict[str, Any]) -> SimulationResult:
    from jaragua.cli.simulate_progress import progress
    from jaragua.simulation import simulate as run_simulation

    _say_without_a_compiler()
    try:
        with progress(wanted.rounds) as on_progress:
            return run_simulation(wanted, state_folder=state, on_progress=on_progress, **how)
    except KeyboardInterrupt:
        hint = "give the same command to go on" if state else "with --state FOLDER it could be gone on with"
        raise Interrupted("stopped" + ("; what was learned is saved" if state else ""), hint) from None


def _say_without_a_compiler() -> None:
    from jaragua_compiler.engines.host_build import has_compiler

    if not has_compiler():
        output.say(
            "note: there is no C compiler on the PATH, so NumPy computes the devices: the same integers, but a hundred "
            "times slower. Install one (sudo apt install gcc libc6-dev) to simulate many devices."
        )


def _given(context: typer.Context) -> set[str]:
    """Names of the options that stand on the command line."""
    said = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in said.items() if source is not None and source.name == "COMMANDLINE"}


def _engine(name: str) -> EngineName:
    from jaragua.simulation import ENGINES

    if name not in ENGINES:
        raise UsageError(f"there is no engine '{name}'", f"known: {', '.join(ENGINES)}")
    return ENGINES[ENGINES.index(name)]


def _buffered(buffer: int, **more: float | None) -> Buffered | None:
    """What goes with a buffer; what is None has its default."""
    from jaragua.simulation import Buffered

    said: dict[str, Any] = {name: value for name, value in more.items() if value is not None}
    if buffer:
        return Buffered(buffer, **said)
    if said:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        hint = "with --buffer of as many as --clients, rounds wait for all, and the clock says how long"
        raise UsageError(f"without --buffer there is no clock: {names} would change nothing", hint)
    return None


def _numbers(options: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in options:
        name, _, value = one.partition("=")
        if name in found:
            raise UsageError(f"--option {name} is given twice", "give it once: which of them counts is not to be seen")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise UsageError(f"--option {one!r} is not name=number", "for example --option proximal=0.1") from error
    return found


def document(wanted: Simulation, result: SimulationResult) -> dict[str, object]:
    """The result as the data of the JSON document; before and after are means over the held-out tasks."""
    from jaragua_compiler.engines.host_build import has_compiler

    name = result.metric
    return {
        "task": wanted.task,
        "strategy": wanted.strategy,
        "engine": wanted.engine,
        "seed": wanted.seed,
        "ways": wanted.ways,
        "shots": wanted.adapt_shots or wanted.shots,
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
    } | (_clock(wanted.buffered, result.time) if wanted.buffered and result.time else {})


def _clock(buffered: Buffered, time: VirtualTime) -> dict[str, object]:
    return asdict(buffered) | {
        "virtual_time": time.finish,
        "updates": time.updates,
        "mean_age": time.mean_age,
        "late": time.late,
    }


def _print(wanted: Simulation, result: SimulationResult) -> None:
    name = result.metric
    output.show(
        f"{wanted.task}: {result.rounds} rounds of {wanted.strategy}, {wanted.clients} of {len(wanted.devices)} devices"
    )
    output.show(f"  before adapting  {name} {result.before.mean:.4f} ± {result.before.ci95:.4f}")
    output.show(
        f"  after adapting   {name} {result.after.mean:.4f} ± {result.after.ci95:.4f}, {result.tasks} held-out tasks"
    )
    output.show(
        f"  speed            {result.client_tasks_per_second:.0f} client tasks a second, evaluation not counted"
    )
    output.show(f"  weights          {result.parameters}, {result.bytes_up} bytes up, {result.bytes_down} bytes down")
    if result.excluded:
        output.show(f"  excluded         {result.excluded} implausible updates left out (docs/design/rounds.md, R17)")
    if result.time:
        output.show(f"  virtual time     {_in_words(result.time)}")
    output.show(f"  model            {result.final_hash}")


def _in_words(time: VirtualTime) -> str:
    """Where the clock stands, in one line."""
    return f"{time.finish:.1f} of a median device's work; mean age {time.mean_age:.2f} rounds, {time.late} too late"
