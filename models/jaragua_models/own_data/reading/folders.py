"""Folders of files: what is in them, and what is missing."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from jaragua_models.errors import DataError


def folders(folder: Path) -> Iterator[Path]:
    """Those in a folder, by name. Raises: DataError if it is not there."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder.", "Check path; it is relative to the TOML file.")
    return (path for path in sorted(folder.iterdir()) if path.is_dir() and not _is_hidden(path))


def files(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files with one of these endings, by name. A link to nowhere is one, too: its sample would be missing."""
    found = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes and not _is_hidden(path))
    return (path for path in found if not path.is_dir())


def check_none_empty(classes: Iterable[Path], found: Sequence[Sequence[Path]], suffixes: Collection[str]) -> None:
    """A class without a file would go unnoticed; if there is no file at all, the layout is what is wrong."""
    full = {file[-2] for file in found}
    for folder in classes if full else ():
        if folder not in full:
            others = sorted({path.suffix for path in folder.iterdir() if path.is_file() and not _is_hidden(path)})
            instead = f" (but {', '.join(others)})" if others else ""
            raise DataError(
                f"{folder}: there is no {' or '.join(suffixes)} file in it{instead}.",
                "Add or convert some, or remove the folder.",
            )


def check_any(folder: Path, found: Sequence[object], form: str) -> None:
    """Raises: DataError if there is no file."""
    if not found:
        raise DataError(f"{folder}: there is no file {form} in it.", "Arrange the files like this.")


def _is_hidden(path: Path) -> bool:
    """What programs leave beside the data: ._take.wav, .ipynb_checkpoints."""
    return path.name.startswith(".")
