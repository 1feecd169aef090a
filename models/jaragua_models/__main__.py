"""`python -m jaragua_models emit --model NAME|FILE --out FOLDER`: the C of a network, for a firmware build."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from jaragua_compiler.codegen.emitter import emit
from jaragua_compiler.command_line import exit_code_of
from jaragua_compiler.errors import CompileError
from jaragua_compiler.graph.network import Loss
from jaragua_compiler.planning.plan import plan, with_prototypes
from jaragua_models.loading import load_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    options = _parser().parse_args(arguments)
    return exit_code_of(lambda: _emit(options), CompileError)


def _emit(options: argparse.Namespace) -> None:
    compiled = plan(load_model(options.model, options.loss).network, options.accumulate)
    if options.prototypes:
        compiled = with_prototypes(compiled, options.prototypes, options.prototype_gradients)
    emit(compiled, options.out)
    sizes = f"blob {compiled.blob_bytes} bytes, arena {compiled.arena_bytes} bytes"
    print(f"{compiled.network.name}: {sizes}, architecture {compiled.architecture.hex()}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jaragua_models", description="Networks to C for devices.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("emit", help="write jrg_model.c and jrg_model_config.h")
    verb.add_argument(
        "--model",
        required=True,
        help="a model of the zoo (digits, digits@w8), a task's TOML file, or a Keras, ONNX or LiteRT file",
    )
    verb.add_argument("--loss", choices=get_args(Loss), help="loss of a file, if it does not say")
    verb.add_argument("--accumulate", action="store_true", help="with sums: a step can take several samples (A11.1)")
    verb.add_argument("--prototypes", type=int, default=0, help="classes to recognise by prototypes (A12); 0: none")
    verb.add_argument("--prototype-gradients", action="store_true", help="enrolled samples can teach (A12.10)")
    verb.add_argument("--out", required=True, type=Path, help="folder for the C files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
