"""Find the file of a data set: in $JARAGUA_DATA_DIR, then in the cache, then at its official address."""

import os
from dataclasses import dataclass
from pathlib import Path

from jaragua_models.data import download
from jaragua_models.errors import DataError

DATA_DIR_VARIABLE = "JARAGUA_DATA_DIR"


@dataclass(frozen=True)
class Source:
    """One file of a data set, as its makers publish it."""

    folder: str
    """Folder of the data set; the file is <data folder>/<folder>/<file>."""
    file: str
    url: str
    sha256: str | None = None
    """SHA-256 of the official file, where published; the content is checked on reading in any case."""


def find(source: Source) -> Path:
    """The file, downloaded into the cache if it is nowhere else. Raises: DataError."""
    return local(source.folder, source.file) or _downloaded(source)


def local(folder: str, file: str) -> Path | None:
    """Where <folder>/<file> lies on this machine, or None. Raises: DataError if the data folder does not exist."""
    candidates = [base / folder / file for base in _bases()]
    return next((path for path in candidates if path.is_file()), None)


def cache_folder() -> Path:
    """Where downloads and what was computed from them lie: $XDG_CACHE_HOME/jaragua/data, by default under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jaragua" / "data"


def _bases() -> list[Path]:
    named = os.environ.get(DATA_DIR_VARIABLE)
    if not named:
        return [cache_folder()]
    if not Path(named).is_dir():
        raise DataError(
            f"{DATA_DIR_VARIABLE} names the folder {named}, which does not exist.", "Set it to a folder, or unset it."
        )
    return [Path(named), cache_folder()]


def _downloaded(source: Source) -> Path:
    target = cache_folder() / source.folder / source.file
    try:
        download.fetch(source.url, target, source.sha256)
    except download.DownloadError as error:
        raise DataError(
            f"The data file {source.folder}/{source.file} is not on this machine and cannot be downloaded: {error}.",
            f"Download {source.url} elsewhere and put it at {target}, or set {DATA_DIR_VARIABLE} to a folder that has "
            f"{source.folder}/{source.file}.",
        ) from error
    return target
