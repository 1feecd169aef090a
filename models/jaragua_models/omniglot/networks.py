"""Networks for 28×28 characters: stacks of convolutions that halve the image each, then one dense layer."""

from collections.abc import Sequence

from jaragua_compiler import Conv2D, Dense, Flatten, Network
from jaragua_models.omniglot.images import SIDE


def stack(name: str, filters: Sequence[int]) -> Network:
    """3×3 convolutions of stride 2 with ReLU, one for each number of filters, then five logits."""
    convolutions = [Conv2D(count, kernel=(3, 3), stride=(2, 2), padding="same", activation="relu") for count in filters]
    return Network(
        name=name,
        inputs=(SIDE, SIDE, 1),
        layers=(*convolutions, Flatten(), Dense(5, "linear")),
        loss="softmax_cross_entropy",
    )
