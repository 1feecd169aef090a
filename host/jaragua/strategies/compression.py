"""Differences of weights in few bytes: the largest ones only, in 8 or 16 bits, then an entropy code.

A difference is the concatenation of blocks (a layer's weights, a layer's biases), each with a scale of its own. The
bytes are: u8 bits | u32 count of values | one float32 scale per block | raw deflate of (gaps | values), all little
endian. A gap is the distance from one kept place to the next, as a LEB128 number; values are signed, in units of their
block's scale. Indices cost what they cost: they are in the bytes that are counted.

Error feedback is the caller's: what an encoding leaves out is kept and added to the next difference ("1-Bit Stochastic
Gradient Descent", Seide et al., 2014; "Sparsified SGD with Memory", Stich et al., 2018).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jaragua.errors import ProtocolError
from jaragua.strategies.aggregation import Vector

_HEADER: Final = struct.Struct("<BI")
_TYPES: Final[dict[int, np.dtype[np.signedinteger[Any]]]] = {8: np.dtype("<i1"), 16: np.dtype("<i2")}
#: Of the raw deflate: no zlib header, largest window and memory.
_WINDOW_BITS: Final = -15
_MEMORY_LEVEL: Final = 9

Indices = NDArray[np.int64]
#: What was learned and not sent yet.
Residual = NDArray[np.float32]


def encode(difference: Vector, blocks: Sequence[int], fraction: float, bits: int) -> bytes:
    """The `fraction` (0..1] of the difference that is largest in magnitude, in `bits` (8 or 16) each.

    difference: float64 [sum of blocks]; blocks: how many numbers have a scale in common. What rounds to zero is not
    sent.
    """
    kept = largest(difference, fraction)
    scales = _scales(difference, kept, blocks, bits)
    with np.errstate(divide="ignore", invalid="ignore"):
        rounded = np.rint(difference[kept] / np.repeat(scales, blocks)[kept])
    values = np.nan_to_num(rounded, posinf=0, neginf=0).astype(_TYPES[bits])
    kept, values = kept[values != 0], values[values != 0]
    body = _leb128(np.diff(kept, prepend=-1)) + values.tobytes()
    return _HEADER.pack(bits, len(kept)) + scales.astype("<f4").tobytes() + _deflated(body)


def encode_with_residual(wanted: Vector, blocks: Sequence[int], fraction: float, bits: int) -> tuple[bytes, Residual]:
    """`encode`, and what it leaves out, float32: to be added to what is wanted next (error feedback)."""
    data = encode(wanted, blocks, fraction, bits)
    return data, (wanted - decode(data, blocks)).astype(np.float32)


def decode(data: bytes, blocks: Sequence[int]) -> Vector:
    """float64 [sum of blocks], zero where nothing was sent. Raises: ProtocolError if the bytes are no difference."""
    parameters = sum(blocks)
    try:
        bits, count = _HEADER.unpack_from(data)
        kind = _TYPES[bits]
        scales = np.frombuffer(data, np.dtype("<f4"), len(blocks), _HEADER.size)
        body = _inflated(data[_HEADER.size + 4 * len(blocks) :], parameters * (kind.itemsize + 5))
        gaps, used = _from_leb128(body, count)
        values = np.frombuffer(body, kind, count, used)
    except (struct.error, KeyError, ValueError, zlib.error) as error:
        raise ProtocolError(f"a difference of weights cannot be read: {error}") from error
    places = np.cumsum(gaps) - 1
    if used + values.nbytes != len(body) or (count and (gaps.min() < 1 or places[-1] >= parameters)):
        raise ProtocolError("a difference of weights has places outside the network, or bytes too many")
    if not np.isfinite(scales).all():
        raise ProtocolError("a difference of weights has a scale that is not a number")
    result = np.zeros(parameters)
    result[places] = values * np.repeat(scales.astype(np.float64), blocks)[places]
    return result


def largest(difference: Vector, fraction: float) -> Indices:
    """Where the fraction of a difference is that is largest in magnitude, in order; of equals the first."""
    count = max(1, round(fraction * len(difference)))
    if count >= len(difference):
        return np.arange(len(difference))
    order = np.argsort(-np.abs(difference), kind="stable")
    return np.sort(order[:count])


def _scales(difference: Vector, kept: Indices, blocks: Sequence[int], bits: int) -> NDArray[np.float64]:
    """Per block the unit in which its largest kept value is the largest integer; float32 precision."""
    chosen = np.zeros(len(difference))
    chosen[kept] = np.abs(difference[kept])
    starts = np.cumsum([0, *blocks[:-1]])
    peaks = np.maximum.reduceat(chosen, starts)
    return (peaks / ((1 << (bits - 1)) - 1)).astype(np.float32).astype(np.float64)


def _deflated(body: bytes) -> bytes:
    """The shortest of the entropy codes that raw deflate has."""
    found = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FILTERED):
        coder = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, strategy)
        found.append(coder.compress(body) + coder.flush())
    return min(found, key=len)


def _inflated(data: bytes, most_bytes: int) -> bytes:
    """The body; no more memory than a difference of this network can need."""
    decoder = zlib.decompressobj(_WINDOW_BITS)
    body = decoder.decompress(data, most_bytes + 1)
    if len(body) > most_bytes or not decoder.eof or decoder.unused_data:
        raise ValueError("its deflate stream is too long or cut off")
    return body


def _leb128(numbers: Indices) -> bytes:
    """Seven bits a byte, the lowest first, the top bit says that another follows."""
    if not len(numbers) or numbers.max() < 0x80:
        return numbers.astype(np.uint8).tobytes()
    parts = bytearray()
    for number in numbers.tolist():
        while number >= 0x80:
            parts.append(number & 0x7F | 0x80)
            number >>= 7
        parts.append(number)
    return bytes(parts)


def _from_leb128(data: bytes, count: int) -> tuple[Indices, int]:
    """The first `count` numbers, and how many bytes they took."""
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array < 0x80)[:count]
    if len(ends) < count:
        raise ValueError("its places are cut off")
    if not count:
        return np.zeros(0, np.int64), 0
    used = int(ends[-1]) + 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(used) - np.repeat(starts, ends - starts + 1)
    if place.max() > 4:
        raise ValueError("a place has more than five bytes")
    parts = (array[:used] & 0x7F).astype(np.int64) << (7 * place)
    return np.add.reduceat(parts, starts), used
