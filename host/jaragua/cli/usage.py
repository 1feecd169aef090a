"""What typer raises about a command line, as errors of this project: one sentence, and what was meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import typer

from jaragua.errors import UsageError
from jaragua.reasons import value_in_words

#: The base of typer's usage errors. Some versions of typer carry their own click: found by kinship, not by name.
_TyperUsageError: type[Exception] = typer.BadParameter.__mro__[1]
_VALUE = "invalid value for "


def as_ours(error: BaseException, verb: str | None) -> BaseException:
    """Translate what typer raises about the command line of a verb; other errors stay as they are."""
    if isinstance(error, _TyperUsageError):
        return _usage(error, "jaragua" if verb is None else f"jaragua {verb}")
    return KeyboardInterrupt() if isinstance(error, typer.Abort) else error


def suggestion(word: str, known: list[str], otherwise: str) -> str:
    """The nearest of the words that are known, if there is one; and what to do in any case."""
    nearest = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{nearest[0]}'? {otherwise}" if nearest else otherwise


def _usage(error: Exception, verb: str) -> UsageError:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", verb)
    help_line = f"see `{path} --help`"
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        return UsageError(f"`{path}` has no option '{option}'", suggestion(option, _options(context), help_line))
    sentence, _, meant = _sentence(error).partition(". Did you mean ")
    if sentence.startswith("no such command "):
        return _unknown_verb(sentence, context, help_line)
    return UsageError(sentence, f"did you mean {meant.rstrip('?')}? {help_line}" if meant else help_line)


def _unknown_verb(sentence: str, context: Any, help_line: str) -> UsageError:
    """The error for an unknown verb of a group such as `jaragua broker`."""
    known = list(getattr(getattr(context, "command", None), "commands", ()))
    hint = f"there are: {', '.join(known)}; {help_line}" if known else help_line
    return UsageError(
        sentence.replace("no such command", f"`{getattr(context, 'command_path', '')}` has no verb"), hint
    )


def _sentence(error: Exception) -> str:
    """In one line, and with the values that pydantic would take in plain words."""
    text = " ".join(str(getattr(error, "format_message", lambda: str(error))()).split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    if not text.startswith(_VALUE):
        return text
    option, separator, message = text.partition(": ")
    return option + separator + value_in_words(message)


def _options(context: Any) -> list[str]:
    parameters = [*context.command.params, context.command.get_help_option(context)] if context else []
    names = [name for parameter in parameters if parameter is not None for name in parameter.opts]
    return [name for name in names if name.startswith("--")]
