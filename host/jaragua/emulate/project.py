"""The PlatformIO project that images are built in: a clone, or a copy of the installed sources in the user's cache.

An installed package carries the firmware, the platform and platformio.ini. PlatformIO writes beside them, so they are
copied to a folder of the cache whose name holds the version and a hash of what was copied. Packages that PlatformIO
downloads lie beside these folders, and outlive an upgrade.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from jaragua import __version__, folders
from jaragua.errors import StoreError, ToolError
from jaragua.reasons import reason_of
from jaragua_compiler.engines.native import kernel_folder

CONFIGURATION: Final = "platformio.ini"
#: Of platformio.ini: where PlatformIO keeps what it downloads.
_CORE: Final = "core_dir = ${PROJECT_DIR}/.venv/platformio"
#: Tells this project's folder `firmware` from one of somebody else.
_OF_OURS: Final = Path("firmware", "flags.toml")


def project_folder() -> Path:
    """The folder of platformio.ini: of the clone the user is in or this file is of, else a copy in the user's cache.

    Raises: ToolError if the sources are in neither; StoreError if the cache cannot be written.
    """
    return clone_folder() or _copy_in_cache()


def clone_folder(here: Path | None = None) -> Path | None:
    """The clone that the working directory or this file is in, or one file alone (here); None: it is in none."""
    # A working directory may have platformio.ini as a link to another clone's: it is a clone of its own.
    places = [here.resolve()] if here else [Path.cwd() / CONFIGURATION, Path(__file__).resolve()]
    for folder in (folder for place in places for folder in place.parents):
        if (folder / CONFIGURATION).is_file() and (folder / _OF_OURS).is_file():
            return folder
    return None


def _copy_in_cache() -> Path:
    """Made once for each version; complete or not there, as it gets its name at the end."""
    sources = _installed_sources()
    cache = folders.cache_folder() / "firmware"
    folder = cache / f"{__version__}-{_hash_of(sources)}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(cache):
            if not folder.is_dir():
                _copy(sources, folder, core=cache / "platformio")
    except OSError as error:
        raise StoreError(
            f"the sources of the firmware cannot be copied to {folder}: {reason_of(error)}",
            "set XDG_CACHE_HOME to a folder you may write to",
        ) from None
    return folder


def _installed_sources() -> dict[str, Path]:
    """What the project is made of, by its place in it (pyproject.toml puts it into the wheel)."""
    package = Path(str(files("jaragua"))) / "_project"
    sources = {
        CONFIGURATION: package / CONFIGURATION,
        "tools/platform": package / "platform",
        "firmware": kernel_folder().parents[1],
    }
    if not all(source.exists() for source in sources.values()):
        raise ToolError("the sources of the firmware are not in this installation", "install the package again")
    return sources


def _hash_of(sources: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for place, source in sources.items():
        for path in _files(source):
            digest.update(f"{place}/{path.relative_to(source)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _files(source: Path) -> list[Path]:
    found = source.rglob("*") if source.is_dir() else [source]
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _copy(sources: dict[str, Path], folder: Path, core: Path) -> None:
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for place, source in sources.items():
        for path in _files(source):
            copy = fresh / place / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)  # without rights: an installation may be read-only
    configuration = fresh / CONFIGURATION
    text = configuration.read_text(encoding="utf-8")
    if _CORE not in text:
        raise ToolError(f"{sources[CONFIGURATION]} does not say '{_CORE}'", "install the package again")
    configuration.write_text(text.replace(_CORE, f"core_dir = {core}"), encoding="utf-8")
    fresh.rename(folder)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
