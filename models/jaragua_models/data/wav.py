"""Read WAV files of 16-bit mono PCM."""

import io
import wave

import numpy as np
from numpy.typing import NDArray


class WavError(Exception):
    """What is wrong with a recording, or not supported, in half a sentence."""


def decode(data: bytes, rate_hz: int) -> NDArray[np.int16]:
    """The samples int16 [n]. Raises: WavError unless it is mono, 16 bits, uncompressed, `rate_hz` and whole."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            form = file.getnchannels(), 8 * file.getsampwidth(), file.getframerate()
            count = file.getnframes()
            samples = file.readframes(count)
    except (wave.Error, EOFError, RuntimeError) as error:
        # RuntimeError, without a text, is what a chunk that says it is longer than the file ends in.
        raise WavError(f"it is not a WAV file of PCM samples ({str(error) or 'it is damaged or cut short'})") from error
    if form != (1, 16, rate_hz):
        channels, bits, rate = form
        form_said = f"{channels} {'channel' if channels == 1 else 'channels'} of {bits} bits at {rate} Hz"
        raise WavError(f"it has {form_said}; only mono, 16 bits, {rate_hz} Hz fits")
    if len(samples) != 2 * count:
        raise WavError("it is cut short")
    return np.frombuffer(samples, dtype="<i2").astype(np.int16)
