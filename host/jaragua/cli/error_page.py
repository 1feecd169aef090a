"""Writes the page of errors: `python -m jaragua.cli.error_page > docs/reference/errors.md`."""

from __future__ import annotations

import sys
import tomllib
from importlib.resources import files

from jaragua.errors import exit_code_table

_PAGE = """# Errors

This page is generated: `python -m jaragua.cli.error_page > docs/reference/errors.md`. A test compares the two.

Every command ends with one of these exit codes (0: all went well). It prints one sentence on stderr (`error: …`) and
what to do (`hint: …`). With `--json` it also prints one document on stdout:
`{{"schema_version":1,"status":"error","error":{{"code":…,"message":…,"hint":…}}}}`, where `code` is the name below.
The traceback of an unexpected error goes to a file that the hint names; `JARAGUA_DEBUG=1` shows it at once.

stdout and stderr may have any encoding. A sign that it has no letter for is written in ASCII (± as +/-, … as ...), a
letter as an escape, so that a name stays exact; a document stays the same JSON. What is not a terminal has no width: in
a pipe or a file, tables are complete.

## Exit codes

{exit_codes}

## Status codes of a board

What a board answers when it cannot do what it was asked ([L4.9](protocol.md#l4-jobs)). A command that passes one
on ends with the exit code of `board`.

{statuses}

## Why a board restarted or gave up a session

The reset cause in a board's identity, and in a RESET frame (docs/reference/protocol.md, L2.3).

{causes}
"""


def page() -> str:
    """The whole page, as Markdown."""
    definitions = tomllib.loads(files("jaragua.wire").joinpath("definitions.toml").read_text(encoding="utf-8"))
    statuses = [
        f"| {one['number']} | `{one['name']}` | {one['meaning']} | {one['remedy']} |" for one in definitions["status"]
    ]
    causes = [f"| {number} | `{name}` |" for name, number in definitions["reset_causes"].items()]
    return _PAGE.format(
        exit_codes=exit_code_table(),
        statuses="\n".join(["| number | name | what happened | what to do |", "|---|---|---|---|", *statuses]),
        causes="\n".join(["| number | name |", "|---|---|", *causes]),
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(page().encode())  # the page is UTF-8, whatever the terminal is
