"""The scalar rules and tables of docs/reference/arithmetic.md, on int64 arrays, as the C kernels must compute them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaragua_compiler.operators.rounding import rshift as rshift
from jaragua_compiler.operators.rounding import sats as sats
from jaragua_compiler.operators.rounding import satu as satu
from jaragua_compiler.quantisation.blob import IntArray

LOG2_E_Q14 = 23637  # A4.1
LN_2_Q14 = 11357  # A4.4
LOGIT_ONE_LOG2 = 11  # logits and losses of cross-entropy are Q11
TOP_LOGIT = (1 << 15) - 1  # A4.2
PROBABILITY_ONE = 1 << 15  # A4.1: probabilities are Q15
BAD_LABEL_LOSS = (1 << 31) - 1  # A4.2
LOSS_LIMIT = (1 << 31) - 1  # A4.4

EXP2_TABLE = [round(2**15 * 2 ** (-k / 32)) for k in range(33)]  # A4.1: T
LOG2_TABLE = [round(2**11 * float(np.log2(1 + k / 32))) for k in range(33)]  # A4.4: Lg


class LossError(NamedTuple):
    """What a loss hands on: the error vector (A4.2, A4.3), whether the class was right, and the loss (A4.4)."""

    error: IntArray
    correct: bool
    loss: int


class Block(NamedTuple):
    """A block floating point vector: real = values · 2^-exponent (A5.1)."""

    values: IntArray
    exponent: int


def summed_errors(first: Block, second: Block) -> Block:
    """A9.7: the error of a tensor with several readers."""
    exponent = min(first.exponent, second.exponent) - 1
    shares = [rshift(block.values, block.exponent - exponent) for block in (first, second)]
    return Block(shares[0] + shares[1], exponent)


def magnitude(error: IntArray) -> int:
    """A5.1: o, the OR of all magnitudes; where it is 0, there is nothing to teach."""
    return int(np.bitwise_or.reduce(error ^ (error >> 31)))


def block_error(error: IntArray, exponent: int, width: int) -> Block | None:
    """A5.1: scale an error vector to `width` magnitude bits; None if there is nothing to teach."""
    return scaled_error(Block(error, exponent), width) if magnitude(error) else None


def scaled_error(error: Block, width: int) -> Block:
    """A5.1 of an error whose magnitude is not 0."""
    shift = magnitude(error.values).bit_length() - width
    values = sats(rshift(error.values, shift), width) if shift > 0 else error.values << -shift
    return Block(values, error.exponent - shift)


def softmax_error(logits: IntArray, label: int) -> LossError:
    """A4.1, A4.2, A4.4: cross-entropy of Q11 logits with a class label; error and loss."""
    if not 0 <= label < len(logits):
        return LossError(np.zeros_like(logits), False, BAD_LABEL_LOSS)
    below_top = ((int(logits.max()) - logits) * LOG2_E_Q14) >> 14
    powers = np.array([_power_of_half(int(t)) for t in below_top], dtype=np.int64)
    total = int(powers.sum())
    error = (powers * PROBABILITY_ONE + total // 2) // total
    error[label] -= PROBABILITY_ONE
    loss = ((int(below_top[label]) + _log2_q11(total) - (15 << LOGIT_ONE_LOG2)) * LN_2_Q14) >> 14
    if logits[label] == TOP_LOGIT:
        error = np.zeros_like(error)
    return LossError(error, int(np.argmax(logits)) == label, max(0, loss))


def squared_error(outputs: IntArray, target: IntArray) -> LossError:
    """A4.3, A4.4: error and summed squares of a regression."""
    error = outputs - target
    return LossError(error, False, min(int((error * error).sum()), LOSS_LIMIT))


def clipped(error: IntArray, limit: int) -> IntArray:
    """A11.7: an output error, scaled to a largest magnitude of `limit` if it is above; 0: as it is."""
    largest = int(np.abs(error).max())
    if limit == 0 or largest <= limit:
        return error
    return rshift(error * ((limit << 15) // largest), 15)


def _power_of_half(exponent_q11: int) -> int:
    """A4.1: 2^-exponent in Q15, from the table by linear interpolation."""
    whole, fraction = exponent_q11 >> 11, exponent_q11 & 2047
    if whole > 15:
        return 0
    index, rest = fraction >> 6, fraction & 63
    high, low = EXP2_TABLE[index], EXP2_TABLE[index + 1]
    return (high - (((high - low) * rest) >> 6)) >> whole


def _log2_q11(value: int) -> int:
    """A4.4: lg of a sum, 1 <= value < 2^32, in Q11."""
    leading_zeros = 32 - value.bit_length()
    fraction = ((value << leading_zeros) >> 15) & 65535
    index, rest = fraction >> 11, fraction & 2047
    low, high = LOG2_TABLE[index], LOG2_TABLE[index + 1]
    return ((31 - leading_zeros) << 11) + low + (((high - low) * rest) >> 11)
