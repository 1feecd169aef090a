"""Log-mel features on the emulated Cortex-M4, and in code for a Cortex-M0+: the same bits, and what they cost."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jaragua_bench.emulated import emulator, toolchain
from jaragua_models.keywords import features, tables
from jaragua_models.keywords.features import FrontEnd

HERE = Path(__file__).parent
LIBRARY = HERE.parents[2] / "firmware" / "lib" / "jrg_feat"

pytestmark = [
    pytest.mark.board,
    pytest.mark.skipif(
        not shutil.which(toolchain.COMPILER) or not shutil.which(toolchain.EMULATOR),
        reason="needs arm-none-eabi-gcc and qemu-system-arm",
    ),
]


@pytest.fixture(scope="module", params=toolchain.ARM_CORES)
def board(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A core, and the program for it."""
    sources = (toolchain.bench_folder() / "bench_board.c", HERE / "features_steps.c", *sorted(LIBRARY.glob("*.c")))
    flags = toolchain.c_flags(request.param)
    return request.param, toolchain.build(toolchain.Program(sources, (toolchain.bench_folder(), LIBRARY), flags))


def sound(seed: int) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.choice([0, 5, 300, 9_000], 32), tables.CLIP_SAMPLES // 32)
    return np.clip(random.normal(0, 1, tables.CLIP_SAMPLES) * loudness, -32768, 32767).astype(np.int16)


def features_of(core: str, program: Path, options: bytes, clip: NDArray[np.int16]) -> tuple[NDArray[np.int16], float]:
    """Room for 650 features, and instructions a row."""
    answer = emulator.run(program, options + clip.astype("<i2").tobytes(), counted=True)
    rows, clip_end, stack_bytes = np.frombuffer(answer[2 * tables.FEATURES :], dtype="<u4").tolist()
    print(f"{core}: {rows / tables.FRAMES:,.0f} instructions a row, {clip_end:,} at the end, stack {stack_bytes}")
    assert stack_bytes <= 512
    return np.frombuffer(answer[: 2 * tables.FEATURES], dtype="<i2"), rows / tables.FRAMES


def test_f2_to_f8_the_board_gives_the_same_bits(board: tuple[str, Path], seed: int) -> None:
    clip = sound(seed)
    found, instructions = features_of(*board, bytes(4), clip)
    assert np.array_equal(found, features.clip_features(clip))
    if board[0] == toolchain.CORTEX_M4:
        assert instructions < 150_000  # of the 2.56 million that a 64 MHz core has in 40 ms


@pytest.mark.parametrize(
    ("options", "front_end"),
    [
        (b"\1\1\0\0", FrontEnd("normalised")),
        (b"\1\1\0\1", FrontEnd("normalised", features="mfcc")),
        (b"\1\1\1\1", FrontEnd("normalised", "time", "mfcc")),
        (b"\1\0\1\0", FrontEnd("fixed", "time")),
        (b"\1\1\2\1", FrontEnd("normalised", "word", "mfcc")),
        (b"\1\0\2\0", FrontEnd("fixed", "word")),
    ],
)
def test_f9_to_f13_the_board_gives_the_same_bits(
    board: tuple[str, Path], options: bytes, front_end: FrontEnd, seed: int
) -> None:
    clip = sound(seed)
    found, _ = features_of(*board, options, clip)
    assert np.array_equal(found[: front_end.count], front_end.of(clip))
