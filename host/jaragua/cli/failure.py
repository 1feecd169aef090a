"""Turn whatever went wrong into one sentence, a hint and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jaragua import errors, folders
from jaragua.cli import output
from jaragua.printable import redacted

DEBUG_VARIABLE = "JARAGUA_DEBUG"

#: What a disk refuses to have written: number of an OSError -> what to do. Whatever it ends, it ends as a StoreError.
_OF_THE_DISK = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room: a quota is used up",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "name another place: nothing can be written there",
}
#: What else the machine refuses, and no fault of Jaragua.
_OF_THE_MACHINE = {
    errno.EACCES: "mend the rights, or name another place",
    errno.EMFILE: "allow more open files (ulimit -n), or ask for fewer workers",
}
#: What `Path.home()` says.
_NO_HOME = "Could not determine home directory."


@dataclass(frozen=True)
class Failure:
    """How a command ends when it does not end well."""

    code: str
    exit_code: int
    message: str
    hint: str = ""


def of(error: BaseException) -> Failure:
    """Describe any exception. An unexpected one leaves its traceback in a file, or on stderr with JARAGUA_DEBUG=1."""
    if (refused := _refused_by_the_disk(error)) is not None:
        return _of_the_disk(error, refused)
    if isinstance(error, errors.JaraguaError):
        return Failure(error.code, error.exit_code, error.message, error.hint)
    if (found := _kind_of_other_tree(error)) is not None:
        return Failure(*found, str(getattr(error, "message", error)), str(getattr(error, "hint", "")))
    if isinstance(error, KeyboardInterrupt):
        return Failure(errors.Interrupted.code, errors.Interrupted.exit_code, "stopped by the user")
    if isinstance(error, MemoryError):
        hint = "ask for fewer devices, samples or tasks at once"
        return Failure(errors.JaraguaError.code, errors.JaraguaError.exit_code, f"not enough memory: {error}", hint)
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return Failure(errors.JaraguaError.code, errors.JaraguaError.exit_code, _sentence(error), _hint(error))
    if isinstance(error, RuntimeError) and str(error) == _NO_HOME:
        hint = "set HOME to a folder you may write to, or " + " and ".join(folders.VARIABLES)
        return Failure(errors.StoreError.code, errors.StoreError.exit_code, "this user has no home folder", hint)
    if isinstance(error, UnicodeEncodeError) and (told := _of_a_name(error)) is not None:
        return told
    return _unexpected(error)


def _refused_by_the_disk(error: BaseException | None) -> OSError | None:
    """The error of the disk that an error is, or was raised from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            return error
        error = error.__cause__
    return None


def _of_the_disk(error: BaseException, refused: OSError) -> Failure:
    """In the words of who knew what was to be written, if somebody did."""
    message = str(getattr(error, "message", "")) or _sentence(refused)
    hint = str(getattr(error, "hint", "")) or _hint(refused)
    return Failure(errors.StoreError.code, errors.StoreError.exit_code, message, hint)


def _sentence(error: OSError) -> str:
    return f"{error.filename or 'what was to be written'}: {error.strerror}"


def _hint(error: OSError) -> str:
    """What to do about what the machine refuses: for a user's own folders, which variable leads elsewhere."""
    variable = folders.variable_for(str(error.filename)) if error.filename else ""
    if variable and error.errno in (errno.EACCES, errno.EROFS):
        return f"set {variable} to a folder you may write to"
    return (_OF_THE_DISK | _OF_THE_MACHINE)[error.errno or 0]


def report(failure: Failure, *, as_json: bool) -> int:
    """Say it on stderr (and as a document on stdout where `--json` was asked for); returns the exit code."""
    if as_json:
        with suppress(errors.JaraguaError):  # no stdout: the sentence on stderr is all that can be said
            output.print_document(output.error_document(failure.code, failure.message, failure.hint))
    output.say(f"error: {failure.message}")
    if failure.hint:
        output.say(f"hint: {failure.hint}")
    return failure.exit_code


def _kind_of_other_tree(error: BaseException) -> tuple[str, int] | None:
    """Name and exit code of an error of the compiler or the zoo; a module never imported has raised nothing."""
    for (module_name, class_name), found in errors.OTHER_TREES.items():
        kind = getattr(sys.modules.get(module_name), class_name, None)
        if kind is not None and isinstance(error, kind):
            return found
    return None


def _of_a_name(error: UnicodeEncodeError) -> Failure | None:
    """A file's name that the locale has no letters for, or that is no text; None: it is something else."""
    letters = error.object[error.start : error.end]
    if error.encoding == "utf-8":  # only half of a surrogate pair cannot be encoded: a byte of a name that is no UTF-8
        message, hint = "a name has bytes that are not UTF-8", "rename the file or folder, or choose another name"
    elif error.encoding == sys.getfilesystemencoding():
        message = f"this locale ({error.encoding}) has no letters for a name with '{letters}'"
        hint = "set LC_ALL=C.UTF-8, or PYTHONUTF8=1"
    else:
        return None
    return Failure(errors.JaraguaError.code, errors.JaraguaError.exit_code, f"{message}: {error.object}", hint)


def _unexpected(error: BaseException) -> Failure:
    summary = redacted(f"unexpected {type(error).__name__}: {error}").splitlines()[0]
    text = redacted("".join(traceback.format_exception(error)))
    if os.environ.get(DEBUG_VARIABLE) == "1":
        output.say(text.rstrip())
        return Failure(errors.InternalError.code, errors.InternalError.exit_code, summary)
    hint = f"this is a fault of Jaragua; {_keep(text)}{DEBUG_VARIABLE}=1 shows the traceback at once"
    return Failure(errors.InternalError.code, errors.InternalError.exit_code, summary, hint)


def _keep(text: str) -> str:
    """Write the traceback where it can be found; returns the words that say where."""
    for folder in _log_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "last-error.log"
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return f"the traceback is in {path}; "
    return ""


def _log_folders() -> list[Path]:
    temporary = Path(tempfile.gettempdir()) / f"jaragua-{os.getuid()}"
    try:
        return [folders.state_folder(), temporary]
    except errors.StoreError:
        return [temporary]
