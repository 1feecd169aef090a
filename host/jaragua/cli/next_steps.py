"""What to do with a result: said once, at the end of `demo`, `run` and `simulate`. Pure."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final, TypeVar

from jaragua.models import SHIFTED, VARIANT

#: What `--board` takes; another one stands in `jaragua boards --known`.
_BOARD: Final = "nano33ble"
FINAL_WEIGHTS: Final = Path("weights") / "final.safetensors"


Place = TypeVar("Place", str, Path)


def shown(place: Place) -> Place:
    """A file or folder as a command from here may name it; the name of a model of the zoo as it is."""
    path = Path(place)
    is_here = path.is_absolute() and path.is_relative_to(Path.cwd())
    return type(place)(path.relative_to(Path.cwd())) if is_here else place


def next_steps(
    model: str,
    *,
    folder: Path | None = None,
    weights: Path | None = None,
    fleet: bool = False,
    classes: int = 0,
) -> list[str]:
    """Lines with a purpose and its command.

    model: of the zoo, or the TOML file of a task. folder: of the run or simulation, None if nothing was kept.
    weights: a file of weights, if there is one; default: the folder's. fleet: devices trained it, and can adapt.
    classes: that a new device enrols; 0: it enrols nothing. A variant of a model (`validation:digits`) has no C.
    """
    weights = weights or (folder / FINAL_WEIGHTS if folder else None)
    steps: list[tuple[str, list[str]]] = []
    plain = model.removeprefix(SHIFTED)  # the same network
    if weights is not None and not VARIANT.match(plain):
        room = ["--prototypes", str(classes)] if classes else []
        words = ["jaragua", "compile", plain, "--board", _BOARD, "--start", str(weights), *room]
        steps.append(("put it on a board", words))
    if folder is not None:
        steps.append(("see it in a browser", ["jaragua", "report", str(folder), "--out", str(folder / "report.html")]))
    if folder is not None and fleet:
        steps.append(("measure its devices", ["jaragua", "evaluate", str(folder)]))
    if not steps and weights is not None:
        return []
    if not steps:
        return ["next: with --directory FOLDER it is kept, and `jaragua report FOLDER` shows it in a browser"]
    width = max(len(purpose) for purpose, _ in steps)
    return ["next:", *(f"  {purpose:<{width}}  {shlex.join(words)}" for purpose, words in steps)]
