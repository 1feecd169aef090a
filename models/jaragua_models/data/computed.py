"""Arrays that take seconds to compute from a data set's files, kept in the cache."""

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaragua_models.data.locate import cache_folder

Arrays = dict[str, NDArray[Any]]


def kept(name: str, compute: Callable[[], Arrays]) -> Arrays:
    """The arrays of <cache>/<name>.npz, computed and kept there if they are not (or not whole).

    `name` must change whenever the result does. A cache that cannot be written is no error.
    """
    path = cache_folder() / f"{name}.npz"
    try:
        return _read(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        arrays = compute()
    _write(path, arrays)
    return arrays


def _read(path: Path) -> Arrays:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def _write(path: Path, arrays: Arrays) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}-", delete=False) as file:
            written = Path(file.name)
            np.savez_compressed(file, allow_pickle=False, **arrays)
        os.replace(written, path)
    except OSError:
        return
