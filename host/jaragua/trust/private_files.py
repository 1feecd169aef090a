"""Files that hold secrets: 0600, in folders of 0700, never half written (G2)."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from jaragua.errors import JaraguaError, StoreError
from jaragua.reasons import reason_of

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter; one that exists is restricted. Raises: StoreError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        path.chmod(FOLDER_MODE)
    except OSError as error:
        raise StoreError(f"the folder {path} cannot be made: {reason_of(error)}", "choose another folder") from error
    return path


def write(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Replace a file as a whole; it never has other rights than `mode`. Raises: StoreError."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp gives 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {reason_of(error)}", "check the folder and the disk") from error


def restrict(path: Path) -> None:
    """Make a file that only its owner may use, before something else opens it. Raises: OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    path.chmod(FILE_MODE)


def read(path: Path, what: str) -> bytes:
    """The bytes of a file; what: names it in the message. Raises: StoreError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{what} {path} cannot be read: {reason_of(error)}", "check the path and its rights"
        ) from error


def read_password(path: Path, refused: type[JaraguaError]) -> str:
    """The one line of a password file. Raises: StoreError if it cannot be read, `refused` if it may not be used."""
    data = read(path, "the password file")
    if is_open_to_all(path):
        raise refused(f"every user of this machine may read the password file {path}", f"chmod 600 {path}")
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise refused(f"the password file {path} is no text", "write one line into it") from error


def is_open_to_all(path: Path) -> bool:
    """Whether every user of this machine may read a file."""
    return bool(path.stat().st_mode & stat.S_IROTH)
