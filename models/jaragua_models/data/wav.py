"""Read WAV files: 16-bit mono PCM, or any PCM as real numbers."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PCM, _EXTENSIBLE = 0x0001, 0xFFFE
_FORMATS = {
    0x0001: "PCM",
    0x0002: "Microsoft ADPCM",
    0x0003: "floating-point numbers",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0055: "MP3",
}
_FLOAT = 0x0003
#: (format, bits) -> NumPy's name of a sample; 24 bits have none.
_SAMPLES = {
    (_PCM, 8): "u1",
    (_PCM, 16): "<i2",
    (_PCM, 24): "3 bytes",
    (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4",
    (_FLOAT, 64): "<f8",
}
_SUBFORMAT = 24  # of an extensible format: a GUID, whose first two bytes are the number of the format
_GUID_END = bytes.fromhex("000000001000800000aa00389b71")
_UNKNOWN_SIZE = 0xFFFFFFFF  # of the data in a file that was written to a pipe: all that follows


class WavError(Exception):
    """What is wrong with a recording, or not supported, in half a sentence."""


@dataclass(frozen=True)
class _Form:
    """What the chunk `fmt ` of a file says."""

    format: int
    channels: int
    rate_hz: int
    bits: int

    def __str__(self) -> str:
        channels = f"{self.channels} {'channel' if self.channels == 1 else 'channels'}"
        return f"{channels} of {self.bits} bits at {self.rate_hz} Hz"


def decode(data: bytes, rate_hz: int) -> NDArray[np.int16]:
    """The samples int16 [n]. Raises: WavError unless it is mono, 16 bits, uncompressed, `rate_hz` and whole.

    Uncompressed is PCM, also where the file says so as WAVE_FORMAT_EXTENSIBLE, as most recorders do.
    """
    form, samples = _content(data)
    if form.format != _PCM:
        name = _FORMATS.get(form.format, f"format number {form.format}")
        raise WavError(f"it holds {name}; only PCM fits")
    if (form.channels, form.bits, form.rate_hz) != (1, 16, rate_hz):
        raise WavError(f"it has {form}; only mono, 16 bits, {rate_hz} Hz fits")
    if len(samples) % 2:
        raise WavError("it is cut short")
    return np.frombuffer(samples, dtype="<i2").astype(np.int16)


class OtherFormat(WavError):
    """A WAV file of compressed samples, which other libraries may read."""


def signal(data: bytes) -> tuple[NDArray[np.float64], int]:
    """The samples of any PCM file, or of one with floating-point numbers: float64 [n, channels], -1..1, and their rate.

    Integers of n bits are divided by 2^(n - 1) (D1). Raises: OtherFormat; WavError if it is none, or damaged.
    """
    form, samples = _content(data)
    kind = _SAMPLES.get((form.format, form.bits))
    if kind is None or not form.channels:
        name = _FORMATS.get(form.format, f"format number {form.format}")
        raise OtherFormat(f"it holds {name} of {form.bits} bits")
    width = form.bits // 8 * form.channels
    if len(samples) % width:
        raise WavError("it is cut short")
    return _numbers(samples, kind, form.bits).reshape(-1, form.channels), form.rate_hz


def _numbers(samples: bytes, kind: str, bits: int) -> NDArray[np.float64]:
    if bits == 24:
        padded = np.zeros((len(samples) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(samples, np.uint8).reshape(-1, 3)
        return padded.view("<i4").ravel() / 2.0**31
    numbers = np.frombuffer(samples, kind).astype(np.float64)
    if kind == "u1":
        return (numbers - 128) / 128
    return numbers if kind.startswith("<f") else numbers / 2.0 ** (bits - 1)


def _content(data: bytes) -> tuple["_Form", bytes]:
    """What the file says of its samples, and the samples."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavError("it is not a WAV file")
    chunks = _chunks(data)
    if b"fmt " not in chunks or b"data" not in chunks:
        raise WavError("it is damaged or cut short: it has no samples")
    return _form(chunks[b"fmt "]), chunks[b"data"]


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The first chunk of each name; behind the samples nothing is needed. Raises: WavError if one is cut short."""
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= len(data) and b"data" not in chunks:
        name, size = struct.unpack_from("<4sI", data, place)
        place += 8
        if name == b"data" and size == _UNKNOWN_SIZE:
            size = len(data) - place
        if place + size > len(data):
            raise WavError("it is cut short")
        chunks.setdefault(name, data[place : place + size])
        place += size + size % 2
    return chunks


def _form(chunk: bytes) -> _Form:
    if len(chunk) < 16:
        raise WavError("it is damaged: its format is cut short")
    number, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if number == _EXTENSIBLE and chunk[_SUBFORMAT + 2 : _SUBFORMAT + 16] == _GUID_END:
        (number,) = struct.unpack_from("<H", chunk, _SUBFORMAT)
    return _Form(number, channels, rate_hz, bits)
