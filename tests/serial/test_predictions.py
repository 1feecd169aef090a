"""L4.6: the outputs of a sample, put together from the messages that tell them in parts."""

from __future__ import annotations

from jaragua.serial.jobs import whole_predictions
from jaragua.wire.messages import Prediction


def test_parts_are_put_together_in_order() -> None:
    first = [Prediction(7, 0, 0, (1, 2)), Prediction(7, 0, 2, (3,))]
    second = [Prediction(7, 1, 0, (4, 5)), Prediction(7, 1, 2, (6,))]
    assert whole_predictions([*first, *second], 7, 3) == {0: [1, 2, 3], 1: [4, 5, 6]}


def test_a_sample_that_a_lost_session_cut_off_is_omitted() -> None:
    parts = [Prediction(7, 0, 0, (1, 2)), Prediction(7, 1, 0, (4, 5)), Prediction(7, 1, 2, (6,))]
    assert whole_predictions(parts, 7, 3) == {1: [4, 5, 6]}


def test_what_a_board_says_out_of_turn_is_not_taken() -> None:
    other_job, gap = Prediction(8, 0, 0, (1, 2, 3)), Prediction(7, 1, 2, (3,))
    too_many = [Prediction(7, 2, 0, (1, 2)), Prediction(7, 2, 2, (3, 4))]
    assert whole_predictions([other_job, gap, *too_many], 7, 3) == {}
