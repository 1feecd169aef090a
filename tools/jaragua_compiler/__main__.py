"""`python -m jaragua_compiler emit --model NAME|FILE.keras --out FOLDER`: the C of a network, for a firmware build."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from jaragua_compiler.emitter import emit
from jaragua_compiler.errors import CompileError
from jaragua_compiler.frontends import from_keras
from jaragua_compiler.network import Loss, Network
from jaragua_compiler.plan import plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        compiled = plan(_network(options.model, options.loss), options.accumulate)
        emit(compiled, options.out)
    except CompileError as error:
        print(f"error: {error.message}", error.hint, sep="\n" if error.hint else "", file=sys.stderr)
        return error.exit_code
    sizes = f"blob {compiled.blob_bytes} bytes, arena {compiled.arena_bytes} bytes"
    print(f"{compiled.network.name}: {sizes}, architecture {compiled.architecture.hex()}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jaragua_compiler", description="Networks to C for devices.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("emit", help="write jrg_model.c and jrg_model_config.h")
    verb.add_argument("--model", required=True, help="a model of the zoo (digits, digits@w8), or a .keras file")
    verb.add_argument("--loss", choices=get_args(Loss), help="loss of a .keras file, if it does not say")
    verb.add_argument("--accumulate", action="store_true", help="with sums: a step can take several samples (A11.1)")
    verb.add_argument("--out", required=True, type=Path, help="folder for the C files")
    return parser


def _network(model: str, loss: Loss | None) -> Network:
    if model.endswith(".keras"):
        return from_keras(model, loss)[0]
    if loss is not None:
        raise CompileError("--loss is for .keras files; a model of the zoo names its own loss.", "Leave it out.")
    return _zoo_network(model)


def _zoo_network(name: str) -> Network:
    import jaragua_models

    if name.partition("@")[0] not in jaragua_models.names():
        raise CompileError(f"there is no model {name!r} in the zoo.", f"It has: {', '.join(jaragua_models.names())}.")
    try:
        return jaragua_models.get(name).network
    except jaragua_models.ModelError as error:
        raise CompileError(error.message, error.hint) from error


if __name__ == "__main__":
    sys.exit(main())
