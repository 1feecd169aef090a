"""The characters of Omniglot: 1,623 from 50 alphabets, each drawn once by each of 20 people, shrunk to 28×28."""

import functools
import re
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jaragua_models.data import Source, find
from jaragua_models.data.area import overlaps
from jaragua_models.data.computed import Arrays, kept
from jaragua_models.data.content import content_digest
from jaragua_models.data.png import PngError, decode
from jaragua_models.errors import DataError

SIDE = 28
FULL_SIDE = 105
DRAWERS = 20
INK = 225
"""Of a pixel all black: 15 × 15 pieces of the area average."""
KEPT_AS = "omniglot/characters-28x28-1"

_ADDRESS = "https://github.com/brendenlake/omniglot/raw/master/python"
_MEMBER = re.compile(r"images_(background|evaluation)/(?P<alphabet>[^/]+)/character\d+/\d+_(?P<drawer>\d\d)\.png")


@dataclass(frozen=True)
class Part:
    """One of the two archives, and the digest of the PNGs inside (`content_digest`)."""

    source: Source
    content: str


# The sums of the official archives are those the TensorFlow Datasets project publishes in its url_checksums.
PARTS = (
    Part(
        Source(
            "omniglot",
            "images_background.zip",
            f"{_ADDRESS}/images_background.zip",
            "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        ),
        "deaa02f758afda524b3a045c7af40311f2d9ded3e2a39f715ece8470d474bc6a",
    ),
    Part(
        Source(
            "omniglot",
            "images_evaluation.zip",
            f"{_ADDRESS}/images_evaluation.zip",
            "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
        ),
        "3d5e035f27423c362bf9a181af649b43cda64c1008f842177ddc5203269c901e",
    ),
)


@dataclass(frozen=True)
class Characters:
    """Ink uint8 [1623, 20, 28, 28] (0..INK) by character and drawer, and the alphabet of each character."""

    ink: NDArray[np.uint8]
    alphabets: NDArray[np.str_]


@functools.cache
def load() -> Characters:
    """All characters, in the order of the archives. Raises: DataError if they cannot be had or are not the ones."""
    arrays = kept(KEPT_AS, _read_all)
    return Characters(arrays["ink"], arrays["alphabets"])


def _read_all() -> Arrays:
    parts = [_read(part) for part in PARTS]
    return {key: np.concatenate([part[key] for part in parts]) for key in ("ink", "alphabets")}


def _read(part: Part) -> Arrays:
    """Ink and alphabets of one archive. Raises: DataError if it is damaged or holds other images."""
    path = find(part.source)
    try:
        with zipfile.ZipFile(path) as archive:
            images = {name: archive.read(name) for name in sorted(archive.namelist()) if _MEMBER.fullmatch(name)}
            if content_digest(images.items()) != part.content:
                raise PngError("it does not hold the images of Omniglot, or not all, or changed")
        return characters(images)
    except (OSError, zipfile.BadZipFile, PngError) as error:
        raise DataError(f"{path}: {error}.", f"Delete it and download {part.source.url} again.") from error


def characters(images: dict[str, bytes]) -> Arrays:
    """PNGs by member name, sorted, all drawers of a character -> ink and alphabets. Raises: PngError."""
    members = [match for name in images if (match := _MEMBER.fullmatch(name))]
    ink = shrunk(np.stack([decode(image)[0] for image in images.values()]))
    return {
        "ink": ink.reshape(-1, DRAWERS, SIDE, SIDE),
        "alphabets": np.array([match["alphabet"] for match in members[::DRAWERS]]),
    }


def shrunk(paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[n, 105, 105] with 1 for paper and 0 for ink -> ink uint8 [n, 28, 28]: area average, black on 0..225."""
    weights = overlaps(FULL_SIDE, SIDE).astype(np.float32)  # sums up to 225 are exact in float32
    ink = np.empty((len(paper), SIDE, SIDE), dtype=np.uint8)
    for index, image in enumerate(paper):
        ink[index] = weights @ (1 - image.astype(np.float32)) @ weights.T
    return ink
