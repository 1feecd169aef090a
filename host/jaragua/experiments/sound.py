"""What front ends of sound are worth: figures of docs/reference/features.md, on Speech Commands by speaker.

`python -m jaragua.experiments.sound` prints the accuracy of a nearest neighbour. With `--folder FOLDER` it also writes
the recordings and a task of each front end there, with the zoo's held-out speakers, for `jaragua simulate`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from jaragua_compiler.command_line import exit_code_of
from jaragua_models import ModelError
from jaragua_models.data.wav import decode
from jaragua_models.keywords import clips, tables, tasks
from jaragua_models.keywords.features import FrontEnd, Kind, Loudness, Pooling

FRONT_ENDS: Final = tuple(
    FrontEnd(*chosen) for chosen in itertools.product(get_args(Loudness), get_args(Pooling), get_args(Kind))
)
WAYS: Final = 5
SHOTS: Final = (1, 3, 4)
TASKS: Final = 2000

TASK: Final = """[task]
name = "words"
kind = "audio"
path = "recordings"
held_out = [{held_out}]
naming = "shuffled"
loudness = "{front_end.loudness}"
pooling = "{front_end.pooling}"
features = "{front_end.features}"
[network]
hidden = [25]
[defaults]
strategy = "tinyreptile"
ways = 5
training_shots = 2
training_passes = 4
passes = 16
queries = 1
learning_rate = 0.03
alpha = 0.5
rounds = 1000
"""

#: Rows of support [ways * shots] and of query [ways].
Drawn = tuple[NDArray[np.int64], NDArray[np.int64]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each front end: features, accuracy by shots, and with one shot and queries 20 dB softer."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, help="write the recordings and the tasks there")
    return exit_code_of(lambda: _measure(options.parse_args(arguments).folder), ModelError)


def _measure(folder: Path | None) -> int:
    recordings = clips.recordings()
    if folder is not None:
        write_tasks(folder, recordings)
    sounds = [decode(data, tables.RATE_HZ) for data in recordings.values()]
    words = np.array([clips.WORDS.index(take.word) for take in recordings])
    speakers = np.array([take.speaker for take in recordings])
    drawn = {shots: draw_tasks(words, speakers, shots) for shots in SHOTS}
    for front_end in FRONT_ENDS:
        features = np.stack([front_end.of(sound) for sound in sounds])
        softer = np.stack([front_end.of(np.rint(sound / 10).astype(np.int16)) for sound in sounds])
        found = [nearest_neighbour(features, features, drawn[shots]) for shots in SHOTS]
        found.append(nearest_neighbour(features, softer, drawn[SHOTS[0]]))
        figures = " ".join(f"{accuracy:.3f}" for accuracy in found)
        sys.stdout.write(f"{name_of(front_end):24} {front_end.count:4} {figures}\n")
        sys.stdout.flush()
    return 0


def name_of(front_end: FrontEnd) -> str:
    """For people and files."""
    return f"{front_end.loudness}-{front_end.pooling}-{front_end.features}"


def draw_tasks(words: NDArray[np.int64], speakers: NDArray[np.str_], shots: int, count: int = TASKS) -> list[Drawn]:
    """Tasks of WAYS words of one speaker; of each word so many takes are known and one is asked for."""
    random, found = np.random.default_rng(5), list[Drawn]()
    of_speakers = [
        [np.flatnonzero((speakers == speaker) & (words == word)) for word in np.unique(words)]
        for speaker in np.unique(speakers)
    ]
    pools = [[rows for rows in of_words if len(rows) > shots] for of_words in of_speakers]
    able = [pool for pool in pools if len(pool) >= WAYS]
    for _ in range(count):
        pool = able[random.integers(len(able))]
        places = random.choice(len(pool), WAYS, replace=False)
        takes = [random.permutation(pool[place])[: shots + 1] for place in places]
        found.append((np.concatenate([rows[:shots] for rows in takes]), np.array([rows[shots] for rows in takes])))
    return found


def nearest_neighbour(known: NDArray[np.int16], asked: NDArray[np.int16], drawn: Sequence[Drawn]) -> float:
    """Accuracy 0..1 by Euclidean distance; known, asked: features of support and query, int16 [n, count]."""
    known, asked = known.astype(np.float64), asked.astype(np.float64)
    right = 0
    for support, query in drawn:
        away = np.square(asked[query][:, None] - known[support]).sum(axis=2)
        right += int((away.argmin(axis=1) // (len(support) // WAYS) == np.arange(WAYS)).sum())
    return right / (WAYS * len(drawn))


def write_tasks(folder: Path, recordings: clips.Recordings) -> None:
    """`recordings/<speaker>/<word>/<take>.wav`, and a TOML file for each front end."""
    for take, data in recordings.items():
        file = folder / "recordings" / take.speaker / take.word / f"{take.number}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    held_out = ", ".join(f'"{speaker}"' for speaker in tasks.split().held_out)
    for front_end in FRONT_ENDS:
        text = TASK.format(held_out=held_out, front_end=front_end)
        (folder / f"{name_of(front_end)}.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
