"""No folder holds so many files that a newcomer cannot survey it."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
MOST_FILES = 16
CODE = {".py", ".c", ".h", ".cpp", ".S", ".toml", ".json", ".cddl", ".sh", ".svg", ".png"}
#: Larger folders, and why they stay flat.
EXCEPTIONS = {
    "docs/results/images": "one picture for each figure of the results, named by figure",
}


def too_large(files: Iterable[str]) -> dict[str, int]:
    """The folders that hold more files of code than they may, with the number of files in each."""
    paths = [PurePosixPath(name) for name in files]
    counted = Counter(str(path.parent) for path in paths if path.suffix in CODE and path.name != "__init__.py")
    return {folder: count for folder, count in counted.items() if count > MOST_FILES}


def test_no_folder_is_too_large() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.splitlines() if (ROOT / name).exists()]
    assert len(files) > 700
    assert {folder: count for folder, count in too_large(files).items() if folder not in EXCEPTIONS} == {}


def test_every_exception_is_needed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(EXCEPTIONS) <= set(too_large(listed.splitlines()))


def test_a_folder_that_is_too_large_is_found() -> None:
    full = [f"room/module_{number}.py" for number in range(MOST_FILES)]
    others = ["room/__init__.py", "room/README.md", "room/inner/module.py"]
    assert too_large([*full, *others]) == {}
    assert too_large([*full, *others, "room/kernel.c"]) == {"room": MOST_FILES + 1}


def test_no_two_test_modules_have_the_same_name() -> None:
    """Test folders are no packages: pytest refuses to import a second module of a name."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
