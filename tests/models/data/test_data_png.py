"""The PNG reader and the area average: are they right where an independent way says what is right?"""

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from jaragua_models.data.area import area_sums, overlaps
from jaragua_models.data.png import SIGNATURE, PngError, decode

Grey = NDArray[np.uint8]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(lines: bytes, width: int, height: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    half = len(packed := zlib.compress(lines)) // 2
    body = chunk(b"IHDR", header) + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:])
    return SIGNATURE + body + chunk(b"tEXt", b"made\0by hand") + chunk(b"IEND", b"")


def filtered(image: Grey, kinds: list[int]) -> bytes:
    """Every row with the filter asked for, straight from the table in the PNG specification, 9.2."""
    padded = np.pad(image.astype(int), ((1, 0), (1, 0)))
    lines = b""
    for y, kind in enumerate(kinds, start=1):
        x, a, b, c = padded[y, 1:], padded[y, :-1], padded[y - 1, 1:], padded[y - 1, :-1]
        nearest = np.argmin(np.abs(a + b - c - np.array([a, b, c])), axis=0)
        guess = (0 * x, a, b, (a + b) // 2, np.choose(nearest, [a, b, c]))[kind]
        lines += bytes([kind]) + ((x - guess) & 255).astype(np.uint8).tobytes()
    return lines


def test_every_filter_is_undone(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (10, 7), dtype=np.uint8)
    found, white = decode(png(filtered(image, [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]), 7, 10))
    assert white == 255
    assert np.array_equal(found, image)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_every_depth_is_unpacked_from_the_left(depth: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 1 << depth, (5, 13), dtype=np.uint8)
    bits = ["".join(f"{value:0{depth}b}" for value in row) for row in image.tolist()]
    lines = b"".join(
        b"\0" + bytes(int(row[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(row), 8)) for row in bits
    )
    found, white = decode(png(lines, 13, 5, depth))
    assert white == (1 << depth) - 1
    assert np.array_equal(found, image)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GIF89a", "not a PNG"),
        (b"", "not a PNG"),
        (png(b"\0\0\0\0" * 3, 3, 3)[:60], "cut short"),
        (png(b"\0\0\0\0" * 3, 3, 3)[:-8], "cut short"),
        (png(b"\0\0\0\0" * 3, 3, 3).replace(b"IDAT", b"JDAT", 1), "damaged"),
        (png(b"\0\0\0\0" * 2, 3, 3), "do not fill"),
        (png(b"\0\0\0\0" * 9999, 3, 3), "do not fill"),
        (png(b"\5\0\0\0" * 3, 3, 3), "damaged"),
        (png(b"\0" * 30, 3, 3, colour=2), "RGB colour"),
        (png(b"\0" * 12, 3, 3, colour=3), "palette"),
        (png(b"\0" * 21, 3, 3, depth=16), "16 bits"),
        (png(b"\0" * 12, 3, 3, interlaced=1), "interlaced"),
        (png(b"", 0, 3), "0 x 3"),
        (png(b"", 1 << 30, 1 << 30), "pixels a side"),
        (SIGNATURE + chunk(b"IEND", b""), "no header"),
    ],
)
def test_what_cannot_be_read_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(PngError, match=reason):
        decode(data)


@pytest.mark.parametrize(("size", "wanted"), [(105, 28), (28, 28), (10, 5), (3, 7)])
def test_the_area_average_takes_every_pixel_by_its_part(size: int, wanted: int) -> None:
    edges, new = np.arange(size), np.arange(wanted)[:, None] * size / wanted
    part = np.minimum(edges + 1, new + size / wanted) - np.maximum(edges, new)
    counts = overlaps(size, wanted)
    assert np.allclose(counts / counts[0].sum(), np.maximum(0, part) * wanted / size)


def test_the_area_average_keeps_the_mean(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (105, 70), dtype=np.uint8)
    sums, whole = area_sums(image, 28, 28)
    assert (sums / whole).mean() == pytest.approx(image.mean())
