"""A report as one HTML file that needs nothing else: style and charts are in it, and it runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from jaragua import __version__
from jaragua.errors import ToolError
from jaragua.report.page.model import Part
from jaragua.report.page.values import text

WITHOUT: Final = "a report needs Jinja2 and matplotlib"
WITH: Final = "pip install 'jaragua[report]'"


def render(title: str, parts: Sequence[Part]) -> str:
    """The page. Everything but the drawings of charts is escaped. Raises: ToolError without Jinja2."""
    template: Any = _environment().from_string(_resource("template.html"))
    return str(template.render(title=text(title), parts=parts, style=_resource("style.css"), version=__version__))


def _environment() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise ToolError(WITHOUT, WITH) from error
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _resource(name: str) -> str:
    return files("jaragua.report.page").joinpath(name).read_text(encoding="utf-8")
