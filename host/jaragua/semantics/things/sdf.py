"""Thing Descriptions as SDF (RFC 9880), by the package sdf-wot-converter (S4.7). Pure: nothing is fetched.

A description of a stranger may name Thing Models by URL or by file, which the package would read: it is refused.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from typing import Any

from jaragua.errors import DataError, ToolError

_NAMES = ("jrg:fleet", "jrg:node", "jrg:device")
_ID_DIGITS = 16


def sdf_of(description: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An SDF model, and the mapping file with what SDF has no words for.

    Raises: DataError for a description that cannot be converted, ToolError without the package.
    """
    converter = _needed("sdf_wot_converter")
    if _names_thing_model(description):
        raise DataError(
            "a description names another document (tm:ref, or links to Thing Models), and nothing is fetched",
            "resolve its Thing Models before it is published",
        )
    try:
        model, mapping = converter.convert_wot_td_to_sdf(dict(description))
    except Exception as error:
        raise DataError(f"a description is no Thing Description that SDF can say: {_first_line(error)}") from error
    return model, mapping or {}


def file_name(description: Mapping[str, Any]) -> str:
    """Of its files, without an ending: fleet, node and device, which the shapes checked; else of its id."""
    names = [str(description[term]) for term in _NAMES if term in description]
    return ".".join(names) or hashlib.sha256(str(description.get("id")).encode()).hexdigest()[:_ID_DIGITS]


def _names_thing_model(value: object) -> bool:
    """Jaragua's own descriptions have no links at all. The nesting is bounded: `read_description`."""
    if isinstance(value, Mapping):
        return any(key in ("tm:ref", "links") or _names_thing_model(one) for key, one in value.items())
    return isinstance(value, list) and any(map(_names_thing_model, value))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _needed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ToolError(
            f"SDF needs the package {name}, which is not installed", "pip install 'jaragua[semantics,sdf]'"
        ) from error
