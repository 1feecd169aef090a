"""`jaragua online`: a board goes on learning after deployment, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli.options import from_fields
from jaragua.cli.output import print_result, say, show
from jaragua.cli.port_choice import PORT_HELP, chosen_port
from jaragua.errors import UsageError

if TYPE_CHECKING:
    from jaragua.online.enrolment import Classes, Enrolment
    from jaragua.online.learners import OnlineLearner
    from jaragua.online.lesson import Part, Result
    from jaragua.online.pools import Pools
    from jaragua.online.trained_model import TrainedModel
    from jaragua_compiler import Plan
    from jaragua_compiler.online import Report
    from jaragua_models import Model

app = typer.Typer()

#: Samples are drawn before they are streamed.
MOST_CHANGED = 100_000


@dataclass(frozen=True)
class OnlineOptions:
    """The options of `jaragua online`."""

    task: Annotated[str, typer.Option(help="digits, a model of keywords or omniglot, or a TOML file.")] = "digits"
    port: Annotated[str, typer.Option(help=PORT_HELP)] = ""
    emulate: Annotated[bool, typer.Option("--emulate", help="Build the image and start a board on QEMU.")] = False
    native: Annotated[bool, typer.Option("--native", help="Run the board's C on this machine (a Pi).")] = False
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split, the first weights and the stream.")] = 1
    new: Annotated[int | None, typer.Option(min=0, help="The class that is unknown at first; default: drawn.")] = None
    pure: Annotated[bool, typer.Option("--pure", help="Send the new class alone, not mixed with others.")] = False
    changed: Annotated[int, typer.Option(min=1, max=MOST_CHANGED, help="Number of samples with changed inputs.")] = 150
    replays: Annotated[int, typer.Option(min=0, max=64, help="Prototypes to train on after each sample.")] = 8
    standardise: Annotated[
        bool, typer.Option("--standardise", help="Standardise the inputs on the board with running statistics.")
    ] = False
    learning_rate: Annotated[float, typer.Option(help="Learning rate of the last layer.")] = 0.02
    start: Annotated[
        Path | None,
        typer.Option(help="Weights the start is trained from: the .safetensors file of a simulation, or its folder."),
    ] = None
    enrol: Annotated[
        bool, typer.Option("--enrol", help="Enrol classes as prototypes, without a training step, and forget one.")
    ] = False
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False


@app.command()
@from_fields(OnlineOptions)
def online(options: OnlineOptions) -> None:
    """Stream labelled samples to a board. It predicts each, then trains on it: known classes, a new class, a drift.

    With --enrol it takes a few samples into the means of their classes: all but one, then that one, and forgets it.
    """
    from jaragua.models import model_started
    from jaragua.online.lesson import Script, known_classes, teach
    from jaragua.online.pools import pools
    from jaragua.online.trained_model import model_of, saved_weights, train_model
    from jaragua_compiler.online import Settings
    from jaragua_compiler.quantisation.rate import LearningRate

    if sum((bool(options.port), options.emulate, options.native)) > 1:
        raise UsageError("give one of --port, --emulate and --native", "Without hardware: jaragua online --emulate")
    LearningRate.from_float(options.learning_rate)  # one that is none is said before a start is trained
    weights = options.start if options.start and options.start.is_file() else None
    model = model_started(options.task, weights)
    drawn = pools(model, options.seed)
    unknown = options.seed % drawn.classes if options.new is None else options.new
    if unknown >= drawn.classes:
        raise UsageError(f"there is no class {unknown}", f"Give --new 0 to {drawn.classes - 1}.")
    known = [label for label in range(drawn.classes) if label != unknown]
    port = "" if options.emulate or options.native else chosen_port(options.port)
    if port:
        asyncio.run(_greet(port))
    first = saved_weights(options.start, model) if options.start else None
    if options.enrol and first is not None:
        _enrol(options, model, model_of(model, first), drawn, unknown, port)
        return
    say(f"training a start on {len(known)} of {drawn.classes} classes")
    trained = train_model(model, drawn, known, options.seed, first, standardise=options.standardise)
    if options.enrol:
        _enrol(options, model, trained, drawn, unknown, port)
        return
    script = Script(
        options.seed, unknown, changed=options.changed, pure=options.pure, learning_rate=options.learning_rate
    )
    settings = Settings(known=known_classes(drawn, unknown), replays=options.replays, standardise=options.standardise)

    async def run() -> Result:
        async with _learner(trained, options.task, port, native=options.native) as learner:
            return await teach(learner, trained, drawn, script, settings, _show_part)

    result = asyncio.run(run())
    if options.json:
        print_result({"task": model.name, "seed": options.seed, "new_class": unknown, **_document(result)})
    else:
        show(_summary(result, unknown))


def _enrol(options: OnlineOptions, model: Model, trained: TrainedModel, drawn: Pools, unknown: int, port: str) -> None:
    """The lesson of enrolled classes, with a threshold calibrated on training data where that can be."""
    from jaragua.online.enrolment import teach_classes
    from jaragua.tuning.rejection import threshold_or_none
    from jaragua_compiler.engine_protocol import ACCEPT_ALL
    from jaragua_compiler.planning.plan import with_prototypes

    layout = with_prototypes(trained.plan, drawn.classes)
    found = threshold_or_none(model, layout, trained.blob, say)

    async def run() -> Enrolment:
        async with _classes(layout, options, port) as classes:
            return await teach_classes(
                classes, trained, drawn, unknown, ACCEPT_ALL if found is None else found.threshold, say
            )

    result = asyncio.run(run())
    if options.json:
        rejection = None if found is None else found.facts()
        told = {"task": model.name, "seed": options.seed, "new_class": unknown, "rejection": rejection}
        print_result(told | asdict(result))
    else:
        show(_enrolment_summary(result, unknown))


@asynccontextmanager
async def _classes(layout: Plan, options: OnlineOptions, port: str) -> AsyncIterator[Classes]:
    from jaragua.emulate import EmulatedFleet, build_image
    from jaragua.online.enrolment import BoardClasses, EngineClasses
    from jaragua.serial import Board
    from jaragua_compiler.engines.native_prototypes import NativePrototypeEngine

    if options.native:
        yield EngineClasses(NativePrototypeEngine(layout))
    elif port:
        async with Board(port) as board:
            yield BoardClasses(board)
    else:
        say(f"building the image of {options.task} for qemu_m4, with prototypes of {layout.prototypes} classes")
        image = await asyncio.to_thread(build_image, "qemu_m4", options.task, False, layout.prototypes)
        with EmulatedFleet(image, 1) as fleet:
            async with Board(fleet.urls[0]) as board:
                yield BoardClasses(board)


def _enrolment_summary(result: Enrolment, new: int) -> str:
    return (
        f"{'old classes':<16} {result.old_before:4.0%} right, {result.known_accepted:4.0%} accepted\n"
        f"{f'class {new}':<16} {result.unknown_accepted:4.0%} accepted while it is unknown\n"
        f"{f'with class {new}':<16} {result.old_after:4.0%} of the old and {result.new_after:4.0%} of the new right\n"
        f"{f'without {new}':<16} {result.old_forgotten:4.0%} of the old right, as before"
    )


async def _greet(port: str) -> None:
    """A board that does not answer is said before a start is trained. Raises: PortError, BoardError."""
    from jaragua.serial import Board

    async with Board(port):
        pass


@asynccontextmanager
async def _learner(start: TrainedModel, task: str, port: str, *, native: bool) -> AsyncIterator[OnlineLearner]:
    from jaragua.emulate import EmulatedFleet, build_image
    from jaragua.online.learners import BoardLearner, EngineLearner, board_events
    from jaragua.serial import Board
    from jaragua_compiler.engines.native import NativeEngine
    from jaragua_compiler.online import NativeLearner

    if native:
        yield EngineLearner(NativeLearner(start.plan), NativeEngine(start.plan), _show_report)
    elif port:
        async with Board(port, on_event=board_events(_show_report)) as board:
            yield BoardLearner(board)
    else:
        say(f"building the image of {task} for qemu_m4")
        image = await asyncio.to_thread(build_image, "qemu_m4", task)
        with EmulatedFleet(image, 1) as fleet:
            async with Board(fleet.urls[0], on_event=board_events(_show_report)) as board:
                yield BoardLearner(board)


def _show_report(report: Report) -> None:
    text = f"sample {report.samples:4d}  {report.recent / 32768:4.0%} right lately  {report.known.bit_count()} classes"
    if report.opened and report.opened_at == report.samples:
        text += f"  class {report.opened_label} is new"
    if report.drifts and report.drift_at == report.samples:
        text += "  drift noticed"
    say(text)


def _show_part(part: Part) -> None:
    drift = f", drift noticed after {part.drift_at}" if part.drift_at is not None else ""
    say(f"{part.name}: {part.correct} of {part.samples} right before they were learned{drift}")


def _summary(result: Result, new: int) -> str:
    parts = "\n".join(
        f"{part.name:<16} {part.accuracy:4.0%} of {part.samples} right at first sight" for part in result.parts
    )
    return (
        f"{parts}\n"
        f"{'old classes':<16} {result.old_before:4.0%} before class {new} came, {result.old_after:4.0%} after it\n"
        f"{f'class {new}':<16} {result.new_after:4.0%}\n"
        f"{'drifts noticed':<16} {result.report.drifts}"
    )


def _document(result: Result) -> dict[str, Any]:
    return {
        "parts": [asdict(part) | {"accuracy": part.accuracy} for part in result.parts],
        "old_before": result.old_before,
        "old_after": result.old_after,
        "new_after": result.new_after,
        "forgotten_points": round(result.forgotten_points, 3),
        "report": asdict(result.report),
        "instructions": result.instructions,
    }
