"""Log-mel features (features.md): do NumPy and the board's C give the same bits, and are they log-mel?"""

import ctypes
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from jaragua_compiler.engines.host_build import base_flags
from jaragua_models.data.wav import decode
from jaragua_models.keywords import clips, features, tables
from jaragua_models.keywords.features import FrontEnd, Kind, Loudness, Pooling
from jaragua_models.keywords.tables import BANDS, CLIP_SAMPLES, FRAME_SAMPLES, FRAMES, HOP_SAMPLES

FOLDER = Path(__file__).parents[3] / "firmware" / "lib" / "jrg_feat"
Clip = NDArray[np.int16]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """jrg_feat for this machine, with the sanitizer of undefined behaviour ending the run."""
    target = tmp_path_factory.mktemp("jrg_feat") / "jrg_feat.so"
    strict = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
    sources = sorted(FOLDER.glob("*.c"))
    subprocess.run(["cc", *base_flags(), "-O2", *strict, "-o", target, *sources], check=True, timeout=120)
    return ctypes.CDLL(str(target))


class Options(ctypes.Structure):
    """jrg_feat_options."""

    _fields_ = (("normalised", ctypes.c_bool), ("pooling", ctypes.c_int), ("cepstrum", ctypes.c_bool))


FRONT_ENDS = [
    FrontEnd(*chosen) for chosen in itertools.product(*(get_args(kind) for kind in (Loudness, Pooling, Kind)))
]


def c_levels(library: ctypes.CDLL, frames: NDArray[np.int16], *, normalised: bool = False) -> NDArray[np.int16]:
    scratch = ctypes.create_string_buffer(2048)
    found = np.empty((len(frames), BANDS), dtype=np.int16)
    one = library.jrg_feat_frame_normalised if normalised else library.jrg_feat_frame
    for frame, row in zip(np.ascontiguousarray(frames), found, strict=True):
        one(ctypes.c_void_p(frame.ctypes.data), scratch, ctypes.c_void_p(row.ctypes.data))
    return found


def c_rows(library: ctypes.CDLL, options: Options, clip: Clip) -> NDArray[np.int16]:
    """Levels [25, 26]: of one frame each, or with pooling of two."""
    if options.pooling == 0:
        return c_levels(library, features.frames(clip), normalised=options.normalised)
    levels = c_levels(library, features.short_frames(clip), normalised=options.normalised)
    rows = levels[::2].copy()
    for row, second in zip(rows, levels[1::2], strict=False):
        pointers = (ctypes.c_void_p(second.ctypes.data), ctypes.c_void_p(row.ctypes.data))
        library.jrg_feat_add_frame(options, *pointers)
    return rows


def c_features_with(library: ctypes.CDLL, front_end: FrontEnd, clip: Clip) -> NDArray[np.int16]:
    pooling = get_args(Pooling).index(front_end.pooling)
    chosen = Options(front_end.loudness == "normalised", pooling, front_end.features == "mfcc")
    levels = c_rows(library, chosen, clip)
    found = np.empty(tables.FEATURES, dtype=np.int16)
    pointers = (ctypes.c_void_p(levels.ctypes.data), ctypes.c_void_p(found.ctypes.data))
    library.jrg_feat_clip_with(chosen, *pointers)
    assert library.jrg_feat_count(chosen) == front_end.count
    return found[: front_end.count]


def difference(one: NDArray[np.int16], other: NDArray[np.int16]) -> int:
    return int(np.abs(one.astype(np.int32) - other).max())


def c_features(library: ctypes.CDLL, clip: Clip) -> NDArray[np.int16]:
    levels = c_levels(library, features.frames(clip))
    found = np.empty(tables.FEATURES, dtype=np.int16)
    library.jrg_feat_clip(ctypes.c_void_p(levels.ctypes.data), ctypes.c_void_p(found.ctypes.data))
    return found


def noise(random: np.random.Generator, loudness: int) -> Clip:
    """Noise in a burst somewhere, so that F7 has something to find."""
    burst = np.zeros(CLIP_SAMPLES)
    burst[random.integers(CLIP_SAMPLES) :][: random.integers(1, CLIP_SAMPLES)] = loudness
    return np.clip(random.normal(0, 1, CLIP_SAMPLES) * burst, -32768, 32767).astype(np.int16)


def float_levels(frames: NDArray[np.int16], floor: int = tables.FLOOR) -> NDArray[np.float64]:
    """The textbook: Hann window, power spectrum, triangles in mel, log2, with the floor of F6."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)
    power = np.abs(np.fft.rfft(frames * hann)) ** 2
    edges = np.linspace(tables.mel(tables.LOWEST_HZ), tables.mel(tables.HIGHEST_HZ), BANDS + 2)
    own = np.array([tables.mel(hertz) for hertz in np.arange(FRAME_SAMPLES // 2 + 1) * tables.RATE_HZ / FRAME_SAMPLES])
    triangles = np.maximum(0, 1 - np.abs(own - edges[1:-1, None]) / (edges[1] - edges[0]))
    levels: NDArray[np.float64] = np.log2(power @ triangles.T / 256 + floor)
    return levels


def test_the_header_of_the_firmware_carries_the_same_tables() -> None:
    assert (FOLDER / "jrg_feat_tables.h").read_text() == tables.c_header()
    assert (FOLDER / "jrg_feat_clip_tables.h").read_text() == tables.c_clip_header()


def test_f1_a_clip_is_one_second() -> None:
    assert (FRAMES - 1) * HOP_SAMPLES + FRAME_SAMPLES <= CLIP_SAMPLES
    with pytest.raises(ValueError, match="16000 samples"):
        features.frames(np.zeros(CLIP_SAMPLES - 1, dtype=np.int16))


def test_f2_to_f8_numpy_and_c_give_the_same_bits_on_random_sound(library: ctypes.CDLL, seed: int) -> None:
    random = np.random.default_rng(seed)
    for loudness in (1, 10, 300, 3_000, 40_000):
        for _ in range(4):
            clip = noise(random, loudness)
            assert np.array_equal(features.clip_features(clip), c_features(library, clip))


@pytest.mark.parametrize("value", [0, 1, -1, 32767, -32768])
def test_f2_to_f8_the_same_bits_at_the_ends_of_the_range(library: ctypes.CDLL, value: int) -> None:
    clip = np.full(CLIP_SAMPLES, value, dtype=np.int16)
    alternating = (clip * (1 - 2 * (np.arange(CLIP_SAMPLES) % 2))).clip(-32768, 32767).astype(np.int16)
    for sound in (clip, alternating, np.repeat(alternating[: CLIP_SAMPLES // 4], 4)):
        assert np.array_equal(features.clip_features(sound), c_features(library, sound))


def test_f2_to_f8_the_same_bits_on_real_speech(library: ctypes.CDLL, use_data: Callable[[str], Path]) -> None:
    use_data("speech_commands")
    for take, data in list(clips.recordings().items())[::90]:
        clip = decode(data, tables.RATE_HZ)
        assert np.array_equal(features.clip_features(clip), c_features(library, clip)), take.name


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda one: "-".join(vars(one).values()))
def test_f7_to_f13_numpy_and_c_give_the_same_bits(library: ctypes.CDLL, front_end: FrontEnd, seed: int) -> None:
    random = np.random.default_rng(seed)
    ends = [np.full(CLIP_SAMPLES, value, dtype=np.int16) for value in (0, 1, -1, 32767, -32768)]
    ends.append((ends[-1] * (np.arange(CLIP_SAMPLES) % 2)).astype(np.int16))
    one_frame = np.zeros(CLIP_SAMPLES, dtype=np.int16)
    one_frame[24 * HOP_SAMPLES + 100 :] = 77
    for clip in (*ends, one_frame, *(noise(random, loudness) for loudness in (1, 10, 300, 40_000))):
        found = front_end.of(clip)
        assert found.shape == (front_end.count,)
        assert np.array_equal(found, c_features_with(library, front_end, clip))


@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize("kind", get_args(Kind))
def test_f9_the_same_sound_at_minus_20_db_has_the_same_features_within_one_unit(
    use_data: Callable[[str], Path], pooling: Pooling, kind: Kind
) -> None:
    """The loud clip is ten times the soft one, so that both have the same sound to the bit of a sample."""
    use_data("speech_commands")
    front_end, fixed, far = FrontEnd("normalised", pooling, kind), FrontEnd("fixed", pooling, kind), []
    for take, data in list(clips.recordings().items())[::60]:
        soft = np.rint(decode(data, tables.RATE_HZ) / 10.01).astype(np.int16)
        loud = soft * np.int16(10)
        assert difference(front_end.of(soft), front_end.of(loud)) <= 1, take.name
        far.append(difference(fixed.of(soft), fixed.of(loud)))
    assert min(far) > 100  # with the fixed floor it is another sound


def test_f9_twice_as_loud_is_the_same_to_the_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    for front_end in FRONT_ENDS[len(FRONT_ENDS) // 2 :]:
        sound = noise(random, 3_000) // 4
        assert front_end.loudness == "normalised"
        assert np.array_equal(front_end.of(sound), front_end.of(sound * 4))


def test_f9_levels_are_log_mel_of_any_loudness(seed: int) -> None:
    random = np.random.default_rng(seed)
    for loudness in (3, 300, 20_000):
        frames = features.frames(np.clip(random.normal(0, loudness, CLIP_SAMPLES), -32768, 32767).astype(np.int16))
        found = (features.normalised_levels(frames).astype(np.float64) + tables.BIAS) / 1024
        away = np.abs(found - float_levels(frames, floor=0))
        assert away.max() < 0.08  # weights of bins have eight bits
        assert away.mean() < 0.01


def test_f10_a_word_spoken_at_half_the_speed_has_nearly_the_same_pieces(seed: int) -> None:
    random = np.random.default_rng(seed)
    spectrogram = np.full((FRAMES, BANDS), -20_000, dtype=np.int16)
    word = random.integers(-2_000, 2_000, (8, BANDS)).astype(np.int16)
    front_end = FrontEnd("normalised", "time")
    found = []
    for first, times in ((2, 1), (4, 2)):
        clip = spectrogram.copy()
        clip[first : first + 8 * times] = np.repeat(word, times, axis=0)
        found.append(front_end.of_levels(clip))
    assert np.array_equal(found[0], found[1])


def test_f12_a_row_is_the_mean_power_of_its_two_frames(seed: int) -> None:
    """Beside float64, at every distance of the two levels; the last row has one frame."""
    random = np.random.default_rng(seed)
    for octave in (8, 10):
        levels = random.integers(-30_000, 12_000, (49, BANDS)).astype(np.int16)
        levels[:24] = -30_000 + random.integers(0, 4 << octave, (24, BANDS))
        levels[0], levels[1] = tables.LOWEST_LEVEL, tables.LOWEST_LEVEL
        rows = features.rows_of_two(levels, octave)
        real = levels.astype(np.float64) / (1 << octave)
        wanted = np.logaddexp2(real[:-1:2], real[1::2]) - 1
        assert np.array_equal(rows[0], levels[0])
        assert np.array_equal(rows[24], levels[48])
        assert np.abs(rows[:24] / (1 << octave) - wanted).max() < 0.01


def test_f12_a_row_covers_the_samples_between_two_frames_of_f1() -> None:
    """A click at sample 600 is in no frame of F1, and in the second frame of row 0."""
    click = np.zeros(CLIP_SAMPLES, dtype=np.int16)
    click[600] = 20_000
    assert not features.frames(click)[0].any()
    assert not features.frames(click)[1].any()
    assert features.short_frames(click)[1].any()


def test_f13_rows_are_those_around_the_middle_of_the_sound(seed: int) -> None:
    random = np.random.default_rng(seed)
    spectrogram = np.full((FRAMES, BANDS), -20_000, dtype=np.int16)
    spectrogram[12:17] = random.integers(-2_000, 2_000, (5, BANDS))  # the middle is row 14
    found = FrontEnd("fixed", "word").of_levels(spectrogram).reshape(16, BANDS)
    whole = spectrogram[6:22].astype(np.int64)
    mean = (whole.sum() + 208) // 416
    assert np.array_equal(found, np.clip(whole - mean, -2048, 2047))


def test_f13_beyond_the_ends_the_outermost_row_is_repeated() -> None:
    spectrogram = np.full((FRAMES, BANDS), -20_000, dtype=np.int16)
    spectrogram[0] = 0
    found = FrontEnd("fixed", "word").of_levels(spectrogram).reshape(16, BANDS)
    assert (found[:9] == found[0]).all()
    assert (found[9:] == found[9]).all()
    assert found[0, 0] > found[9, 0]


def test_f11_coefficients_are_a_cosine_transform(seed: int) -> None:
    sound = noise(np.random.default_rng(seed), 3_000)
    mel = FrontEnd("normalised").of(sound).reshape(FRAMES, BANDS) / 256  # octaves
    k, b = np.arange(1, 14)[:, None], np.arange(BANDS)
    wanted = mel @ (np.sqrt(k) * np.cos(np.pi * k * (2 * b + 1) / 52) * 2 / 26).T
    found = FrontEnd("normalised", "none", "mfcc").of(sound).reshape(FRAMES, 13) / 512
    inside = np.abs(mel).max(axis=1) < 7.9  # mel levels are clamped at eight octaves, coefficients at four
    assert inside.any()
    assert np.abs(found - np.clip(wanted, -4, 4))[inside].max() < 0.03


def test_f2_to_f6_levels_are_log_mel_within_a_twelfth_of_an_octave(seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = np.concatenate([features.frames(noise(random, loudness)) for loudness in (1, 300, 3_000, 20_000)])
    away = np.abs(features.levels(frames) / 256 - float_levels(frames))
    assert away.max() < 0.08
    assert away.mean() < 0.02


def turned(re: int, im: int, place: int) -> tuple[int, int]:
    """F3: turn(v, j), on Python's integers."""
    angle = 2 * np.pi * place / 512
    sine, cosine = (round(2**14 * float(one(angle))) for one in (np.sin, np.cos))
    return (re * cosine + im * sine + 2**13) >> 14, (im * cosine - re * sine + 2**13) >> 14


def transformed(v: list[int]) -> list[tuple[int, int]]:
    """F3 written out: the 512 numbers' 2X of bins 0..255, as pairs of real and imaginary part."""
    order = [int(f"{place:08b}"[::-1], 2) for place in range(256)]
    z = [(v[2 * m], v[2 * m + 1]) for m in order]
    half = 1
    while half <= 128:
        for block in range(0, 256, 2 * half):
            for k in range(half):
                a, b = z[block + k], turned(*z[block + half + k], k * 256 // half)
                z[block + k], z[block + half + k] = (a[0] + b[0], a[1] + b[1]), (a[0] - b[0], a[1] - b[1])
        half *= 2
    found = []
    for k in range(256):
        (re, im), (other_re, other_im) = z[k], z[(256 - k) % 256]
        turn_re, turn_im = turned(re - other_re, im + other_im, k)
        found.append((re + other_re + turn_im, im - other_im - turn_re))
    return found


@pytest.mark.parametrize("loudness", [1, 300, 32768])
def test_f3_and_f4_transform_and_power_are_the_butterflies_of_the_page(loudness: int, seed: int) -> None:
    """And they are twice the transform of the textbook, within the rounding of nine stages."""
    samples = np.random.default_rng(seed).integers(-loudness, loudness, (1, FRAME_SAMPLES))
    re, im = features._spectrum(samples)
    by_hand = transformed([int(one) for one in samples[0]])
    assert list(zip(re[0].tolist(), im[0].tolist(), strict=True)) == by_hand
    exact = 2 * np.fft.rfft(samples[0])[:256]
    assert np.abs(re[0] + 1j * im[0] - exact).max() < 60 + 2e-4 * np.abs(exact).max()
    powers = features._power((re, im))
    assert powers[0].tolist() == [(a * a + b * b) >> 18 for a, b in by_hand]


def test_f4_the_largest_power_is_2_to_the_30() -> None:
    """Of the loudest frames there are: all samples at an end of the range, or alternating between both."""
    loud = np.full((2, FRAME_SAMPLES), -32768, dtype=np.int64)
    loud[1, ::2] = 32767
    powers = features._power(features._spectrum(features._windowed(loud)))
    assert 2**29 < powers.max() <= 2**30


def test_f5_a_tone_is_loudest_in_the_band_of_its_pitch() -> None:
    edges = np.linspace(tables.mel(tables.LOWEST_HZ), tables.mel(tables.HIGHEST_HZ), BANDS + 2)
    for hertz in (300, 1000, 3000, 6000):
        tone = np.round(10_000 * np.sin(2 * np.pi * hertz * np.arange(FRAME_SAMPLES) / tables.RATE_HZ))
        band = int(np.abs(edges[1:-1] - tables.mel(hertz)).argmin())
        assert features.levels(tone.astype(np.int16)[None])[0].argmax() == band


def test_f7_a_word_has_the_same_features_wherever_it_stands_in_the_second(seed: int) -> None:
    word = np.random.default_rng(seed).normal(0, 5_000, 10 * HOP_SAMPLES).astype(np.int16)
    found = []
    for frame in (1, 7, 13):
        clip = np.zeros(CLIP_SAMPLES, dtype=np.int16)
        clip[frame * HOP_SAMPLES :][: len(word)] = word
        found.append(features.clip_features(clip))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_f8_silence_has_no_features() -> None:
    assert not features.clip_features(np.zeros(CLIP_SAMPLES, dtype=np.int16)).any()


def test_f8_twice_as_loud_is_nearly_the_same_where_the_floor_is_far(seed: int) -> None:
    sound = np.random.default_rng(seed).normal(0, 3_000, CLIP_SAMPLES).astype(np.int16)
    assert np.abs(features.clip_features(sound) - features.clip_features(sound * 2)).max() < 80
