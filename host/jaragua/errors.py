"""Everything that can go wrong, as one tree: each error says what happened, how to mend it, and how the command ends.

`code` is the stable name that `--json` prints; `exit_code` is the number the shell sees. Both are documented in
`docs/reference/errors.md`, and a test keeps that page and this file the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class JaraguaError(Exception):
    """An error a person can act on: `message` is one sentence, `hint` says what to do, or is empty."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "A failure that has no kind of its own."
    remedy: ClassVar[str] = "Read the sentence; it says what happened."

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(JaraguaError):
    """The command line cannot be understood."""

    code = "usage"
    exit_code = 2
    meaning = "The command line has an unknown verb or option, or a value that does not fit."
    remedy = "Run the verb with `--help`; the hint names the nearest option."


class ConfigurationError(JaraguaError):
    """A configuration file is broken; the message lists every problem, one a line."""

    code = "configuration"
    exit_code = 3
    meaning = "The run's TOML cannot be read, or has unknown keys or values that do not fit."
    remedy = "Every problem is listed with its line and key: correct them all and start again."


class PortError(JaraguaError):
    """A serial port or pty cannot be opened, or was lost."""

    code = "port"
    exit_code = 4
    meaning = "A serial port does not exist, may not be opened, or went away."
    remedy = "Check the cable and the rights: `jaragua doctor --for gateway` says what is missing."


class BrokerError(JaraguaError):
    """The MQTT broker is not there, refuses, or was lost for good."""

    code = "broker"
    exit_code = 5
    meaning = "The MQTT broker cannot be reached or refuses the connection."
    remedy = "Start one with `jaragua broker start`, or check the URL."


class BoardError(JaraguaError):
    """A board does not answer, or refuses what it was asked."""

    code = "board"
    exit_code = 6
    meaning = "A board is silent or answered a request with a refusal."
    remedy = "Look at it with `jaragua monitor --port …`; reset it if it is silent."


class ProtocolError(BoardError):
    """Bytes from a wire that do not follow the protocol, or another version of it."""

    code = "protocol"
    meaning = "A message does not follow the protocol, or the other side speaks another version of it."
    remedy = "Bring the board and the host to the same version; the message names the command."


class ModelError(JaraguaError):
    """A network that is unknown, cannot be compiled, or does not fit."""

    code = "model"
    exit_code = 7
    meaning = "The model is unknown, or the weights do not belong to it."
    remedy = "Check the model's name; a blob and a board must be built from the same network."


class DataError(JaraguaError):
    """A data set or a task that cannot be read or drawn."""

    code = "data"
    exit_code = 8
    meaning = "A data set is missing, damaged, or too small for the task asked for."
    remedy = "Check the number of ways and shots, and that the data set is there."


class RunError(JaraguaError):
    """A run that cannot start, go on, or end well."""

    code = "run"
    exit_code = 9
    meaning = (
        "A run cannot continue: too few devices, no quorum, folder or fleet already in use, a strategy that fails."
    )
    remedy = "`jaragua status RUN_DIR` shows where it stands; `jaragua run CONFIG --resume` continues it."


class StoreError(RunError):
    """The folder or the database of a run, or anything else that is kept, cannot be read or written."""

    code = "store"
    meaning = "A folder or database is damaged, of another version, or cannot be written; a disk is full or read-only."
    remedy = "Make room on the disk, or correct the folder's permissions. Damaged: restore a copy, or name another."


class LostRunError(StoreError):
    """A run's folder whose database knows less of its run than the files beside it (R16)."""

    code = "lost"
    meaning = "The run's database was cut, emptied, removed or exchanged: the files beside it tell of more rounds."
    remedy = "Put a whole copy of it back; `--resume` does lost rounds again, `--new` begins anew. Neither deletes."


class ToolError(JaraguaError):
    """A program that the work needs is missing or failed."""

    code = "tool"
    exit_code = 10
    meaning = "A program that is needed (compiler, emulator, broker) is missing or failed."
    remedy = "`jaragua doctor --for ROLE` lists what the role needs, and the command that mends each."


class InternalError(JaraguaError):
    """A fault of Jaragua itself: nothing the user did."""

    code = "internal"
    exit_code = 70
    meaning = "A fault in Jaragua itself; the traceback is in the file that the hint names."
    remedy = "Set JARAGUA_DEBUG=1 to see the traceback at once, and report it."


class Interrupted(JaraguaError):
    """The user stopped the command."""

    code = "interrupted"
    exit_code = 130
    meaning = "Ctrl-C or a termination signal stopped the command."
    remedy = "Nothing stored is lost; a run continues with `jaragua run CONFIG --resume`."


#: The compiler, the zoo and the broker do not know this package and have trees of their own: module and class of their
#: errors, special ones first -> name and exit code.
OTHER_TREES = {
    ("jaragua_compiler.errors", "ToolchainError"): (ToolError.code, ToolError.exit_code),
    ("jaragua_compiler.errors", "CompileError"): ("compile", ModelError.exit_code),
    ("jaragua_broker.errors", "MissingError"): (ToolError.code, ToolError.exit_code),
    ("jaragua_broker.errors", "StartError"): (BrokerError.code, BrokerError.exit_code),
    ("jaragua_models.errors", "DataError"): (DataError.code, DataError.exit_code),
    ("jaragua_models.errors", "ModelError"): (ModelError.code, ModelError.exit_code),
}
COMPILE_MEANING = "A network cannot be compiled, or a blob or an input does not fit it."
COMPILE_REMEDY = "The message names the layer or value; change the network's description."


def kinds(root: type[JaraguaError] = JaraguaError) -> Iterator[type[JaraguaError]]:
    """Every kind of error that this file defines, parents before children."""
    if root.__module__ == __name__:
        yield root
    for child in root.__subclasses__():
        yield from kinds(child)


def exit_code_table() -> str:
    """The table of `docs/reference/errors.md`, as Markdown."""
    rows = [(kind.exit_code, kind.code, kind.meaning, kind.remedy) for kind in kinds()]
    rows.append((ModelError.exit_code, "compile", COMPILE_MEANING, COMPILE_REMEDY))
    lines = ["| exit code | name | what happened | what to do |", "|---|---|---|---|"]
    lines += [f"| {number} | `{name}` | {meaning} | {remedy} |" for number, name, meaning, remedy in sorted(rows)]
    return "\n".join(lines)
