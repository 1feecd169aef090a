"""What a person writes to bring a model onto boards and train it: by hand, and with `jaragua deploy`.

The three tasks are those of "On-device Online Learning and Semantic Management of TinyML Systems" (Ren, Anicic, Li,
Runkler, 2024): handwritten characters, keywords, presence in a room. docs/results/deploy.md has the counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaragua.store.files import to_toml

#: Model, and the sensor that its boards must have.
TASKS = {"digits": "camera", "keywords": "microphone", "presence": "temperature"}
FLEET = "home"
ROUNDS = 2
BOARDS = ("board-1", "board-2")
#: Variables of `jaragua flash --fleet` by hand: keywords are learned with prototypes, for which boards need room.
BEFORE_FLASH = {"keywords": {"JARAGUA_PROTOTYPES": "10"}}
#: A board of the fleet that the conditions leave out.
OTHER = "board-3"


@dataclass(frozen=True)
class Work:
    """What a person writes: commands in order, and the text of a file that one of them reads."""

    commands: tuple[tuple[str, ...], ...]
    file: str = ""

    @property
    def lines(self) -> int:
        """Lines: each command is one; of the file those that are not empty."""
        return len(self.commands) + sum(1 for line in self.file.splitlines() if line.strip())

    @property
    def steps(self) -> int:
        """Commands that are given, and files that are written."""
        return len(self.commands) + bool(self.file)


def by_hand(model: str, url: str, folder: Path) -> Work:
    """Keep a graph, ask it who can train, flash those, write the run down, run it."""
    graph = ("--graph", str(folder / "graph"))
    only = tuple(word for name in BOARDS for word in ("--only", name))
    sections = {
        "run": {"fleet": FLEET, "rounds": ROUNDS},
        "model": {"name": model},
        "strategy": {"clients_per_round": len(BOARDS)},
        "broker": {"url": url},
        "devices": {"minimum": len(BOARDS), "exclude": [OTHER]},
    }
    return Work(
        (
            ("fleet", "serve", "--broker", url, "--fleet", FLEET, *graph),
            ("match", model, "--any-build", "--where", where(model), *graph),
            ("flash", "--fleet", "--broker", url, "--fleet-name", FLEET, "--model", model, *only),
            ("run", str(folder / "by-hand.toml")),
        ),
        to_toml(sections),
    )


def deployed(model: str, url: str, folder: Path) -> Work:
    """One command."""
    place = ("--broker", url, "--fleet", FLEET, "--graph", str(folder / "graph"))
    rounds = ("--file", str(folder / "deployed.toml"), "--set", f"run.rounds={ROUNDS}")
    return Work((("deploy", model, "--where", where(model), *place, *rounds),))


def where(model: str) -> str:
    """The boards that are meant."""
    return f"sensor = {TASKS[model]} and trains"


def table() -> list[str]:
    """The rows of the page, in Markdown."""
    place = ("mqtt://127.0.0.1", Path())
    found = {model: (by_hand(model, *place), deployed(model, *place)) for model in TASKS}
    rows = ["| task | steps by hand | steps with deploy | lines by hand | lines with deploy |", "|---|---|---|---|---|"]
    for model, (hand, short) in found.items():
        rows.append(f"| `{model}` | {hand.steps} | {short.steps} | {hand.lines} | {short.lines} |")
    return rows
