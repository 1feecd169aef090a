"""Results go to stdout, chatter to stderr, and `--json` prints exactly one document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

from jaragua.errors import JaraguaError

SCHEMA_VERSION = 1


def result_document(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a verb that ended well."""
    return {"schema_version": SCHEMA_VERSION, "status": "ok", "data": dict(data)}


def error_document(code: str, message: str, hint: str) -> dict[str, Any]:
    """The document of a verb that failed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "status": "error",
        "error": {"code": code, "message": message, "hint": hint},
    }


def print_document(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout. Raises: JaraguaError if nothing can be written there, BrokenPipeError."""
    if sys.stdout is None:
        raise JaraguaError("the result cannot be printed: stdout is closed", "leave it open, or send it to a file")
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    try:
        sys.stdout.write(_writable(text, document) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(sys.stdout)
        raise JaraguaError(f"the result cannot be printed: {error.strerror}", "make room where stdout goes") from error


def _writable(text: str, document: Mapping[str, Any]) -> str:
    """The same JSON with escapes, where a terminal or a pipe cannot take its letters (a file's name may be no text)."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, allow_nan=False)
    return text


def forget(stream: TextIO) -> None:
    """What is not written yet is given up: else the interpreter tries it again at its exit, and complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_result(data: Mapping[str, Any]) -> None:
    """Print a verb's result as its one JSON document."""
    print_document(result_document(data))


def say(text: str) -> None:
    """Tell the person something that is not the result: a line on stderr. One that cannot be told ends nothing."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        with suppress(OSError):  # of a stream that is no file
            forget(sys.stderr)
