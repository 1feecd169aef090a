"""WAV files as recorders write them: which are taken, and what is said of the others."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from jaragua_models.data.wav import WavError, decode

RATE_HZ = 16_000
SAMPLES = np.array([0, 1, -1, 32767, -32768, 300], dtype="<i2")
PCM_GUID = "0100000000001000800000aa00389b71"
FLOAT_GUID = "0300000000001000800000aa00389b71"


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return struct.pack("<4sI", name, len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def form(number: int, bits: int = 16, channels: int = 1, rate_hz: int = RATE_HZ, extension: bytes = b"") -> bytes:
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", number, channels, rate_hz, rate_hz * block, block, bits) + extension)


def extensible(guid: str = PCM_GUID, bits: int = 16, channels: int = 1) -> bytes:
    extension = struct.pack("<HHI", 22, bits, 4) + bytes.fromhex(guid)
    return form(0xFFFE, bits, channels, extension=extension)


DATA = chunk(b"data", SAMPLES.tobytes())


def written_by_python() -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(SAMPLES.tobytes())
    return content.getvalue()


TAKEN = {
    "plain": written_by_python(),
    "extensible": riff(extensible(), DATA),
    "other chunks before and behind": riff(
        chunk(b"LIST", b"odd"), extensible(), chunk(b"fact", b"\6\0\0\0"), DATA, chunk(b"id3 ", b"x" * 9)
    ),
    "an extension of nothing": riff(form(1, extension=b"\0\0"), DATA),
    "of unknown length, from a pipe": riff(form(1), chunk(b"data", SAMPLES.tobytes(), size=0xFFFFFFFF)),
    "cut short behind the samples": riff(form(1), DATA, chunk(b"LIST", b"x" * 20))[:-9],
}


@pytest.mark.parametrize("name", TAKEN)
def test_mono_of_16_bits_is_taken_however_it_is_written(name: str) -> None:
    assert np.array_equal(decode(TAKEN[name], RATE_HZ), SAMPLES)


REFUSED = {
    "floating-point numbers": riff(form(3, 32), DATA),
    "it holds floating-point numbers; only PCM fits": riff(extensible(FLOAT_GUID, 32), DATA),
    "A-law": riff(form(6, 8), DATA),
    "MP3": riff(form(0x55, 0), DATA),
    "format number 65534": riff(extensible("11" * 16), DATA),
    "format number 4660": riff(form(0x1234), DATA),
    "2 channels of 16 bits at 16000 Hz": riff(extensible(channels=2), DATA),
    "1 channel of 24 bits": riff(extensible(bits=24), DATA),
    "1 channel of 16 bits at 8000 Hz": riff(form(1, rate_hz=8000), DATA),
    "it is not a WAV file": b"OggS" + bytes(40),
    "it has no samples": riff(form(1)),
    "it is cut short": riff(form(1), DATA)[:-3],
    "its format is cut short": riff(chunk(b"fmt ", b"\1\0\1\0"), DATA),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_another_form_is_named_as_what_it_is(reason: str) -> None:
    with pytest.raises(WavError, match=reason):
        decode(REFUSED[reason], RATE_HZ)


def test_what_is_damaged_is_decoded_or_refused() -> None:
    seed = 20_261_124
    print(f"seed {seed}")
    generator = np.random.default_rng(seed)
    contents = list(TAKEN.values())
    refused = 0
    for number in range(600):
        damaged = bytearray(contents[number % len(contents)])
        for place in generator.integers(len(damaged), size=3):
            damaged[place] ^= int(generator.integers(1, 256))
        try:
            decode(bytes(damaged[: int(generator.integers(1, len(damaged) + 1))]), RATE_HZ)
        except WavError:
            refused += 1
    assert refused > 300
