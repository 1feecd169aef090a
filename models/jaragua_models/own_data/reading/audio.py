"""Read recordings: any rate, width and number of channels becomes one second of 16-bit mono (D1 to D4)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jaragua_models.data import wav
from jaragua_models.errors import DataError
from jaragua_models.keywords import tables
from jaragua_models.keywords.features import EXPONENT, FrontEnd
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.reading.extras import needs
from jaragua_models.own_data.reading.folders import check_any, check_none_empty, files, folders
from jaragua_models.own_data.samples import Sound, Table, numbered

SUFFIXES = (".wav", ".flac", ".ogg")
EXTRA = "audio"
SLOWEST_HZ, FASTEST_HZ = 1_000, 768_000
CUT_STEP = 160
"""D4: a longer recording is cut at a multiple of 10 ms."""
FULL_SCALE = 0.999
"""Of a sample: at or above this magnitude it counts as clipped."""
QUIETEST_DB = -120.0

Signal = NDArray[np.float64]


def read(description: Description) -> Table:
    """`<path>/<speaker>/<word>/<file>.wav`, or .flac, .ogg. Raises: DataError that names the file in the folder."""
    folder = description.origin
    found = [
        (speaker, word, file)
        for speaker in folders(folder)
        for word in folders(speaker)
        for file in files(word, SUFFIXES)
    ]
    _check_speakers(folder, found)
    check_none_empty((word for speaker in folders(folder) for word in folders(speaker)), found, SUFFIXES)
    check_any(folder, found, "<speaker>/<word>/<file>.wav")
    rows, sounds = zip(*(_heard(file, description.sound) for _, _, file in found), strict=True)
    x = np.stack(rows).astype(np.float32) / np.float32(1 << EXPONENT)
    labels, classes = numbered(folder, [word.name for _, word, _ in found], description.classes)
    devices = np.array([speaker.name for speaker, _, _ in found])
    return Table(folder, x, labels, classes, devices, sounds=sounds)


def _heard(file: Path, front_end: FrontEnd) -> tuple[NDArray[np.int16], Sound]:
    """Features of a recording, int16 [count], and how it sounds."""
    signal, rate_hz = _signal(file)
    if not len(signal):
        raise DataError(f"{file}: there are no samples in it.", "Record it again, or take it away.")
    if not np.isfinite(signal).all():
        raise DataError(f"{file}: a sample is not a number.", "Record it again, or take it away.")
    mixed = signal.mean(axis=1)  # D2
    if rate_hz != tables.RATE_HZ:
        mixed = needs("soxr", EXTRA, file).resample(mixed, rate_hz, tables.RATE_HZ, quality="HQ")  # D3
    whole = np.clip(np.rint(mixed * 32768), -32768, 32767).astype(np.int16)
    levels = front_end.levels_of(_second(whole))
    sound = Sound(
        "/".join(file.parts[-3:]),
        rate_hz,
        signal.shape[1],
        len(signal) / rate_hz,
        loudness_db(mixed),
        float((np.abs(signal) >= FULL_SCALE).mean()),
        front_end.rows_of_sound(levels),
    )
    return front_end.of_levels(levels), sound


def loudness_db(signal: Signal) -> float:
    """Root of the mean square, in dB of full scale; -120 at least."""
    square = float(np.mean(np.square(signal)))
    return max(QUIETEST_DB, 10 * float(np.log10(square))) if square > 0 else QUIETEST_DB


def _second(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """D4."""
    length = tables.CLIP_SAMPLES
    if len(samples) <= length:
        return np.pad(samples, (0, length - len(samples)))
    energy = np.concatenate([[0], np.cumsum(samples.astype(np.int64) ** 2)])
    starts = np.arange(0, len(samples) - length + 1, CUT_STEP)
    first = int(starts[np.argmax(energy[starts + length] - energy[starts])])
    return samples[first : first + length]


def _signal(file: Path) -> tuple[Signal, int]:
    """D1: samples float64 [n, channels], -1..1, and their rate in Hz."""
    try:
        if file.suffix.lower() != ".wav":
            return _checked(file, *_decoded(file))
        return _checked(file, *wav.signal(file.read_bytes()))
    except wav.OtherFormat:
        return _checked(file, *_decoded(file))
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}.", "Check the file, or the link.") from error
    except wav.WavError as error:
        raise DataError(f"{file}: {error}.", "Record it again, or convert it to WAV.") from error


def _checked(file: Path, signal: Signal, rate_hz: int) -> tuple[Signal, int]:
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        message = f"{file}: it has {rate_hz} samples a second; {SLOWEST_HZ} to {FASTEST_HZ} fit."
        raise DataError(message, "Convert it.")
    return signal, rate_hz


def _decoded(file: Path) -> tuple[Signal, int]:
    """With soundfile: FLAC, OGG, and WAV of other formats than PCM."""
    soundfile = needs("soundfile", EXTRA, file)
    with file.open("rb") as opened:
        try:
            signal, rate_hz = soundfile.read(opened, dtype="float64", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise DataError(f"{file}: cannot be read: {error.error_string}", "Convert it to WAV.") from error
    return signal, int(rate_hz)


def _check_speakers(root: Path, found: list[tuple[Path, Path, Path]]) -> None:
    """A speaker whose files lie beside the folders of words would go unnoticed."""
    for speaker in folders(root) if found else ():
        if not any(folders(speaker)):
            raise DataError(
                f"{speaker}: there is no folder of a word in it.",
                "Lay its files out as <speaker>/<word>/<file>.wav, or remove the folder.",
            )
