"""Every verb of `jaragua` with its arguments and options, from the definitions that `--help` prints."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from jaragua.cli.main import VERBS, build_app
from jaragua_documents.markdown import code, plain, table

#: What a help text ends with: [required], or default and range.
_LIMITS = re.compile(r"\s*\[((?:default: |required|[^\]]*<=?x|x[<>]=?)[^\]]*)\]$")


def verbs() -> str:
    """The table of all verbs."""
    return table(("verb", "what it does"), ((f"[`{verb}`](#jaragua-{verb})", text) for verb, text in VERBS.items()))


def reference() -> str:
    """A section for each verb."""
    return "\n\n".join(_section(verb) for verb in VERBS)


def _section(verb: str) -> str:
    root: Any = typer.main.get_command(build_app(verb))
    return "\n\n".join(_described(root.commands[verb], f"jaragua {verb}"))


def _described(command: Any, name: str, level: int = 2) -> Iterator[str]:
    """Heading, purpose, usage and options of a verb, then the same of the verbs below it."""
    context = command.make_context(name, [], resilient_parsing=True)
    yield f"{'#' * level} {name}"
    if text := inspect.cleandoc(command.help or ""):
        yield plain(text)
    yield f"Usage: `{name} {' '.join(command.collect_usage_pieces(context))}`"
    if rows := list(_rows(command, context)):
        yield table(("argument or option", "what it is", "default and range"), rows)
    for below, inner in getattr(command, "commands", {}).items():
        yield from _described(inner, f"{name} {below}", level + 1)


def _rows(command: Any, context: Any) -> Iterator[tuple[str, str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            names, text = record
            limits = _LIMITS.search(text)
            yield code(names), plain(_LIMITS.sub("", text)), code(limits[1]) if limits else ""
