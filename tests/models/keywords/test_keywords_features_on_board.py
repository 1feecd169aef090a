"""Log-mel features on the emulated Cortex-M4, and in code for a Cortex-M0+: the same bits, and what they cost."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from jaragua_bench.emulated import emulator, toolchain
from jaragua_models.keywords import features, tables

HERE = Path(__file__).parent
LIBRARY = HERE.parents[2] / "firmware" / "lib" / "jrg_feat"

pytestmark = [
    pytest.mark.board,
    pytest.mark.skipif(
        not shutil.which(toolchain.COMPILER) or not shutil.which(toolchain.EMULATOR),
        reason="needs arm-none-eabi-gcc and qemu-system-arm",
    ),
]


@pytest.mark.parametrize("core", [toolchain.CORTEX_M4, toolchain.CORTEX_M0PLUS])
def test_f2_to_f8_the_board_gives_the_same_bits(core: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.choice([0, 5, 300, 9_000], 32), tables.CLIP_SAMPLES // 32)
    clip = np.clip(random.normal(0, 1, tables.CLIP_SAMPLES) * loudness, -32768, 32767).astype(np.int16)
    sources = (toolchain.bench_folder() / "bench_board.c", HERE / "features_steps.c", LIBRARY / "jrg_feat.c")
    program = toolchain.Program(sources, (toolchain.bench_folder(), LIBRARY), toolchain.c_flags(core))
    answer = emulator.run(toolchain.build(program), clip.astype("<i2").tobytes(), counted=True)
    found = np.frombuffer(answer[: 2 * tables.FEATURES], dtype="<i2")
    frames, clip_end, stack_bytes = np.frombuffer(answer[2 * tables.FEATURES :], dtype="<u4").tolist()
    print(f"{core}: {frames / tables.FRAMES:,.0f} instructions a frame, {clip_end:,} at the end, stack {stack_bytes}")
    assert np.array_equal(found, features.clip_features(clip))
    assert stack_bytes <= 512
    if core == toolchain.CORTEX_M4:
        assert frames / tables.FRAMES < 150_000  # of the 2.56 million that a 64 MHz core has in 40 ms
