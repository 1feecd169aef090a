"""Keywords: one speaker a device, speakers nobody has heard held out; is the selection the same from either packing?"""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaragua_models import ModelError, Samples
from jaragua_models.keywords import clips, tasks
from jaragua_models.keywords.clips import LEAST_TAKES, MOST_TAKES, WORDS, Take
from jaragua_models.keywords.features import FrontEnd
from jaragua_models.keywords.tasks import KeywordTasks

TASKS = KeywordTasks()


@pytest.fixture
def speech(use_data: Callable[[str], Path]) -> Path:
    return use_data("speech_commands")


def speakers_of(*sets: Samples) -> set[str]:
    data = clips.load()
    known = {row.tobytes(): str(name) for row, name in zip(data.features, data.speakers, strict=True)}
    return {known[(row * 2048).astype(np.int16).tobytes()] for samples in sets for row in samples.x}


def words_of(samples: Samples) -> list[int]:
    data = clips.load()
    known = {row.tobytes(): int(word) for row, word in zip(data.features, data.words, strict=True)}
    return [known[(row * 2048).astype(np.int16).tobytes()] for row in samples.x]


def recordings(takes: dict[tuple[str, str], list[int]]) -> clips.Recordings:
    return {Take(speaker, word, n): b"" for (speaker, word), numbers in takes.items() for n in numbers}


def test_all_clips_of_39_speakers_are_there(speech: Path) -> None:
    data = clips.load()
    assert data.features.shape == (1787, 325)
    assert clips.load(FrontEnd()).features.shape == (1787, 650)
    assert len(np.unique(data.speakers)) == 39
    assert len(np.unique(data.words)) == len(WORDS)


def test_only_speakers_with_takes_enough_of_every_word_are_selected() -> None:
    many = {("aa", word): [9, 2, 4, 6, 8, 7] for word in WORDS}
    few = {("bb", word): [0, 1, 2] for word in WORDS} | {("bb", "stop"): [0, 1]}
    found = clips.selected(recordings(many | few))
    assert {take.speaker for take in found} == {"aa"}
    assert [take.number for take in found if take.word == "yes"] == [2, 4, 6, 7, 8]
    assert len(found) == MOST_TAKES * len(WORDS)


def test_the_official_archive_gives_the_same_recordings(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = clips.recordings()
    target = tmp_path / "speech_commands" / clips.SOURCE.file
    target.parent.mkdir()
    extra = {"./README.md": b"text", "./_silence_/1.wav": b"hum", "./yes/ffffffff_nohash_0.wav": b"alone"}
    with tarfile.open(target, "w:gz") as archive:
        for name, data in {**extra, **{f"./{take.name}": data for take, data in everything.items()}}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    monkeypatch.setenv("JARAGUA_DATA_DIR", str(tmp_path))
    assert clips.recordings() == everything


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_archive_is_named(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "speech_commands" / clips.SOURCE.file
    target.parent.mkdir()
    target.write_bytes(content)
    monkeypatch.setenv("JARAGUA_DATA_DIR", str(tmp_path))
    with pytest.raises(ModelError, match=r"speech_commands_test_set_v0\.02\.tar\.gz cannot be read") as caught:
        clips.recordings()
    assert clips.SOURCE.url in caught.value.hint


def test_an_index_that_is_none_and_recordings_that_are_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JARAGUA_DATA_DIR", str(tmp_path))
    index = tmp_path / "speech_commands" / "index.csv"
    index.parent.mkdir()
    index.write_text("a,b\n1,2\n")
    with pytest.raises(ModelError, match=r"index\.csv cannot be read"):
        clips.recordings()
    index.write_text("archive,word\n")
    with pytest.raises(ModelError, match="does not give the recordings"):
        clips.recordings()


def test_held_out_speakers_are_never_heard_in_training(speech: Path) -> None:
    split = tasks.split()
    assert (len(split.training), len(split.held_out)) == (29, 10)
    assert not set(split.training) & set(split.held_out)
    trained = [TASKS.train_task(f"board-{seed}", seed, 5, 1) for seed in range(60)]
    evaluated = [TASKS.held_out_task(seed, 5, 1, 10) for seed in range(60)]
    assert speakers_of(*(task.support for task in trained), *(task.query for task in trained)) <= set(split.training)
    assert speakers_of(*(task.support for task in evaluated), *(task.query for task in evaluated)) == set(
        split.held_out
    )


def test_a_task_is_one_speaker_with_one_name_for_each_word(speech: Path) -> None:
    task = TASKS.held_out_task(3, 5, 2, 5)
    assert len(speakers_of(task.support, task.query)) == 1
    pairs = zip(words_of(task.support) + words_of(task.query), [*task.support.y, *task.query.y], strict=True)
    assert len(set(pairs)) == 5
    assert np.bincount(task.support.y).tolist() == [2] * 5
    assert np.bincount(task.query.y).tolist() == [1] * 5


def test_names_of_words_change_from_task_to_task(speech: Path) -> None:
    given = {
        (word, int(label))
        for seed in range(60)
        for task in [TASKS.train_task("board-1", seed, 5, 1)]
        for word, label in zip(words_of(task.support), task.support.y, strict=True)
    }
    assert len(given) == 5 * len(WORDS)


def test_a_device_is_the_speaker_its_name_says_or_decides(speech: Path) -> None:
    speaker = tasks.split().training[4]
    assert tasks.own_speaker(speaker) == speaker
    assert tasks.own_speaker("board-1") == tasks.own_speaker("board-1")
    assert len({tasks.own_speaker(f"board-{n}") for n in range(200)}) == 29
    assert len({tasks.own_speaker(f"device-{n}") for n in range(1, 30)}) == 29


def test_equal_arguments_give_equal_tasks(speech: Path) -> None:
    first, second = (TASKS.train_task("board-1", 7, 5, 2) for _ in range(2))
    assert np.array_equal(first.support.x, second.support.x)
    assert np.array_equal(first.query.y, second.query.y)


def test_the_largest_tasks_the_takes_allow(speech: Path) -> None:
    assert len(TASKS.held_out_task(1, 10, LEAST_TAKES - 1, 10).query) == 10
    assert len(TASKS.train_task(tasks.split().training[0], 1, 10, LEAST_TAKES).support) == 30
    with pytest.raises(ModelError, match="No speaker has 6 takes"):
        TASKS.held_out_task(1, 5, 1, 25)


@pytest.mark.parametrize(("ways", "shots", "queries"), [(1, 1, 5), (11, 1, 5), (5, 0, 5), (5, 1, -1)])
def test_counts_that_make_no_sense_are_refused(ways: int, shots: int, queries: int) -> None:
    with pytest.raises(ModelError) as caught:
        TASKS.held_out_task(1, ways, shots, queries)
    assert caught.value.hint


def test_a_speaker_with_too_few_takes_is_named_before_it_trains(speech: Path) -> None:
    able = [name for name in tasks.split().training if words_with(name, 4) == len(WORDS)]
    unable = [name for name in tasks.split().training if name not in able]
    TASKS.check_devices(able, len(WORDS), 4)
    with pytest.raises(ModelError, match=f"Speaker '{unable[0]}' has 4 takes"):
        TASKS.check_devices([*able, unable[0]], len(WORDS), 4)


def words_with(speaker: str, takes: int) -> int:
    """Words of which a speaker has so many takes."""
    data = clips.load()
    counts = np.bincount(data.words[data.speakers == speaker], minlength=len(WORDS))
    return int((counts >= takes).sum())
