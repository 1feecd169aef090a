"""The digits: is every task its device's own, and is what is held out really never seen in training?"""

import numpy as np
import pytest

from jaragua_models import ModelError, Samples, Task
from jaragua_models.digits import images
from jaragua_models.digits.tasks import CLASSES, OWN_IMAGES, DigitTasks, draw_naming, is_held_out, own_rows
from jaragua_models.randomness import generator_for, number_for

TASKS = DigitTasks()


def pictures(*sets: Samples) -> set[bytes]:
    return {row.tobytes() for samples in sets for row in samples.x}


def true_digits() -> dict[bytes, int]:
    data = images.load()
    both = zip(data.training_rows, data.held_out_rows, strict=True)
    return {data.pixels[row].tobytes(): digit for digit, splits in enumerate(both) for rows in splits for row in rows}


def naming_of(task: Task) -> dict[int, int]:
    digits = true_digits()
    return {digits[x.tobytes()]: int(y) for x, y in zip(task.support.x, task.support.y, strict=True)}


def equal(first: Task, second: Task) -> bool:
    pairs = ((first.support, second.support), (first.query, second.query))
    return all(np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y) for a, b in pairs)


def test_the_images_are_all_there_and_all_different() -> None:
    data = images.load()
    assert data.pixels.shape == (1797, 64)
    assert (data.pixels.min(), data.pixels.max()) == (0, 1)
    assert sum(map(len, data.training_rows)) == images.TRAINING_ROWS
    assert sum(map(len, data.held_out_rows)) == 1797 - images.TRAINING_ROWS
    assert len(true_digits()) == 1797


def test_a_damaged_file_is_named_and_not_used() -> None:
    with pytest.raises(ModelError, match=r"digits\.csv\.gz.*damaged") as caught:
        images.parse(b"\x1f\x8b not the images")
    assert "git checkout" in caught.value.hint


def test_equal_arguments_give_equal_tasks() -> None:
    assert equal(TASKS.train_task("board-1", 7, 5, 5), TASKS.train_task("board-1", 7, 5, 5))
    assert equal(TASKS.held_out_task(7, 5, 5, 50), TASKS.held_out_task(7, 5, 5, 50))


def test_another_device_or_another_round_is_another_task() -> None:
    task = TASKS.train_task("board-1", 7, 5, 5)
    assert not equal(task, TASKS.train_task("board-2", 7, 5, 5))
    assert not equal(task, TASKS.train_task("board-1", 8, 5, 5))


def test_random_numbers_depend_on_names_alone() -> None:
    assert number_for("digits", 1) == 170482659575465350171794922764170974960  # the same on every machine
    assert generator_for("a", 1).integers(2**60) == generator_for("a", 1).integers(2**60)
    assert generator_for("a", 1).integers(2**60) != generator_for("a", "1").integers(2**60)


def test_a_device_draws_on_its_own_images_only() -> None:
    own = {row for rows in own_rows("board-1") for row in rows.tolist()}
    pixels = images.load().pixels
    owned = {pixels[row].tobytes() for row in own}
    drawn = set().union(*(pictures(TASKS.train_task("board-1", seed, 5, 5).support) for seed in range(30)))
    assert len(own) == CLASSES * OWN_IMAGES
    assert drawn <= owned
    assert own != {row for rows in own_rows("board-2") for row in rows.tolist()}


@pytest.mark.parametrize(("ways", "shots", "queries"), [(5, 5, 50), (2, 1, 7), (10, 5, 33), (5, 1, 0)])
def test_a_held_out_task_has_the_asked_shape_and_separate_query_images(ways: int, shots: int, queries: int) -> None:
    task = TASKS.held_out_task(3, ways, shots, queries)
    names, counts = np.unique(task.support.y, return_counts=True)
    assert len(names) == ways
    assert set(counts.tolist()) == {shots}
    assert len(task.query) == queries
    assert not pictures(task.support) & pictures(task.query)
    if queries >= ways:
        spread = np.unique(task.query.y, return_counts=True)[1]
        assert len(spread) == ways
        assert spread.max() - spread.min() <= 1


def test_a_name_stands_for_one_digit_in_support_and_query() -> None:
    task = TASKS.held_out_task(3, 5, 5, 50)
    digits, naming = true_digits(), naming_of(task)
    assert len(set(naming.values())) == 5
    assert all(naming[digits[x.tobytes()]] == y for x, y in zip(task.query.x, task.query.y, strict=True))


def test_no_held_out_image_is_ever_trained_on() -> None:
    trained = set().union(
        *(
            pictures(task.support, task.query)
            for device in ("board-1", "board-2", "pi-1")
            for task in (TASKS.train_task(device, seed, 10, 5) for seed in range(20))
        )
    )
    evaluated = set().union(
        *(pictures(task.support, task.query) for task in (TASKS.held_out_task(seed, 10, 5, 100) for seed in range(20)))
    )
    assert not trained & evaluated
    assert not trained & {images.load().pixels[row].tobytes() for rows in images.load().held_out_rows for row in rows}


def test_no_held_out_name_giving_is_ever_trained_on() -> None:
    assert not any(is_held_out(naming_of(TASKS.train_task("pi-1", seed, 5, 1))) for seed in range(60))
    assert all(is_held_out(naming_of(TASKS.held_out_task(seed, 5, 1, 0))) for seed in range(60))


def test_name_givings_spread_over_digits_and_names() -> None:
    random = np.random.default_rng(0)
    namings = [draw_naming(random, 5, held_out=True) for _ in range(300)]
    for pairs in zip(*(naming.items() for naming in namings), strict=True):
        assert len({digit for digit, _ in pairs}) == CLASSES
        assert len({name for _, name in pairs}) == CLASSES


@pytest.mark.parametrize("ways", [0, 1, 11])
def test_ways_beyond_the_digits_are_refused(ways: int) -> None:
    with pytest.raises(ModelError, match=f"not {ways}"):
        TASKS.train_task("board-1", 1, ways, 5)


@pytest.mark.parametrize(("shots", "queries"), [(0, 10), (-1, 10), (5, -1), (53, 0), (5, 400)])
def test_counts_the_held_out_split_cannot_serve_are_refused(shots: int, queries: int) -> None:
    with pytest.raises(ModelError) as caught:
        TASKS.held_out_task(1, 5, shots, queries)
    assert caught.value.hint


def test_more_shots_than_a_device_owns_are_refused() -> None:
    assert len(TASKS.train_task("board-1", 1, 5, OWN_IMAGES - 1).query) == 5
    with pytest.raises(ModelError, match="a device's own"):
        TASKS.train_task("board-1", 1, 5, OWN_IMAGES)
