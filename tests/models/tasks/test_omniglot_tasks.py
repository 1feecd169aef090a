"""Omniglot: are splits, rotations and devices what the literature and docs/reference/tasks.md say?"""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import jaragua_models
from jaragua.errors import ModelError as HostModelError
from jaragua.models import model_named
from jaragua_models import ModelError, Samples, Task
from jaragua_models.data.png import decode
from jaragua_models.omniglot import images, tasks
from jaragua_models.omniglot.tasks import INPUTS, SHIFTS, OmniglotTasks, Partition, shifted

TASKS = OmniglotTasks()


@pytest.fixture
def omniglot(use_data: Callable[[str], Path]) -> Path:
    return use_data("omniglot")


def drawings(*sets: Samples) -> set[bytes]:
    return {row.tobytes() for samples in sets for row in samples.x}


def all_drawings(characters: np.ndarray, rotations: int) -> set[bytes]:
    classes = (characters[:, None] * tasks.ROTATIONS + np.arange(rotations)).ravel()
    rows = (classes[:, None] * images.DRAWERS + np.arange(images.DRAWERS)).ravel()
    return {row.tobytes() for row in tasks.pixels(rows)}


def equal(first: Task, second: Task) -> bool:
    pairs = ((first.support, second.support), (first.query, second.query))
    return all(np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y) for a, b in pairs)


def test_all_characters_are_there_with_ink_on_an_empty_edge(omniglot: Path) -> None:
    data = images.load()
    assert data.ink.shape == (1623, 20, 28, 28)
    assert len(np.unique(data.alphabets)) == 50
    assert data.ink.max() == images.INK
    assert 0.06 < data.ink.mean() / images.INK < 0.1
    assert (data.ink.reshape(-1, INPUTS).max(axis=1) > 0).all()


def test_a_character_is_the_area_average_of_its_drawing(omniglot: Path) -> None:
    with zipfile.ZipFile(omniglot / "images_background.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        paper = decode(archive.read(names[123]))[0]
    quarters = np.kron(1 - paper, np.ones((4, 4), dtype=np.int64))
    expected = quarters.reshape(28, 15, 28, 15).sum(axis=(1, 3))
    assert np.array_equal(images.load().ink[123 // 20, 123 % 20], expected)


def test_the_split_of_the_literature(omniglot: Path) -> None:
    split = tasks.split()
    assert (len(split.training), len(split.held_out)) == (1200, 423)
    assert len(set(split.training) | set(split.held_out)) == 1623
    assert split.held_out[:5].tolist() == [2, 3, 7, 20, 29]  # the same on every machine


def test_rotations_are_classes_of_their_own(omniglot: Path) -> None:
    rows = (5 * tasks.ROTATIONS + np.arange(tasks.ROTATIONS)) * images.DRAWERS + 3
    upright, *turned = tasks.pixels(rows).reshape(4, 28, 28)
    for quarter_turns, image in enumerate(turned, start=1):
        assert np.array_equal(image, np.rot90(upright, quarter_turns))


@pytest.mark.parametrize(("ways", "shots", "queries"), [(5, 1, 75), (5, 5, 75), (20, 1, 20), (20, 5, 300), (2, 1, 0)])
def test_a_held_out_task_has_the_asked_shape(omniglot: Path, ways: int, shots: int, queries: int) -> None:
    task = TASKS.held_out_task(3, ways, shots, queries)
    assert np.bincount(task.support.y).tolist() == [shots] * ways
    assert np.bincount(task.query.y, minlength=ways).tolist() == [queries // ways] * ways
    assert task.query.x.shape == (queries, INPUTS)
    assert not drawings(task.support) & drawings(task.query)


def test_equal_arguments_give_equal_tasks_and_others_do_not(omniglot: Path) -> None:
    task = TASKS.train_task("board-1", 7, 5, 5)
    assert equal(task, TASKS.train_task("board-1", 7, 5, 5))
    assert not equal(task, TASKS.train_task("board-2", 7, 5, 5))
    assert not equal(task, TASKS.train_task("board-1", 8, 5, 5))
    assert equal(TASKS.held_out_task(7, 5, 5, 10), OmniglotTasks("drawer").held_out_task(7, 5, 5, 10))


def test_held_out_characters_are_never_trained_on_in_any_rotation(omniglot: Path) -> None:
    kept = all_drawings(tasks.split().held_out, 4)
    for partition in ("random", "alphabet", "drawer"):
        source = OmniglotTasks(partition)
        drawn = [source.train_task(f"d-{seed}", seed, 5, 1) for seed in range(40)]
        assert not kept & drawings(*(task.support for task in drawn), *(task.query for task in drawn))


def test_held_out_tasks_are_upright_characters_that_are_held_out(omniglot: Path) -> None:
    upright = all_drawings(tasks.split().held_out, 1)
    for seed in range(20):
        task = TASKS.held_out_task(seed, 5, 5, 75)
        assert drawings(task.support, task.query) <= upright


def _own(partition: Partition, device: str) -> tuple[set[str], set[int]]:
    """Alphabets and drawers of a device's training samples."""
    data, characters = images.load(), tasks.split().training
    rows = ((characters[:, None] * 4 + np.arange(4)).reshape(-1, 1) * 20 + np.arange(20)).ravel()
    place = {x.tobytes(): row for x, row in zip(tasks.pixels(rows), rows.tolist(), strict=True)}
    drawn = drawings(*(OmniglotTasks(partition).train_task(device, seed, 5, 1).support for seed in range(30)))
    own = [place[x] for x in drawn]
    return {str(data.alphabets[row // 80]) for row in own}, {row % 20 for row in own}


def test_a_device_is_an_alphabet_or_one_drawer_of_it(omniglot: Path) -> None:
    alphabets, drawers = _own("random", "board-1")
    assert len(alphabets) > 20
    alphabets, drawers = _own("alphabet", "board-1")
    assert (len(alphabets), len(drawers)) == (1, 20)
    alphabets, drawers = _own("drawer", "board-1")
    assert (len(alphabets), len(drawers)) == (1, 1)
    assert _own("drawer", "board-2") != (alphabets, drawers)


def test_a_drawer_has_one_drawing_of_each_and_no_queries(omniglot: Path) -> None:
    task = OmniglotTasks("drawer").train_task("board-1", 1, 20, 1)
    assert (len(task.support), len(task.query)) == (20, 0)
    with pytest.raises(ModelError, match="more than the 1"):
        OmniglotTasks("drawer").train_task("board-1", 1, 5, 5)


@pytest.mark.parametrize(
    ("ways", "shots", "queries"), [(1, 1, 5), (21, 1, 5), (5, 0, 5), (5, 1, -1), (5, 21, 0), (5, 5, 80)]
)
def test_what_the_drawings_cannot_serve_is_refused(ways: int, shots: int, queries: int) -> None:
    with pytest.raises(ModelError) as caught:
        TASKS.held_out_task(1, ways, shots, queries)
    assert caught.value.hint


def test_an_unknown_partition_is_refused() -> None:
    with pytest.raises(ModelError, match="'people'") as caught:
        OmniglotTasks("people")  # type: ignore[arg-type]
    assert "random, alphabet, drawer" in caught.value.hint


def test_an_archive_with_other_images_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in images.PARTS:
        path = tmp_path / "data" / "omniglot" / part.source.file
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images_background/Greek/character01/0001_01.png", b"no image")
    monkeypatch.setenv("JARAGUA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match=r"images_background\.zip: it does not hold"):
        images.load.__wrapped__()
    path = tmp_path / "data" / "omniglot" / "images_background.zip"
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ModelError, match=r"images_background\.zip") as caught:
        images.load.__wrapped__()
    assert "brendenlake" in caught.value.hint


def test_the_networks_have_the_parameters_docs_say() -> None:
    sizes = {}
    for name in ("omniglot", "omniglot-cnn", "omniglot-reptile"):
        network = jaragua_models.get(name).network
        sizes[name] = sum(int(np.prod(shape)) for layer in network.weighted for shape in network.weight_shapes(layer))
    assert sizes == {"omniglot": 28_709, "omniglot-cnn": 5_173, "omniglot-reptile": 112_709}


def test_a_picture_is_shifted_and_what_comes_in_has_no_ink() -> None:
    x = np.zeros((2, 28, 28), dtype=np.float32)
    x[:, 0, 27], x[:, 10, 10] = 1, 2
    up_and_left, stays = shifted(x.reshape(2, INPUTS), np.array([[1, 2], [0, 0]])).reshape(2, 28, 28)
    assert (up_and_left[9, 8], up_and_left.sum()) == (2, 2)  # the ink of the first row has left the frame
    assert np.array_equal(stays, x[1])
    (down_and_right,) = shifted(x[:1].reshape(1, INPUTS), np.array([[-2, -1]])).reshape(1, 28, 28)
    assert (down_and_right[12, 11], down_and_right.sum()) == (2, 2)


def test_shifted_drawings_are_of_training_alone(omniglot: Path) -> None:
    shifts = model_named("shifted:omniglot").tasks
    assert isinstance(shifts, OmniglotTasks)
    plain, other = TASKS.train_task("board-1", 7, 5, 5), shifts.train_task("board-1", 7, 5, 5)
    assert np.array_equal(plain.support.y, other.support.y)
    steps = [
        {
            (row, column)
            for row in range(-SHIFTS, SHIFTS + 1)
            for column in range(-SHIFTS, SHIFTS + 1)
            if np.array_equal(shifted(one[np.newaxis], np.array([[row, column]]))[0], two)
        }
        for one, two in zip(plain.support.x, other.support.x, strict=True)
    ]
    assert all(steps)
    assert len({step for found in steps for step in found}) > 10
    assert equal(TASKS.held_out_task(7, 5, 5, 10), shifts.held_out_task(7, 5, 5, 10))
    assert np.array_equal(shifts.train_support_by_class("board-1", 7, 5, 5).x, other.support.x)


def test_only_pictures_are_shifted() -> None:
    with pytest.raises(HostModelError, match="'sine' has no pictures that can be shifted"):
        model_named("shifted:sine")
