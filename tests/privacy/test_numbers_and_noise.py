"""Sums of integers, clipping, noise and ε (docs/design/private-updates.md), without a fleet."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from jaragua.coordinator.weights.codec import ModelCodec
from jaragua.errors import ConfigurationError
from jaragua.models import model_named
from jaragua.privacy import accountant
from jaragua.privacy.clipping import clipped, grid_of, limit_of, on_grid, sum_of_squares, variance_of
from jaragua.privacy.noise import discrete_gaussian
from jaragua.privacy.numbers import StartNumbers, Summed, SumRule
from jaragua.privacy.rounds import round_rule, simulated_key, with_noise
from jaragua.privacy.streams import Stream, derived
from jaragua.settings import PrivacySettings
from jaragua_compiler.errors import CompileError
from jaragua_compiler.quantisation.blob import exponents, pack_integers, unpack_integers


def _trained(codec: ModelCodec, start: bytes, generator: np.random.Generator) -> bytes:
    """A blob of other integers under the same exponents."""
    pairs = [
        (matrix + generator.integers(-90, 91, matrix.shape), bias + generator.integers(-(2**20), 2**20, bias.shape))
        for matrix, bias in unpack_integers(codec.plan, start)
    ]
    limit = 2**7 if codec.plan.per_channel else 2**15
    kept = [(np.clip(matrix, -limit, limit - 1), bias) for matrix, bias in pairs]
    return pack_integers(codec.plan, kept, exponents(codec.plan, start))


@pytest.mark.parametrize("name", ["sine", "digits@w8"])
def test_u1_1_an_update_is_the_integers_that_it_moved(name: str, generator: np.random.Generator) -> None:
    """U1.3: the mean of sums is the mean of what devices learned, in real numbers; samples weigh."""
    codec = ModelCodec(model_named(name))
    start = codec.pack(codec.initial(3))
    numbers = StartNumbers(codec.plan, start)
    updates = [_trained(codec, start, generator) for _ in range(5)]
    learned = np.array([codec.learned("blob", start, one) for one in updates])
    for one, row in zip(updates, learned, strict=True):
        assert np.array_equal(np.ldexp(numbers.moved(one).astype(float), -numbers.exponents), row)
    assert np.array_equal(numbers.moved_rows(learned), [numbers.moved(one) for one in updates])
    samples = [3, 1, 4, 1, 5]
    for by_samples in (False, True):
        summed = Summed(numbers, SumRule(by_samples))
        total = sum(summed.contribution(numbers.moved(u), n) for u, n in zip(updates, samples, strict=True))
        expected = np.average(learned, axis=0, weights=samples if by_samples else None)
        assert np.allclose(summed.mean(total, 5, sum(samples)), expected, rtol=1e-12, atol=1e-15)


def test_an_update_under_other_exponents_is_refused() -> None:
    """U1.1."""
    codec = ModelCodec(model_named("sine"))
    start, other = codec.pack(codec.initial(3)), codec.pack(codec.initial(3) * 64)
    with pytest.raises(CompileError, match="exponents"):
        StartNumbers(codec.plan, start).moved(other)


def test_u9_1_numbers_on_a_grid_never_become_longer(generator: np.random.Generator) -> None:
    numbers = generator.integers(-(2**15), 2**15, 200)
    scales = generator.integers(4, 20, 200)
    found = on_grid(numbers, scales, 12)
    for number, scale, one in zip(numbers.tolist(), scales.tolist(), found.tolist(), strict=True):
        exact = Fraction(number) * Fraction(2) ** (12 - scale)
        assert one == math.trunc(exact)
    grid = grid_of(scales, clip_norm=4.0, noise=1.0, devices=40)
    assert 4.0 * 2.0**grid * (40 + 40) <= 2**31 - 1
    assert grid == int(scales.max()) or 4.0 * 2.0 ** (grid + 1) * 80 > 2**31 - 1
    with pytest.raises(ConfigurationError, match=r"privacy\.clip"):
        grid_of(scales, clip_norm=1e-9, noise=1.0, devices=40)


def test_u9_2_no_update_is_longer_than_the_clip(generator: np.random.Generator) -> None:
    """Exactly, in integers of any size; a short update stays as it is."""
    for largest, limit in itertools.product((3, 1000, 2**31, 2**45, 2**60), (1, 77, 2**20, 2**31 - 1)):
        numbers = generator.integers(-largest, largest + 1, 300)
        before = sum(one * one for one in numbers.tolist())
        assert sum_of_squares(numbers) == before
        found = clipped(numbers, limit)
        length = sum(one * one for one in found.tolist())
        assert length <= limit * limit
        if before <= limit * limit:
            assert np.array_equal(found, numbers)
        elif limit > 10_000:
            assert length > 0.99 * limit * limit
        assert (np.sign(found) * np.sign(numbers) >= 0).all()


def test_u9_3_with_a_clip_every_device_counts_the_same() -> None:
    codec = ModelCodec(model_named("sine"))
    numbers = StartNumbers(codec.plan, codec.pack(codec.initial(3)))
    rule = round_rule(PrivacySettings(clip=0.5), numbers.exponents, by_samples=True, clients=5, quorum=5).summed
    summed = Summed(numbers, rule)
    moved = np.ones(len(numbers.exponents), np.int64)
    assert np.array_equal(summed.contribution(moved, 1), summed.contribution(moved, 50))
    assert np.array_equal(summed.mean(moved, 2, 99), np.ldexp(0.5, -np.full(len(moved), rule.grid)))
    assert rule.clip == limit_of(0.5, rule.grid or 0)


def test_u10_1_samples_are_those_of_the_discrete_gaussian(generator: np.random.Generator) -> None:
    """χ² against the exact probabilities, of a small and a larger variance."""
    for variance in (1, 30):
        reach = 6 * math.isqrt(variance) + 6
        weights = np.array([math.exp(-x * x / (2 * variance)) for x in range(-reach, reach + 1)])
        expected = weights / weights.sum() * 6000
        found = discrete_gaussian(Stream(generator.bytes(32)), variance, 6000)
        counts = np.bincount(found + reach, minlength=2 * reach + 1)
        common = expected > 20
        tail = 6000 - counts[common].sum(), 6000 - expected[common].sum()
        chi = float(((counts[common] - expected[common]) ** 2 / expected[common]).sum()) + (tail[0] - tail[1]) ** 2 / (
            tail[1] + 1
        )
        degrees = int(common.sum())
        assert chi < degrees + 8 * math.sqrt(2 * degrees)
    assert discrete_gaussian(Stream(bytes(32)), 0, 4).tolist() == [0, 0, 0, 0]


def test_u10_2_noise_repeats_and_belongs_to_one_sum(generator: np.random.Generator) -> None:
    """The same key, round and sum have the same noise; all else has another, and cannot be subtracted."""
    key = generator.bytes(32)
    total = np.arange(40)
    first = with_noise(total, 10**9, key, 3)
    assert np.array_equal(first, with_noise(total, 10**9, key, 3))
    others = [with_noise(total, 10**9, key, 4), with_noise(total, 10**9, generator.bytes(32), 3)]
    others.append(with_noise(total + 1, 10**9, key, 3) - 1)
    assert all(np.count_nonzero(one != first) > 30 for one in others)
    assert np.array_equal(with_noise(total, 0, b"", 3), total)


def test_u10_3_noise_of_devices_adds_up_to_that_of_the_coordinator() -> None:
    """t devices have at least its variance; a grid that is too coarse is refused."""
    scales = np.full(10, 16)
    for quorum in (3, 7, 20):
        threshold = 2 * quorum // 3 + 1
        devices = PrivacySettings(secure_aggregation=True, clip=0.5, noise_multiplier=1.0, noise_on="devices")
        found = round_rule(devices, scales, by_samples=False, clients=quorum, quorum=quorum)
        assert found.noise == 0
        wanted = variance_of(0.5, found.summed.grid or 0, 1.0)
        assert wanted <= threshold * found.summed.noise < wanted + threshold
    coarse = PrivacySettings(secure_aggregation=True, clip=0.001, noise_multiplier=0.1, noise_on="devices")
    with pytest.raises(ConfigurationError, match="less than 16"):
        round_rule(coarse, np.full(10, 10), by_samples=False, clients=3, quorum=3)


def test_u10_4_a_simulation_draws_noise_from_its_seed() -> None:
    assert simulated_key(1) == simulated_key(1) != simulated_key(2)


def test_streams_are_uniform_and_repeat(generator: np.random.Generator) -> None:
    stream, again = Stream(derived(b"secret", "a")), Stream(derived(b"secret", "a"))
    found = [stream.below(10) for _ in range(5000)]
    assert found == [again.below(10) for _ in range(5000)]
    counts = np.bincount(found, minlength=10)
    assert (abs(counts - 500) < 8 * math.sqrt(450)).all()
    assert stream.below(1) == 0
    assert 0 <= stream.below(2**200) < 2**200


def test_u11_1_epsilon_is_that_of_the_composed_rounds() -> None:
    """U11.2: between the bound of an unbiased test and the classic conversion of zCDP (Bun and Steinke, 2016)."""
    for multiplier, rounds in itertools.product((0.7, 1.0, 4.0), (1, 10, 100)):
        found = accountant.spent(multiplier, rounds, 1e-5)
        rho = rounds / (2 * multiplier**2)
        classic = rho + 2 * math.sqrt(rho * math.log(1e5))
        assert rho < found.epsilon <= classic
        assert (found.delta, found.rounds) == (1e-5, rounds)
    assert accountant.spent(1.0, 0, 1e-5).epsilon == 0


def test_u11_2_the_device_that_took_part_most_often_counts() -> None:
    assert accountant.most_rounds([("a", "b"), ("a",), ("c", "a"), ()]) == 3
    assert accountant.most_rounds([]) == 0
