"""Download one file: resumed where it broke off, checked, and in place only when it is whole."""

import contextlib
import fcntl
import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from jaragua_models.data.progress import Progress

TIMEOUT_S = 30
BLOCK_BYTES = 1 << 16


class DownloadError(Exception):
    """Why a file could not be had, in half a sentence."""


def fetch(url: str, target: Path, sha256: str | None, screen: TextIO | None = None) -> None:
    """Put what lies at `url` at `target`. A part of an earlier attempt (`<target>.part`) is continued.

    Two processes may do this at once: the second waits for the first. `screen` (stderr) shows the progress.
    Raises: DownloadError; the part that did arrive is kept unless it is wrong.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(target.name + ".part")) as part:
            if not target.exists():
                _receive(url, part, Progress(target.name, screen or sys.stderr))
                _check(part, sha256)
                os.replace(part.name, target)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise DownloadError(_reason(error)) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The part file, open at its end and locked; left without a trace if it is still empty."""
    with path.open("ab+") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        try:
            yield part
        finally:
            if _is_empty_and_ours(part, path):
                path.unlink()


def _is_empty_and_ours(part: BinaryIO, path: Path) -> bool:
    own = os.fstat(part.fileno())
    return own.st_size == 0 and path.exists() and path.stat().st_ino == own.st_ino


def _receive(url: str, part: BinaryIO, progress: Progress) -> None:
    have = part.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
        return  # nothing is missing: the check decides whether what there is is right
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            part.truncate(0)
            have = 0
        _copy(answer, part, have, progress)


def _copy(answer: http.client.HTTPResponse, part: BinaryIO, have: int, progress: Progress) -> None:
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length else None
    with progress:
        while block := answer.read(BLOCK_BYTES):
            part.write(block)
            have += len(block)
            progress.show(have, total)
    part.flush()
    if total is not None and have != total:
        raise DownloadError(f"the connection broke off after {have} of {total} bytes")


def _check(part: BinaryIO, sha256: str | None) -> None:
    part.seek(0)
    if sha256 is None or hashlib.sha256(Path(part.name).read_bytes()).hexdigest() == sha256:
        return
    part.truncate(0)
    raise DownloadError("what arrived is not the expected file (its SHA-256 differs)")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
