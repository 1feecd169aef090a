"""Transfer learning as it is usually meant: train a classifier of all classes, then adapt its hidden layers."""

from __future__ import annotations

from typing import ClassVar

from jaragua.strategies.algorithms.transfer import Transfer


class Pretrained(Transfer):
    """w ← w after one step on each of the round's samples, their labels being the true classes of all of training.

    New devices start from the hidden layers of w, and a last layer as first drawn. That is *Baseline* of "A Closer Look
    at Few-shot Classification" (Chen et al., 2019), but that new devices train all layers, as they do from any other
    start; there the hidden ones stay as they are. Samples come in the order of `Transfer`, and α is 1 as there.
    """

    SUMMARY: ClassVar[str] = "a classifier of all training classes from one place; devices keep its hidden layers"
    TRUE_CLASSES: ClassVar[bool] = True
