"""Features of sound in whole numbers: the NumPy side of features.md. firmware/lib/jrg_feat gives the same bits."""

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jaragua_models.keywords import tables
from jaragua_models.keywords.tables import (
    BANDS,
    CLIP_SAMPLES,
    COEFFICIENTS,
    FRAME_SAMPLES,
    FRAMES,
    HOP_SAMPLES,
    PIECES,
    SHORT_FRAMES,
    SHORT_HOP_SAMPLES,
    WORD_ROWS,
)

EXPONENT = 11
"""F8: of a feature; real value = integer · 2^-11, so -1..1 is eight octaves of power either way."""
HALF = FRAME_SAMPLES // 2

Integers = NDArray[np.int64]
Levels = NDArray[np.int16]


Loudness = Literal["fixed", "normalised"]
Pooling = Literal["none", "time", "word"]
Kind = Literal["mel", "mfcc"]


@dataclass(frozen=True)
class FrontEnd:
    """What sound becomes; as it stands: the features of the zoo."""

    loudness: Loudness = "fixed"
    pooling: Pooling = "none"
    features: Kind = "mel"

    @property
    def rows(self) -> int:
        """Rows of a second, pieces of the sound, or rows around its middle."""
        return {"none": FRAMES, "time": PIECES, "word": WORD_ROWS}[self.pooling]

    @property
    def hop_samples(self) -> int:
        """F1, F12: from one frame to the next."""
        return HOP_SAMPLES if self.pooling == "none" else SHORT_HOP_SAMPLES

    @property
    def frames(self) -> int:
        """F1, F12: of a second."""
        return FRAMES if self.pooling == "none" else SHORT_FRAMES

    @property
    def count(self) -> int:
        """Features of a clip."""
        return self.rows * (BANDS if self.features == "mel" else COEFFICIENTS)

    def of(self, clip: NDArray[np.int16]) -> Levels:
        """F1 to F13: samples int16 [16000] -> features int16 [count], row by row. Raises: ValueError as `frames`."""
        return self.of_levels(self.levels_of(clip))

    def levels_of(self, clip: NDArray[np.int16]) -> Levels:
        """F1 to F6, F9, F12: samples int16 [16000] -> levels int16 [25, 26]. Raises: ValueError as `frames`."""
        found, octave = (levels, 8) if self.loudness == "fixed" else (normalised_levels, 10)
        if self.pooling == "none":
            return found(frames(clip))
        return rows_of_two(found(short_frames(clip)), octave)

    def rows_of_sound(self, spectrogram: Levels) -> int:
        """F10: rows from the first to the last loud one; levels [25, 26]."""
        wide = spectrogram.astype(np.int64)
        return len(_sound(_floored(wide) if self.loudness == "normalised" else wide))

    def of_levels(self, spectrogram: Levels) -> Levels:
        """F7 to F11, F13: levels [25, 26] of either loudness -> features int16 [count]."""
        wide, bits = spectrogram.astype(np.int64), 0
        if self.loudness == "normalised":
            wide, bits = _floored(wide), 2
        rows = _pieces(wide) if self.pooling == "time" else _moved(wide, self.rows)
        rows = rows - (rows.sum() + rows.size // 2) // rows.size
        found = _rshift(rows, bits) if self.features == "mel" else _cepstrum(rows, 13 + bits)
        features: Levels = np.clip(found, -(1 << EXPONENT), (1 << EXPONENT) - 1).astype(np.int16)
        return features.ravel()


def clip_features(clip: NDArray[np.int16]) -> Levels:
    """F1 to F8: samples int16 [16000] -> features int16 [650], frame by frame, low bands first."""
    return FrontEnd().of(clip)


def frames(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    """F1: samples [16000] -> int16 [25, 512]. Raises: ValueError if it is not one second."""
    return _framed(clip, np.arange(FRAMES) * HOP_SAMPLES)


def short_frames(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    """F12: samples [16000] -> int16 [49, 512]. Raises: ValueError if it is not one second."""
    return _framed(clip, np.arange(SHORT_FRAMES) * SHORT_HOP_SAMPLES)


def _framed(clip: NDArray[np.int16], starts: Integers) -> NDArray[np.int16]:
    if clip.shape != (CLIP_SAMPLES,):
        raise ValueError(f"a clip has {CLIP_SAMPLES} samples, not {clip.shape}")
    framed: NDArray[np.int16] = clip[starts[:, None] + np.arange(FRAME_SAMPLES)]
    return framed


def rows_of_two(spectrogram: Levels, octave: int) -> Levels:
    """F12: levels of frames [49, 26] -> of rows [25, 26], mean powers. octave: bits of one, 8 or 10."""
    rows = spectrogram[::2].astype(np.int64)
    first, second = rows[:-1], spectrogram[1::2].astype(np.int64)
    to_q10 = 10 - octave
    more = _added(np.abs(first - second) << to_q10) >> to_q10
    rows[:-1] = np.maximum(first, second) + more - (1 << octave)
    return rows.astype(np.int16)


def levels(samples: NDArray[np.int16]) -> Levels:
    """F2 to F6: frames int16 [n, 512] -> log-mel levels int16 [n, 26], Q8 octaves."""
    energies = _energies(_power(_spectrum(_windowed(samples.astype(np.int64)))))
    return (_log2(energies + tables.FLOOR) >> 3).astype(np.int16)


def normalised_levels(samples: NDArray[np.int16]) -> Levels:
    """F9 in the place of F6: frames int16 [n, 512] -> log-mel levels int16 [n, 26], Q10 octaves less BIAS."""
    wide = samples.astype(np.int64)
    loudest = np.abs(wide).max(axis=1)
    shift = tables.FRAME_BITS - 1 - _floor_log2(np.maximum(loudest, 1).astype(np.uint64))[:, None]
    energies = _energies(_power(_spectrum(_windowed(wide << shift))))
    found = (_log2(np.maximum(energies, 1)) >> 1) - (shift << 11) - tables.BIAS
    found[loudest == 0] = tables.LOWEST_LEVEL
    clamped: Levels = np.maximum(found, tables.LOWEST_LEVEL).astype(np.int16)
    return clamped


def _floored(spectrogram: Integers) -> Integers:
    """F9: the sum of each level's power and that of the floor."""
    floor = spectrogram.max() - tables.FLOOR_BELOW
    found: Integers = np.maximum(spectrogram, floor) + _added(np.abs(spectrogram - floor))
    return found


def _added(apart: Integers) -> Integers:
    """F9: N(d), by which the logarithm of a sum lies above the larger of two that are d apart, in Q10."""
    away = np.minimum(apart, tables.ADDED_STEP * tables.ADDED_STEPS - 1)
    added, place, rest = tables.added(), away // tables.ADDED_STEP, away % tables.ADDED_STEP
    more: Integers = added[place] - (((added[place] - added[place + 1]) * rest) >> 6)
    return more


def _moved(spectrogram: Integers, count: int) -> Integers:
    """F7, F13: of levels [25, 26] so many rows, the middle of the sound in their middle."""
    rows = np.arange(count) + _middle(spectrogram.sum(axis=1)) - count // 2
    found: Integers = spectrogram[np.clip(rows, 0, FRAMES - 1)]
    return found


def _pieces(spectrogram: Integers) -> Integers:
    """F10: mean levels [8, 26] of eight equal pieces of the sound."""
    sound = _sound(spectrogram)
    parts = np.repeat(sound, PIECES, axis=0).reshape(PIECES, len(sound), BANDS)  # each frame is eight eighths
    pieces: Integers = (parts.sum(axis=1) + len(sound) // 2) // len(sound)
    return pieces


def _sound(spectrogram: Integers) -> Integers:
    """F10: the rows from the first to the last loud one, or all."""
    inside = np.flatnonzero(_above(spectrogram.sum(axis=1)))
    return spectrogram[inside[0] : inside[-1] + 1] if len(inside) else spectrogram


def _cepstrum(rows: Integers, shift: int) -> Integers:
    """F11: [n, 26] -> [n, 13]."""
    return _rshift(rows @ tables.cosines().T, shift)


def _rshift(values: Integers, shift: int) -> Integers:
    """A1.1; a shift of 0 changes nothing."""
    return (values + ((1 << shift) >> 1)) >> shift


@functools.cache
def _sine() -> Integers:
    return tables.sine()


def _windowed(samples: Integers) -> Integers:
    """F2."""
    return _rshift(samples * tables.window(), 15)


def _turned(re: Integers, im: Integers, turns: Integers) -> tuple[Integers, Integers]:
    """F3: the complex numbers times e^(-2 pi i turns / 512)."""
    cosine, sine = _sine()[turns + 128], _sine()[turns]
    return _rshift(re * cosine + im * sine, 14), _rshift(im * cosine - re * sine, 14)


def _reversed_bits() -> Integers:
    """Place of each of the 256 inputs before the first stage: its number's eight bits reversed."""
    return np.array([int(f"{place:08b}"[::-1], 2) for place in range(HALF)])


def _spectrum(values: Integers) -> tuple[Integers, Integers]:
    """F3: real [n, 512] -> 2X (re, im), each [n, 256], of bins 0..255."""
    order = _reversed_bits()
    re, im = values[:, ::2][:, order], values[:, 1::2][:, order]
    half = 1
    while half < HALF:
        re, im = _stage(re, im, half)
        half *= 2
    return _untangled(re, im)


def _stage(re: Integers, im: Integers, half: int) -> tuple[Integers, Integers]:
    """One stage of butterflies over blocks of 2 · half."""
    re, im = (part.reshape(len(part), -1, 2, half) for part in (re, im))
    turned_re, turned_im = _turned(re[:, :, 1], im[:, :, 1], np.arange(half) * (HALF // half))
    pairs = ((re[:, :, 0], turned_re), (im[:, :, 0], turned_im))
    real, imaginary = (np.stack([a + b, a - b], axis=2).reshape(len(a), HALF) for a, b in pairs)
    return real, imaginary


def _untangled(re: Integers, im: Integers) -> tuple[Integers, Integers]:
    """2X[k] = (Z[k] + conj Z[256-k]) - i e^(-2 pi i k/512) (Z[k] - conj Z[256-k]), Z the transform of the pairs."""
    mirror = -np.arange(HALF) % HALF
    difference = _turned(re - re[:, mirror], im + im[:, mirror], np.arange(HALF))
    return re + re[:, mirror] + difference[1], im - im[:, mirror] - difference[0]


def _power(spectrum: tuple[Integers, Integers]) -> Integers:
    """F4."""
    re, im = spectrum
    return (re * re + im * im) >> 18


def _energies(power: Integers) -> Integers:
    """F5: [n, 256] -> [n, 26]."""
    bins, band, weight = tables.mel_bins().T
    own = power[:, bins]
    energies = np.zeros((BANDS + 2, len(power)), dtype=np.int64)  # a row more at either end for the outer slopes
    np.add.at(energies, band + 1, (own * weight).T)
    np.add.at(energies, band, (own * (256 - weight)).T)
    return energies[1:-1].T


def _log2(energies: Integers) -> Integers:
    """F6: Q11 octaves of numbers from 1 on."""
    value = energies.astype(np.uint64)
    log = _floor_log2(value)
    fraction = ((value << (63 - log).astype(np.uint64)) >> np.uint64(47)).astype(np.int64) & 65535
    low, high = tables.log2()[fraction >> 11], tables.log2()[(fraction >> 11) + 1]
    q11: Integers = (log << 11) + low + (((high - low) * (fraction & 2047)) >> 11)
    return q11


def _floor_log2(value: NDArray[np.uint64]) -> Integers:
    """The place of the highest bit; values lie below 2^53, so float64 holds them exactly."""
    return np.frexp(value.astype(np.float64))[1].astype(np.int64) - 1


def _above(loudness: Integers) -> Integers:
    """F7: how far each frame lies above half way between the softest and the loudest; at least 0."""
    found: Integers = np.maximum(0, loudness - ((loudness.min() + loudness.max()) >> 1))
    return found


def _middle(loudness: Integers) -> int:
    """F7: the frame in the middle of what is louder than half way between the softest and the loudest."""
    weight = _above(loudness)
    total = int(weight.sum())
    if total == 0:
        return FRAMES // 2
    return int(((weight * np.arange(FRAMES)).sum() + total // 2) // total)
