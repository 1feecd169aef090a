"""The measurement of front ends: tasks as they are described, and files that are tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaragua.experiments.sound import FRONT_ENDS, WAYS, draw_tasks, name_of, nearest_neighbour, write_tasks
from jaragua.models import model_named
from jaragua_models.keywords import clips


def test_a_task_has_words_of_one_speaker_and_takes_that_are_not_known(seed: int) -> None:
    random = np.random.default_rng(seed)
    words, speakers = np.repeat(np.arange(6), 16), np.tile(np.repeat(np.array(["a", "b"]), 8), 6)
    noise = random.integers(-9, 10, (len(words), 3))
    features = (noise + 100 * words[:, None] + 5000 * (speakers == "b")[:, None]).astype(np.int16)
    drawn = draw_tasks(words, speakers, 3, count=20)
    for support, query in drawn:
        assert len(set(speakers[support]) | set(speakers[query])) == 1
        assert not set(support) & set(query)
        assert np.array_equal(words[support].reshape(WAYS, 3)[:, 0], words[query])
    assert nearest_neighbour(features, features, drawn) == 1.0
    assert nearest_neighbour(features, np.zeros_like(features), drawn) < 0.5


def test_the_tasks_that_are_written_can_be_trained(tmp_path: Path, use_data: Callable[[str], Path]) -> None:
    use_data("speech_commands")
    recordings = dict(list(clips.recordings().items())[:120])
    write_tasks(tmp_path, recordings)
    for front_end in FRONT_ENDS[-2:]:
        path = tmp_path / f"{name_of(front_end)}.toml"
        speakers = sorted({take.speaker for take in recordings})
        text = path.read_text()
        listed = text[text.index("held_out") : text.index("naming")]
        path.write_text(text.replace(listed, f'held_out = ["{speakers[0]}"]\n'))
        model = model_named(str(path))
        assert model.network.inputs == front_end.count
        assert len(model.tasks.train_task(speakers[1], 1, 5, 2).support) == 10
