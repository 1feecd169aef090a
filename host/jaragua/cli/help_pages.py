"""Help pages that every stream can carry and that cut no line."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from jaragua.cli.streams import carried


class Command(TyperCommand):
    """A verb. typer writes UTF-8 to a stream that says it takes ASCII, so the page is made fit before."""

    def get_help(self, ctx: Any) -> str:
        """The page, in characters that stdout can carry."""
        return carried(super().get_help(ctx))


class Group(TyperGroup):
    """`jaragua` itself, or a verb with verbs of its own."""

    def get_help(self, ctx: Any) -> str:
        """The page, in characters that stdout can carry."""
        return carried(super().get_help(ctx))


def with_whole_lines(app: typer.Typer) -> typer.Typer:
    """The same group, its list of verbs with the first sentence of each verb's docstring, uncut."""
    for info in app.registered_commands:
        info.cls = Command
        info.short_help = info.short_help or (info.callback.__doc__ or "").partition("\n\n")[0]
    return app
