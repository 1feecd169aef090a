"""Windows that move over an image: which pixels each position covers, and how often a pixel is covered. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from jaragua_compiler.graph.network import ConvGeometry, Shape

Span = tuple[int, int, int]
"""First pixel of the image under a position, how many there are, and the first tap of the kernel that meets one."""


def spans(geometry: ConvGeometry, shape: Shape, axis: int) -> list[Span]:
    """For every position along an axis (0: rows, 1: columns) the pixels under it; padding is left out."""
    found = []
    for position in range(geometry.positions[axis]):
        start = position * geometry.stride[axis] - geometry.pads[axis][0]
        first, end = max(0, start), min(shape[axis], start + geometry.kernel[axis])
        found.append((first, max(0, end - first), first - start))
    return found


def covered(geometry: ConvGeometry, shape: Shape) -> Iterator[tuple[int, int, Span, Span]]:
    """Every position (row, column) with the rows and the columns of the image under it."""
    columns = spans(geometry, shape, 1)
    for row, row_span in enumerate(spans(geometry, shape, 0)):
        for column, column_span in enumerate(columns):
            yield row, column, row_span, column_span


def positions_over_a_pixel(geometry: ConvGeometry) -> int:
    """At most so many positions cover one pixel (A7.3)."""
    (height, width), (down, right) = geometry.kernel, geometry.stride
    rows = min(-(-height // down), geometry.positions[0])
    return rows * min(-(-width // right), geometry.positions[1])


def overlap_bits(geometry: ConvGeometry, shape: Shape, average: bool) -> int:
    """h of A9.5: bits by which the sum of the windows' errors at one pixel can exceed the largest of them."""
    if not average:
        return (positions_over_a_pixel(geometry) - 1).bit_length()
    shares: dict[tuple[int, int], Fraction] = {}
    for _, _, (top, rows, _), (left, columns, _) in covered(geometry, shape):
        for row in range(top, top + rows):
            for column in range(left, left + columns):
                shares[row, column] = shares.get((row, column), Fraction(0)) + Fraction(1, rows * columns)
    return (-(-max(shares.values()).numerator // max(shares.values()).denominator) - 1).bit_length()
