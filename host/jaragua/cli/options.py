"""The options of a verb that has many, in one value.

`from_fields(Options)` takes them from the fields of a dataclass, annotated as typer wants. `takes(…)` takes them from a
table, which may have settings in it: their help and range stand in `jaragua.settings`.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from typing import Annotated, Any, TypeAlias, TypeVar, get_type_hints

import typer

from jaragua import settings
from jaragua.errors import UsageError


@dataclass(frozen=True)
class Option:
    """One option of a verb, or with `argument` what stands there without a name."""

    name: str
    type: Any
    help: str
    default: Any = None
    least: float | None = None
    most: float | None = None
    argument: bool = False
    key: str = ""
    """Key of a setting, `section.key`."""

    @property
    def parameter(self) -> inspect.Parameter:
        """As typer reads it from a signature."""
        kind = self.type if isinstance(self.default, bool) else self.type | None
        info = self._info()
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=Annotated[kind, info]
        )

    def _info(self) -> Any:
        if self.argument:
            return typer.Argument(help=self.help)
        flag = f"--{self.name.rstrip('_').replace('_', '-')}"
        return typer.Option(flag, help=self.help, min=self.least, max=self.most)


@dataclass(frozen=True)
class Given:
    """What a verb was called with. values: of all options; named: those that stand on the command line."""

    values: Mapping[str, Any]
    named: frozenset[str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


Verb: TypeAlias = Callable[[Given], None]
Options = TypeVar("Options")


def setting(key: str, name: str = "", help: str = "") -> Option:
    """The option of a setting, without a default: what is not given is left to the file or the model."""
    found = settings.key(key)
    about = found.setting
    return Option(
        name or found.name,
        found.type,
        (help or about.help).rstrip(".") + _default(found),
        least=about.least,
        most=about.most,
        key=key,
    )


def from_fields(kind: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Give a verb the fields of a dataclass as its options, in one value; the fields are annotated as typer wants."""

    def decorated(verb: Callable[[Options], None]) -> Callable[..., None]:
        def called(**values: Any) -> None:
            verb(kind(**values))

        hints = get_type_hints(kind, include_extras=True)
        parameters = [one.replace(annotation=hints[one.name]) for one in inspect.signature(kind).parameters.values()]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        called.__name__, called.__doc__ = verb.__name__, verb.__doc__
        return called

    return decorated


def takes(*options: Option) -> Callable[[Verb], Callable[..., None]]:
    """Give a verb these options; it gets them as one `Given`."""

    def decorated(verb: Verb) -> Callable[..., None]:
        def called(context: typer.Context, **values: Any) -> None:
            verb(Given(values, _named(context)))

        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        parameters = [context, *(option.parameter for option in options)]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        called.__name__, called.__doc__ = verb.__name__, verb.__doc__
        return called

    return decorated


def changes(given: Given, options: Sequence[Option], assignments: Sequence[str]) -> dict[str, Any]:
    """Values by `section.key`: of the settings among the options that were named, and of each `--set KEY=VALUE`.

    Raises: UsageError for an assignment that is none, or a key that is given twice.
    """
    found = {one.key: given[one.name] for one in options if one.key and one.name in given.named}
    for text in assignments:
        key, value = _assigned(text)
        if key in found:
            raise UsageError(f"{key} is given twice", "give it once: it is unclear which one counts")
        found[key] = value
    return found


def _assigned(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise UsageError(f"--set {text!r} is not section.key=value", "for example --set client.learning_rate=0.05")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()  # a name need not be quoted


def _named(context: typer.Context) -> frozenset[str]:
    said = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(name for name, source in said.items() if source is not None and source.name == "COMMANDLINE")


def _default(key: settings.Key) -> str:
    """Where the value comes from if nothing is said, and a full stop."""
    if key.setting.default_from:
        return f"; default: {key.default_in_words}."
    return "." if key.default in (MISSING, "") else f"; default: {key.default}."
