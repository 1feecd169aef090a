"""`KnowsClasses`: the samples of `train_task`, to the bit, under the true numbers of their classes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaragua_models import KnowsClasses, TaskSource, from_toml, get
from jaragua_models.digits.tasks import DigitTasks
from jaragua_models.keywords.tasks import KeywordTasks
from jaragua_models.omniglot.tasks import OmniglotTasks

#: A source, the folder of its data, its classes, and the most shots of a training task.
SOURCES: dict[str, tuple[TaskSource, str, int, int]] = {
    "digits": (DigitTasks(), "", 10, 20),
    "keywords": (KeywordTasks(), "speech_commands", 10, 3),
    "omniglot": (OmniglotTasks(), "omniglot", 4800, 20),
    "omniglot by alphabet": (OmniglotTasks("alphabet"), "omniglot", 4800, 20),
    "omniglot by drawer": (OmniglotTasks("drawer"), "omniglot", 4800, 1),
}
TASKS = 40


def check_against_tasks(source: TaskSource, classes: int, most_shots: int, ways: range) -> None:
    """Of random tasks: the same samples, a relabelling of each task, and one class for a sample whatever the task."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chosen = random.Random(seed)
    assert isinstance(source, KnowsClasses)
    assert source.training_classes() == classes
    class_of: dict[bytes, int] = {}
    for _ in range(TASKS):
        device, number = f"device-{chosen.randrange(1, 50)}", chosen.randrange(2**40)
        asked = device, number, chosen.choice(ways), chosen.randint(1, most_shots)
        support, known = source.train_task(*asked).support, source.train_support_by_class(*asked)
        assert known.x.tobytes() == support.x.tobytes()
        assert known.x.shape == support.x.shape
        assert known.y.dtype == support.y.dtype == np.int64
        assert 0 <= known.y.min() <= known.y.max() < classes
        pairs = set(zip(support.y.tolist(), known.y.tolist(), strict=True))
        assert len(pairs) == len(set(support.y.tolist())) == len(set(known.y.tolist())) == asked[2]
        for row, label in zip(known.x, known.y.tolist(), strict=True):
            assert class_of.setdefault(row.tobytes(), label) == label


@pytest.mark.parametrize("name", SOURCES)
def test_samples_are_those_of_the_task_and_a_class_is_the_same_in_every_task(
    use_data: Callable[[str], Path], name: str
) -> None:
    source, folder, classes, most_shots = SOURCES[name]
    if folder:
        use_data(folder)
    check_against_tasks(source, classes, most_shots, range(2, 8))


def test_every_class_is_met_and_partitions_of_omniglot_number_it_alike(use_data: Callable[[str], Path]) -> None:
    """Whoever shares a drawing shares its class; no number lies idle."""
    use_data("omniglot")
    class_of: dict[bytes, int] = {}
    for partition in ("random", "alphabet", "drawer"):
        source = OmniglotTasks(partition)  # type: ignore[arg-type]
        shots = 1 if partition == "drawer" else 3
        for device in range(60 if partition == "alphabet" else 400):
            known = source.train_support_by_class(f"d{device}", device, 20, shots)
            for row, label in zip(known.x, known.y.tolist(), strict=True):
                assert class_of.setdefault(row.tobytes(), label) == label
    assert len(set(class_of.values())) > 0.9 * 4800


@pytest.mark.parametrize("name", ["sine", "presence"])
def test_where_labels_mean_the_same_everywhere_there_is_nothing_to_know(name: str) -> None:
    assert not get(name).own_labels
    assert not isinstance(get(name).tasks, KnowsClasses)


def test_own_data_with_names_of_the_tasks_own_know_their_classes(tmp_path: Path) -> None:
    rows = [f"{number + 100 * device},{'abcd'[number % 4]},m{device}" for device in range(6) for number in range(24)]
    (tmp_path / "own.csv").write_text("\n".join(["x,label,device", *rows]))
    keys = 'kind = "table"\npath = "own.csv"\nlabel = "label"\ndevice = "device"\nnaming = "shuffled"\n'
    (tmp_path / "own.toml").write_text(f"[task]\n{keys}[defaults]\nways = 3\n")
    model = from_toml(tmp_path / "own.toml")
    assert model.own_labels
    check_against_tasks(model.tasks, 4, 6, range(2, 5))
