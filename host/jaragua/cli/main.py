"""The command `jaragua`: finds the verb, loads only its module, and renders every error the same way.

A verb is a module `jaragua.cli.verbs.<verb>` (or one in a folder there, `_FOLDERS`) with `app = typer.Typer()`. One
unnamed command in it is the verb itself (`jaragua run …`); several, a callback, or a command with a name of its own
make it a group (`jaragua broker start`).
Modules import what is heavy (NumPy, aiomqtt, rich) inside their commands, so that `jaragua --help` stays quick; for the
same reason help is plain text, not drawn by rich.
"""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.completion import get_completion_inspect_parameters

from jaragua import __version__
from jaragua.cli import completions, failure, help_pages, output, streams, usage
from jaragua.errors import Interrupted, JaraguaError, UsageError

#: Every verb with the line that `jaragua --help` shows; the order is the order of the list.
VERBS = {
    "demo": "Train a fleet of emulated boards, end to end, without hardware.",
    "run": "Run the rounds of a configuration (the coordinator).",
    "status": "Show where a run stands.",
    "evaluate": "Have the devices of a fleet adapt to held-out tasks.",
    "dashboard": "Show a fleet live on a page of this machine.",
    "report": "Write one HTML file about runs and simulations.",
    "export": "Give figures to TensorBoard, Prometheus or Home Assistant.",
    "new": "Make a project of your own: data, task, run file, C for a board.",
    "data": "Show what is in the data of a task, before anything is trained.",
    "simulate": "Simulate a fleet on this machine, in the arithmetic of the boards.",
    "tune": "Choose the settings of a task on its training data.",
    "reproduce": "Make the tables and figures of docs/results/results.md.",
    "broker": "Start or check an MQTT broker.",
    "pki": "Issue, renew and revoke the certificates of a fleet.",
    "join": "Enrol this machine in a fleet with a one-time token.",
    "gateway": "Connect boards on serial ports to the fleet.",
    "client": "Make this machine a device of the fleet (Pi class).",
    "flash": "Put a new image on a board, and check that it runs.",
    "monitor": "Show what a board sends, decoded live.",
    "replay": "Decode a recorded link.",
    "emulate": "Start emulated boards.",
    "online": "Train a deployed board on a stream: a new class, a drift.",
    "compile": "Write a network as a folder of C for a board.",
    "export-litert": "Write a training file for a Pi with LiteRT (needs TensorFlow).",
    "boards": "List the boards that are plugged in, or those known by name.",
    "bench": "Count the instructions of a training step (emulated board).",
    "deploy": "Find boards for a model, build, flash, and start the run.",
    "match": "Show which devices can train a model, and why others cannot.",
    "devices": "List the devices that the graph knows.",
    "query": "Run a SPARQL query on the graph of devices and models.",
    "fleet": "Keep, extend and export the graph of a fleet.",
    "doctor": "Check that this machine has what its role needs.",
    "service": "Start gateway, client, broker or coordinator with the machine (systemd).",
    "completion": "Print the script with which a shell completes commands.",
}

#: Verbs whose module is in a folder of `jaragua.cli.verbs`.
_FOLDERS = (
    dict.fromkeys(("new", "data", "tune"), "tasks.")
    | dict.fromkeys(("pki", "join"), "identities.")
    | dict.fromkeys(("status", "evaluate", "report", "dashboard", "export"), "results.")
    | dict.fromkeys(("service", "completion"), "machine.")
    | dict.fromkeys(("boards", "flash", "monitor", "replay", "emulate"), "ports.")
    | dict.fromkeys(("match", "devices", "query", "fleet", "deploy"), "semantics.")
)


def main() -> None:
    """Entry point of the command."""
    streams.prepare()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup it is not
            signal.signal(number, _interrupt)
    try:
        sys.exit(_settled(run(sys.argv[1:])))
    except BrokenPipeError:
        # The reader (`| head`) has gone: keep the interpreter from complaining about it at exit.
        output.forget(sys.stdout)
        sys.exit(JaraguaError.exit_code)


def _settled(code: int) -> int:
    """The exit code, with nothing left to write: what fails at the interpreter's exit would change it to 120."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        output.forget(sys.stdout)
        return code or failure.report(failure.of(error), as_json=False)
    return code


def _interrupt(number: int, frame: object) -> None:
    """Treat SIGTERM and SIGHUP like Ctrl-C, in a verb that has no handler of its own."""
    raise KeyboardInterrupt


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Nothing but a bug in this function lets a traceback out."""
    as_json, stdout = "--json" in arguments, sys.stdout
    try:
        return _dispatch(list(arguments) or ["--help"])
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place where everything ends
        sys.stdout = stdout  # an interrupt may come just as what a strategy prints is led to stderr (guarded.py)
        return failure.report(failure.of(usage.as_ours(error, _verb_in(arguments))), as_json=as_json)


def _dispatch(arguments: list[str]) -> int:
    verb = _verb_typed() if completions.is_asked() else _verb_of(arguments)
    result = build_app(verb)(args=arguments, prog_name="jaragua", standalone_mode=False)
    if result == Interrupted.exit_code:  # typer takes a KeyboardInterrupt, and says nothing
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _verb_typed() -> str | None:
    """The verb whose options or values a shell asks for; None while the verb itself is typed."""
    verb = _verb_in(completions.typed())
    return verb if verb in VERBS else None


def _verb_of(arguments: Sequence[str]) -> str | None:
    """The verb of a command line, or None if it has none (only options)."""
    verb = _verb_in(arguments)
    if verb is not None and verb not in VERBS:
        raise UsageError(f"there is no verb '{verb}'", usage.suggestion(verb, list(VERBS), "see `jaragua --help`"))
    return verb


def _verb_in(arguments: Sequence[str]) -> str | None:
    return next((word for word in arguments if not word.startswith("-")), None)


def build_app(verb: str | None) -> typer.Typer:
    """The application with `verb` loaded and all the others present by name and help only."""
    app = typer.Typer(
        cls=help_pages.Group,
        name="jaragua",
        help="Federated meta-learning for microcontrollers.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    get_completion_inspect_parameters()  # teaches typer its shells; its own options stay out of --help
    app.callback()(_root)
    for name, text in VERBS.items():
        if name == verb:
            _add(app, name, text, _load(name))
        else:
            app.command(name, help=text, short_help=text)(_not_loaded)
    return app


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=lambda on: _version(on), is_eager=True),
    ] = False,
) -> None:
    """Federated meta-learning for microcontrollers."""


def _version(wanted: bool) -> None:
    if wanted:
        output.show(f"jaragua {__version__}")
        raise typer.Exit


def _not_loaded() -> None:
    """Stands for a verb whose module is not needed by this command line."""


def _load(verb: str) -> typer.Typer:
    folder = _FOLDERS.get(verb, "")
    module = importlib.import_module(f"jaragua.cli.verbs.{folder}{verb.replace('-', '_')}")
    app: typer.Typer = module.app
    return app


def _add(root: typer.Typer, name: str, text: str, app: typer.Typer) -> None:
    if _is_group(app, name):
        group = help_pages.with_whole_lines(app)
        root.add_typer(group, name=name, cls=help_pages.Group, help=text, short_help=text, no_args_is_help=False)
        return
    function: Any = app.registered_commands[0].callback
    root.command(name, cls=help_pages.Command, short_help=text)(function)


def _is_group(app: typer.Typer, name: str) -> bool:
    if app.registered_callback or app.registered_groups or len(app.registered_commands) != 1:
        return True
    return app.registered_commands[0].name not in (None, name)


if __name__ == "__main__":
    main()
