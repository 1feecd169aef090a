"""`jaragua client`: this machine as a device of the fleet."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaragua.cli import completions
from jaragua.cli.broker_options import NodeOptions
from jaragua.cli.options import from_fields
from jaragua.errors import ToolError, UsageError

if TYPE_CHECKING:
    from jaragua.client.litert_trainer import TrainingFiles
    from jaragua.node.node import NodeSettings

app = typer.Typer()


class EngineName(StrEnum):
    """What learns: the boards' own C, which needs a C compiler, or LiteRT in float32, which needs none."""

    NATIVE = "native"
    LITERT = "litert"


@dataclass(frozen=True, kw_only=True)
class ClientOptions(NodeOptions):
    """The options of `jaragua client`."""

    model: Annotated[
        str | None,
        typer.Option(
            help="Model of the zoo, or a TOML file; default: that of the run.", autocompletion=completions.models
        ),
    ] = None
    engine: Annotated[EngineName, typer.Option(help="native: the boards' C; litert: float32.")] = EngineName.NATIVE
    litert: Annotated[Path | None, typer.Option(help="Training file, or a folder of them, for --engine litert.")] = None
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the outbox; default: ~/.local/state/jaragua.")] = None
    owner: Annotated[
        Path | None, typer.Option(help="TOML file of what you state of devices: sensors, place (semantics.md, S2.5).")
    ] = None
    patience: Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait for the broker at the start; default: for ever.")
    ] = None
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False


@app.command()
@from_fields(ClientOptions)
def client(options: ClientOptions) -> None:
    """Make this machine a device of the fleet (Pi class); run until Ctrl-C."""
    from jaragua.node.node import NodeSettings, default_data_dir
    from jaragua.node.program import run_until_signal, say_log
    from jaragua.semantics.things.statements import read_statements

    say_log(options.verbose)
    fleet, node = options.named()
    settings = NodeSettings(
        url=options.address(),
        fleet=fleet,
        node=node,
        kind="pi",
        model=options.model,
        data_dir=options.data_dir or default_data_dir(),
        stated={} if options.owner is None else read_statements(options.owner),
        patience_seconds=options.patience,
        coordinator_key=options.verifying_key(),
    )
    run_until_signal(_work(settings, options.engine, options.litert))


def _work(settings: NodeSettings, engine: EngineName, litert: Path | None) -> Coroutine[Any, Any, None]:
    from jaragua.client.client import run_client, run_litert_client
    from jaragua_compiler.engines.native_prototypes import native_engine

    if engine is EngineName.LITERT:
        return run_litert_client(settings, _training_files(litert))
    if litert is not None:
        raise UsageError("--litert is for --engine litert", "add --engine litert, or leave --litert out")
    return run_client(settings, native_engine)


def _training_files(path: Path | None) -> TrainingFiles:
    """What is there; ToolError if no LiteRT runtime works here."""
    from jaragua.client.litert_trainer import TrainingFiles
    from jaragua_compiler.litert.runtime import RuntimeMissing, runtime_name
    from jaragua_compiler.litert.training_file import find_training_files

    if path is None:
        raise UsageError("--engine litert needs a training file", "give one, or a folder of them, with --litert")
    try:
        runtime_name()
    except RuntimeMissing as error:
        raise ToolError(error.message, error.hint) from error
    return TrainingFiles(find_training_files(path))
