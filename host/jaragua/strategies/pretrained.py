"""Transfer learning as it is usually meant: train a classifier of all classes, then adapt its hidden layers."""

from __future__ import annotations

from typing import ClassVar

from jaragua.strategies.transfer import Transfer


class Pretrained(Transfer):
    """w ← w after one step on each of the round's samples, their labels being the true classes of all of training.

    The start of new devices is (hidden layers of w, last layer as first drawn). That is *Baseline* of "A Closer Look at
    Few-shot Classification" (Chen et al., 2019), section 3.2, but that new devices train all layers, as they do from
    any other start; there the hidden ones stay as they are. `Transfer` in the order of samples, and in α = 1.
    """

    SUMMARY: ClassVar[str] = "a classifier of all training classes from one place; devices keep its hidden layers"
    TRUE_CLASSES: ClassVar[bool] = True
