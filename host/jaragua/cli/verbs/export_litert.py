"""`jaragua export-litert`: the file with which a Pi learns in LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jaragua.cli import output

app = typer.Typer()


@app.command()
def export_litert(
    model: Annotated[
        str,
        typer.Argument(help="A model of the zoo, a model file (.keras, .onnx, .tflite) or the TOML file of a task."),
    ],
    out: Annotated[Path | None, typer.Option(help="File to write; default: NETWORK.tflite.")] = None,
    loss: Annotated[str | None, typer.Option(help="Loss, for a model file that does not name one.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Weights in the file: the .safetensors file of a run or simulation.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Write a training file (.tflite) for `jaragua client --engine litert`. Needs TensorFlow; the client does not."""
    from jaragua.cli.verbs.compile import loss_of
    from jaragua.errors import ToolError
    from jaragua_compiler.export.inputs.weights_file import read_weights
    from jaragua_compiler.litert.export import TensorFlowMissing, export
    from jaragua_models.loading import load_model

    try:
        loaded = load_model(model, loss_of(loss), start)
        loaded = loaded if start is None else loaded.started(read_weights(start, loaded.network))
        file = export(loaded, out)
    except TensorFlowMissing as error:
        raise ToolError(error.message, error.hint) from error
    size_bytes = file.path.stat().st_size
    if json:
        architecture = file.architecture.hex()
        found = {"file": str(file.path), "network": file.network, "architecture": architecture, "bytes": size_bytes}
        output.print_result(found)
    else:
        output.show(f"{file.path}: trains {file.network}, architecture {file.architecture.hex()}, {size_bytes:,} bytes")
