"""Read greyscale PNG images of 1, 2, 4 or 8 bits that are not interlaced, with zlib alone."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {2: "RGB colour", 3: "a palette", 4: "greyscale with transparency", 6: "RGB colour with transparency"}
LARGEST_SIDE = 4096

Grey = NDArray[np.uint8]
Predictor = Callable[[int, int, int], int]
"""Of a pixel, from those to its left, above it and above left."""


class PngError(Exception):
    """What is wrong with an image, or not supported, in half a sentence."""


class OtherPng(PngError):
    """An image of a kind that is not read here; other libraries may."""


def decode(data: bytes) -> tuple[Grey, int]:
    """The pixels uint8 [height, width] and the value of white (1, 3, 15 or 255). Raises: PngError."""
    chunks = _chunks(data)
    width, height, depth = _header(chunks.get(b"IHDR", b""))
    row_bytes = (width * depth + 7) // 8
    packed = _inflated(chunks.get(b"IDAT", b""), height * (row_bytes + 1))
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(height, row_bytes + 1)
    lines = _unfiltered(rows[:, 0], rows[:, 1:])
    return _unpacked(lines, depth)[:, :width], (1 << depth) - 1


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Content of the chunks by type; several of one type are joined, as IDAT demands."""
    if data[:8] != SIGNATURE:
        raise OtherPng("it is not a PNG file")
    found: dict[bytes, bytes] = {}
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + 8 + length]
        check = data[place + 8 + length : place + 12 + length]
        if len(check) < 4 or int.from_bytes(check, "big") != zlib.crc32(kind + content):
            break
        found[kind] = found.get(kind, b"") + content
        place += 12 + length
        if kind == b"IEND":
            return found
    raise PngError("it is damaged or cut short")


def _header(content: bytes) -> tuple[int, int, int]:
    if len(content) != 13:
        raise PngError("it has no header")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", content)
    if colour != 0 or depth not in (1, 2, 4, 8):
        kind = COLOURS.get(colour, f"greyscale of {depth} bits")
        raise OtherPng(f"it has {kind}; only greyscale of 1, 2, 4 or 8 bits can be read")
    if interlaced:
        raise OtherPng("it is interlaced, which cannot be read")
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise PngError(f"it measures {width} x {height}; 1 to {LARGEST_SIDE} pixels a side can be read")
    return width, height, depth


def _inflated(content: bytes, size: int) -> bytes:
    try:
        packed = zlib.decompressobj().decompress(content, size + 1)
    except zlib.error as error:
        raise PngError("its pixels are damaged") from error
    if len(packed) != size:
        raise PngError("its pixels do not fill it")
    return packed


def _unfiltered(filters: Grey, rows: Grey) -> Grey:
    """Undo the filter of every row (PNG specification, 9.2); one byte is at most one pixel here."""
    if not filters.any():
        return rows
    above = np.zeros(rows.shape[1], dtype=np.uint8)
    lines = np.empty_like(rows)
    for index, (kind, row) in enumerate(zip(filters.tolist(), rows, strict=True)):
        lines[index] = above = _unfiltered_row(kind, row, above)
    return lines


def _unfiltered_row(kind: int, row: Grey, above: Grey) -> Grey:
    match kind:
        case 0:
            return row
        case 1:
            return np.cumsum(row, dtype=np.uint8)
        case 2:
            return row + above
        case 3 | 4:
            return _predicted_row(row.tolist(), above.tolist(), _average if kind == 3 else _paeth)
        case _:
            raise PngError("its pixels are damaged")


def _predicted_row(row: list[int], above: list[int], predict: Predictor) -> Grey:
    line: list[int] = []
    left = corner = 0
    for value, up in zip(row, above, strict=True):
        left = (value + predict(left, up, corner)) & 255
        corner = up
        line.append(left)
    return np.array(line, dtype=np.uint8)


def _average(left: int, up: int, _: int) -> int:
    return (left + up) // 2


def _paeth(left: int, up: int, corner: int) -> int:
    """The neighbour nearest to left + up - corner; of equals the first in this order."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def _unpacked(lines: Grey, depth: int) -> Grey:
    """Pixels of `depth` bits, the leftmost in the highest bits, as one byte each."""
    if depth == 8:
        return lines
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    mask = np.uint8((1 << depth) - 1)
    return ((lines[:, :, None] >> shifts) & mask).reshape(len(lines), -1)
