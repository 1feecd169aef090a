"""Make ``jrg_defs.h`` from ``host/jaragua/wire/definitions.toml``: the protocol's numbers as C constants.

``python -m jaragua.wire.codegen.constants FOLDER`` writes the header into FOLDER.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

HEADER_NAME = "jrg_defs.h"

# Table of the TOML file -> (prefix of the C constants, page of docs/reference/protocol.md).
_CONSTANT_TABLES = {
    "protocol": "JRG_PROTOCOL",
    "limits": "JRG_LIMIT",
    "timing_ms": "JRG_MS",
    "counts": "JRG_COUNT",
}
_ENUM_TABLES = {
    "frame_types": "jrg_frame_type",
    "log_levels": "jrg_log_level",
    "job_kinds": "jrg_job_kind",
    "job_states": "jrg_job_state",
    "reset_causes": "jrg_reset_cause",
}

_TOP = """/* Made from host/jaragua/wire/definitions.toml; do not edit. */
#ifndef JRG_DEFS_H
#define JRG_DEFS_H

/* The result of a function that can fail must be looked at. */
#if defined(__GNUC__)
#define JRG_MUST_USE __attribute__((warn_unused_result))
#else
#define JRG_MUST_USE
#endif
"""


def load_definitions() -> dict[str, Any]:
    """Return the parsed ``definitions.toml``."""
    text = (files("jaragua") / "wire" / "definitions.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def header_text(definitions: dict[str, Any]) -> str:
    """Return the C header for ``definitions``: constants, enums and ``jrg_status``."""
    parts = [_TOP]
    parts += [_constants(table, prefix, definitions[table]) for table, prefix in _CONSTANT_TABLES.items()]
    parts.append(_operators(definitions["operator"]))
    parts += [_enum(name, definitions[table]) for table, name in _ENUM_TABLES.items()]
    parts.append(_enum("jrg_status", {entry["name"]: entry["number"] for entry in definitions["status"]}))
    protocol = definitions["protocol"]
    parts.append(f'/* For people (L1.4). */\n#define JRG_PROTOCOL_TEXT "{protocol["major"]}.{protocol["minor"]}"\n')
    parts.append("#endif\n")
    return "\n".join(parts)


def write_header(folder: Path) -> Path:
    """Write ``jrg_defs.h`` into ``folder`` (made if missing); leave an equal file alone so that nothing is rebuilt."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / HEADER_NAME
    text = header_text(load_definitions())
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def _constants(table: str, prefix: str, entries: dict[str, int]) -> str:
    lines = [f"/* [{table}] */"]
    for name, value in entries.items():
        lines.append(f"#define {prefix}_{name.upper()} {value}u")
    return "\n".join(lines) + "\n"


def _operators(entries: list[dict[str, Any]]) -> str:
    lines = [f"#define JRG_OPERATOR_{entry['name'].upper()} (1u << {entry['bit']})" for entry in entries]
    return "\n".join(["/* [[operator]] */", *lines]) + "\n"


def _enum(name: str, entries: dict[str, int]) -> str:
    lines = [f"    {name.upper()}_{entry.upper()} = {number}," for entry, number in entries.items()]
    return "typedef enum {\n" + "\n".join(lines) + f"\n}} {name};\n"


if __name__ == "__main__":
    print(write_header(Path(sys.argv[1])))
