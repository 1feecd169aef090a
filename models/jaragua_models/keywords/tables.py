"""The constants of the features of sound (features.md, F2 to F13), and the C header that carries the same."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
FRAME_SAMPLES = 512
HOP_SAMPLES = 640
FRAMES = 25
SHORT_HOP_SAMPLES = 320
"""F12: from one frame to the next, where two make a row."""
SHORT_FRAMES = 49
"""F12: of a second."""
BANDS = 26
CLIP_SAMPLES = 16_000
FEATURES = FRAMES * BANDS
LOWEST_HZ, HIGHEST_HZ = 80, 7600
FLOOR = 195_313
"""F6: added to every band's energy. In the unit of F4 and F5 (2^8 of |X|²): about 5e7 of |X|², a quiet room."""
FRAME_BITS = 21
"""F9: a normalised frame's loudest sample has so many bits."""
BIAS = 9 << 10
"""F9: taken off a normalised level, in Q10 octaves, so that 64 octaves fit into 16 bits."""
LOWEST_LEVEL = -(1 << 15)
FLOOR_BELOW = 12 << 10
"""F9: the floor lies 12 octaves of power (36 dB) below the loudest level."""
ADDED_STEP, ADDED_STEPS = 64, 160
"""F9: the table of a sum's logarithm has a value every 1/16 octave, up to 10 octaves."""
PIECES = 8
"""F10: pieces of the sound."""
COEFFICIENTS = 13
"""F11: of a row."""
WORD_ROWS = 16
"""F13: rows around the middle of the sound."""

Table = NDArray[np.int64]

_PER_LINE = 12


def window() -> Table:
    """F2: h[n] = round(32767 (0.5 - 0.5 cos(2 pi n / 512))), n = 0..511: Hann, Q15."""
    return _rounded(32767 * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)))


def sine() -> Table:
    """F3: s[k] = round(2^14 sin(2 pi k / 512)), k = 0..383; the cosine is s[k + 128]."""
    return _rounded((1 << 14) * np.sin(2 * np.pi * np.arange(384) / FRAME_SAMPLES))


def mel(hertz: float) -> float:
    """Hertz to mel: 2595 log10(1 + f / 700)."""
    return float(2595 * np.log10(1 + hertz / 700))


def mel_bins() -> Table:
    """F5: of every bin between the lowest and the highest edge (bin, upper band, weight Q8 in it): int64 [n, 3].

    Edges lie evenly in mel; a bin between the edges j and j + 1 rises into band j and falls out of band j - 1.
    """
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    bins = np.arange(1, FRAME_SAMPLES // 2)
    place = np.interp(bins * RATE_HZ / FRAME_SAMPLES, hertz, np.arange(BANDS + 2), left=-1, right=-1)
    inside = place >= 0
    band = np.floor(place[inside]).astype(np.int64)
    return np.stack([bins[inside], band, _rounded(256 * (place[inside] - band))], axis=1)


def log2() -> Table:
    """F6: Lg[k] = round(2^11 log2(1 + k / 32)), k = 0..32: the table of A4.4."""
    return _rounded((1 << 11) * np.log2(1 + np.arange(33) / 32))


def added() -> Table:
    """F9: N[k] = round(2^10 log2(1 + 2^(-k / 16))), k = 0..160; the last counts as 0."""
    values = _rounded((1 << 10) * np.log2(1 + 2.0 ** (-np.arange(ADDED_STEPS + 1) / 16)))
    values[-1] = 0
    return values


def cosines() -> Table:
    """F11: D[k-1, b] = round(2^15 / 26 sqrt(k) cos(pi k (2b + 1) / 52)), k = 1..13: int64 [13, 26]."""
    k, b = np.arange(1, COEFFICIENTS + 1)[:, None], np.arange(BANDS)
    return _rounded((1 << 15) / BANDS * np.sqrt(k) * np.cos(np.pi * k * (2 * b + 1) / (2 * BANDS)))


def c_header() -> str:
    """The text of firmware/lib/jrg_feat/jrg_feat_tables.h, which a test keeps equal to this."""
    bins = mel_bins()
    arrays = (
        ("F2: Hann window, Q15.", "int16_t", "jrg_feat_window", window()),
        ("F3: round(2^14 sin(2 pi k / 512)); the cosine is 128 places on.", "int16_t", "jrg_feat_sine", sine()),
        ("F5: of each bin the band it rises into.", "uint8_t", "jrg_feat_bin_band", bins[:, 1]),
        ("F5: and with which weight, Q8.", "uint16_t", "jrg_feat_bin_weight", bins[:, 2]),
        ("F6: round(2^11 log2(1 + k / 32)).", "uint16_t", "jrg_feat_log2_table", log2()),
    )
    numbers = (
        f"#define JRG_FEAT_FIRST_BIN {bins[0, 0]}u\n"
        f"#define JRG_FEAT_BINS {len(bins)}u\n"
        f"#define JRG_FEAT_FLOOR {FLOOR}u /* F6 */\n"
        f"#define JRG_FEAT_FRAME_BITS {FRAME_BITS}u /* F9 */\n"
        f"#define JRG_FEAT_BIAS {BIAS} /* F9 */\n"
    )
    return _header("JRG_FEAT_TABLES_H", numbers, arrays)


def c_clip_header() -> str:
    """The text of firmware/lib/jrg_feat/jrg_feat_clip_tables.h, likewise."""
    added_remark = "F9: round(2^10 log2(1 + 2^(-k / 16))), the last 0."
    cosines_remark = "F11: round(2^15 / 26 sqrt(k) cos(pi k (2b + 1) / 52)), k = 1..13, one after the other."
    arrays = (
        (added_remark, "int16_t", "jrg_feat_added", added()),
        (cosines_remark, "int16_t", "jrg_feat_cosines", cosines().ravel()),
    )
    numbers = (
        f"#define JRG_FEAT_FLOOR_BELOW {FLOOR_BELOW} /* F9 */\n"
        f"#define JRG_FEAT_ADDED_STEP {ADDED_STEP} /* F9 */\n"
        f"#define JRG_FEAT_ADDED_STEPS {ADDED_STEPS} /* F9 */\n"
    )
    return _header("JRG_FEAT_CLIP_TABLES_H", numbers, arrays)


def _header(guard: str, numbers: str, arrays: Iterable[tuple[str, str, str, Table]]) -> str:
    return _FRAME.format(guard=guard, numbers=numbers, arrays="\n".join(_c_array(*array) for array in arrays))


_FRAME = """\
/* Constants of docs/reference/features.md, written by jaragua_models.keywords.tables. */
#ifndef {guard}
#define {guard}

#include <stdint.h>

{numbers}
{arrays}
#endif
"""


def _c_array(remark: str, kind: str, name: str, values: Table) -> str:
    lines = [values[start : start + _PER_LINE].tolist() for start in range(0, len(values), _PER_LINE)]
    body = "\n".join(f"    {', '.join(map(str, line))}," for line in lines)
    return f"/* {remark} */\nstatic const {kind} {name}[{len(values)}] = {{\n{body}\n}};\n"


def _rounded(values: NDArray[np.float64]) -> Table:
    return np.floor(values + 0.5).astype(np.int64)
