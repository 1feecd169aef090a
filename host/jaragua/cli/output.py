"""Results go to stdout, chatter to stderr, and `--json` prints exactly one document."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

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
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_result(data: Mapping[str, Any]) -> None:
    """Print a verb's result as its one JSON document."""
    print_document(result_document(data))


def say(text: str) -> None:
    """Tell the person something that is not the result: a line on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
