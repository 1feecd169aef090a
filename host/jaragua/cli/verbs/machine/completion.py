"""`jaragua completion`: the script with which a shell completes verbs, options and names."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from jaragua.cli import completions
from jaragua.errors import UsageError

app = typer.Typer()


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", autocompletion=completions.shells)],
) -> None:
    """Print the script with which a shell completes `jaragua`: source it, or keep it where the shell looks for it."""
    from jaragua.cli.main import build_app

    if shell not in completions.SHELLS:
        raise UsageError(f"there is no completion for '{shell}'", f"use one of: {', '.join(completions.SHELLS)}")
    os.environ[completions.VARIABLE] = f"source_{shell}"
    build_app(None)(args=[], prog_name="jaragua")
