"""The recordings: of the test set of Speech Commands v0.02 those of the speakers who said every keyword often enough.

Two packings are read: the official archive, and a folder of one archive a speaker with an index. The selection is the
same, and so is the digest of what was selected.
"""

import csv
import functools
import itertools
import lzma
import re
import tarfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaragua_models.data import Source, find, local
from jaragua_models.data.computed import Arrays, kept
from jaragua_models.data.content import content_digest
from jaragua_models.data.wav import WavError, decode
from jaragua_models.errors import DataError
from jaragua_models.keywords import tables
from jaragua_models.keywords.features import FrontEnd

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
LEAST_TAKES, MOST_TAKES = 3, 5
"""A speaker is in who has LEAST_TAKES of every word; of each word the first MOST_TAKES are taken."""
_KEPT_AS = "speech_commands/keywords-{loudness}-{features}-{pooling}-2"

# The sum is the one the TensorFlow Datasets project publishes in its url_checksums.
SOURCE = Source(
    "speech_commands",
    "speech_commands_test_set_v0.02.tar.gz",
    "http://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz",
    "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
)
INDEX = "index.csv"
CONTENT = "e79b6bc76537952b03a98da27244f6bf07010bb6d451cfa76bf42c91bcdc06eb"
"""`content_digest` of the selected WAVs."""

ZOO = FrontEnd(loudness="normalised", features="mfcc")
"""What the sound becomes in the model `keywords`."""

_NAME = re.compile(r"(?:\./)?(?P<word>\w+)/(?P<speaker>[0-9a-f]+)_nohash_(?P<take>\d+)\.wav")


@dataclass(frozen=True, order=True)
class Take:
    """Which recording it is."""

    speaker: str
    word: str
    number: int

    @property
    def name(self) -> str:
        """Its path in the data set."""
        return f"{self.word}/{self.speaker}_nohash_{self.number}.wav"


Recordings: TypeAlias = dict[Take, bytes]


@dataclass(frozen=True)
class Clips:
    """Features int16 [n, count] (features.md), and of each clip its word (place in WORDS) and its speaker."""

    features: NDArray[np.int16]
    words: NDArray[np.int64]
    speakers: NDArray[np.str_]


@functools.cache
def load(front_end: FrontEnd = ZOO) -> Clips:
    """All clips by speaker, word and take. Raises: DataError if they cannot be had or are not the ones."""
    arrays = kept(_KEPT_AS.format(**asdict(front_end)), lambda: featured(recordings(), front_end))
    return Clips(arrays["features"], arrays["words"], arrays["speakers"])


def recordings() -> Recordings:
    """The WAV files, in order. Raises: DataError if they cannot be had or are not the ones."""
    index = local(SOURCE.folder, INDEX)
    path = index or find(SOURCE)
    try:
        found = selected(_of_speakers(index) if index else _of_archive(path))
    except (OSError, EOFError, KeyError, csv.Error, tarfile.TarError, lzma.LZMAError) as error:
        raise DataError(f"{path} cannot be read: {error}.", _remedy(path)) from error
    if content_digest((take.name, data) for take, data in found.items()) != CONTENT:
        raise DataError(f"{path} does not give the recordings of Speech Commands v0.02's test set.", _remedy(path))
    return found


def selected(everything: Recordings) -> Recordings:
    """The recordings that are used (LEAST_TAKES, MOST_TAKES), in order."""
    of_speaker: dict[str, dict[str, list[Take]]] = defaultdict(lambda: {word: [] for word in WORDS})
    for take in sorted(everything):
        of_speaker[take.speaker][take.word].append(take)
    complete = [words for words in of_speaker.values() if min(map(len, words.values())) >= LEAST_TAKES]
    chosen = itertools.chain.from_iterable(takes[:MOST_TAKES] for words in complete for takes in words.values())
    return {take: everything[take] for take in sorted(chosen)}


def featured(chosen: Recordings, front_end: FrontEnd) -> Arrays:
    """Features, words and speakers of recordings of one second. Raises: DataError if one is something else."""
    return {
        "features": np.stack([_features(take, data, front_end) for take, data in chosen.items()]),
        "words": np.array([WORDS.index(take.word) for take in chosen]),
        "speakers": np.array([take.speaker for take in chosen]),
    }


def _features(take: Take, data: bytes, front_end: FrontEnd) -> NDArray[np.int16]:
    try:
        return front_end.of(decode(data, tables.RATE_HZ))
    except (WavError, ValueError) as error:
        raise DataError(f"The recording {take.name} cannot be used: {error}.", _remedy(Path(SOURCE.file))) from error


def _of_archive(path: Path) -> Recordings:
    with tarfile.open(path, "r:*") as archive:
        return _read(archive)


def _of_speakers(index: Path) -> Recordings:
    """Raises: KeyError if the index has other columns; the archives are those the index names."""
    with index.open(newline="", encoding="utf-8") as file:
        archives = sorted({row["archive"] for row in csv.DictReader(file) if row["word"] in WORDS})
    found: Recordings = {}
    for name in archives:
        with tarfile.open(index.parent / name, "r:*") as archive:
            found |= _read(archive)
    return found


def _read(archive: tarfile.TarFile) -> Recordings:
    found = {}
    for member in archive:
        match = _NAME.fullmatch(member.name)
        if match and match["word"] in WORDS and (file := archive.extractfile(member)):
            found[Take(match["speaker"], match["word"], int(match["take"]))] = file.read()
    return found


def _remedy(path: Path) -> str:
    return f"Delete it and download {SOURCE.url} again." if path.name == SOURCE.file else "Restore the folder it is in."
