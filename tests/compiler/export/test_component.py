"""What a folder offers a firmware beyond the network: readings, rates, kept weights. Each against the host's own."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from jaragua_bench.emulated import toolchain
from jaragua_compiler import Dense, LearningRate, Network, initial_weights, pack
from jaragua_compiler.engine_protocol import Match
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export import (
    Calibrate,
    Choice,
    Compiled,
    Component,
    InputColumn,
    InputFormat,
    Rejection,
    Source,
    compile_model,
    fitted_format,
    write_folder,
)
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_compiler.planning.boards import find_board
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import exponents, quantise_inputs
from jaragua_compiler.quantisation.exponents import Exponents, calibrate
from jaragua_compiler.reference.engine import ReferenceEngine
from strict_c import STRICT

FLAGS = ("-std=c99", "-Wpedantic", "-Wall", "-Wextra", "-Wconversion", *STRICT)
NETWORK = Network("room", 5, (Dense(9, "relu"), Dense(3)))
CLASSES = ("empty", 'a "few"?', "voll\u00e4")
ROWS = 3000
LAST = {"pressure": 1000.0, "clock": 1.6e8}
"""Names of the last column, and the numbers it is above. Those of a clock are more than float32 tells apart."""


def table(path: Path, last: str, seed: int) -> None:
    """A CSV file like those of users: decimals, whole numbers, tiny numbers, numbers of many digits."""
    generator = np.random.default_rng(seed)
    columns = (
        [f"{value:.2f}" for value in generator.normal(21, 2, ROWS)],
        [f"{value}" for value in generator.integers(0, 4096, ROWS)],
        [f"{value:.6g}" for value in generator.normal(0, 1e-4, ROWS)],
        [repr(float(value)) for value in generator.normal(-4, 9, ROWS)],
        [f"{value:.1f}" for value in LAST[last] + 1000 * np.abs(generator.normal(0, 1, ROWS))],
    )
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["temperature", "light", "current", "slope", last], *zip(*columns, strict=True)])


def readings(path: Path) -> tuple[list[str], npt.NDArray[np.float64]]:
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    return names, np.array(rows, dtype=np.float64)


def format_of(path: Path) -> tuple[InputFormat, npt.NDArray[np.float64]]:
    names, values = readings(path)
    return fitted_format(names, values.mean(axis=0), 4 * values.std(axis=0), values), values


def folder_of(made: Compiled, folder: Path) -> Path:
    write_folder(made.files, folder, force=False)
    return folder


def compiled(samples: npt.NDArray[np.float32], inputs: InputFormat | None, weights: str = "w16") -> Compiled:
    component = Component("room", inputs, CLASSES)
    choice = Choice("w8" if weights == "w8" else "w16")
    return compile_model(
        NETWORK, initial_weights(NETWORK, 4), find_board("pico"), choice, samples.astype(float), component=component
    )


def host(made: Compiled, samples: npt.NDArray[np.float32]) -> tuple[ReferenceEngine, Exponents]:
    """The simulator's engine on the folder's weights, and their formats."""
    weights = initial_weights(NETWORK, 4)
    found = calibrate(made.plan, weights, samples.astype(float))
    engine = ReferenceEngine(made.plan)
    engine.load(pack(made.plan, weights, found))
    return engine, found


def answers(folder: Path, program: str, given: bytes, *flags: str) -> bytes:
    """What a program that includes the model writes, given bytes."""
    (folder / "main.c").write_text(program)
    sources = (*sorted(folder.glob("room*.c")), folder / "main.c")
    built = subprocess.run(
        ["cc", *FLAGS, *flags, *sources, "-o", folder / "program"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    return subprocess.run([folder / "program"], input=given, capture_output=True, check=True, timeout=120).stdout


ANSWER_ROWS = """\
#include <stdio.h>

#include "room.h"

static uint8_t weights[ROOM_BLOB_BYTES] __attribute__((aligned(4)));

int main(void)
{
    ROW_TYPE row[ROOM_INPUTS];
    int16_t outputs[ROOM_OUTPUTS];
    if (CALL(row, room_input()) != ROOM_NOT_BOUND || room_start(weights) != ROOM_OK) {
        return 1;
    }
    while (fread(row, sizeof row, 1, stdin) == 1) {
        if (CALL(row, room_input()) != ROOM_OK || room_forward(room_input(), outputs) != ROOM_OK) {
            return 1;
        }
        fwrite(outputs, sizeof outputs, 1, stdout);
    }
    return 0;
}
"""
RAW = ANSWER_ROWS.replace("ROW_TYPE row[ROOM_INPUTS];", "int32_t row[ROOM_INPUTS] = {0};").replace(
    "CALL", "room_input_from_raw"
)
FLOAT = ANSWER_ROWS.replace("ROW_TYPE row[ROOM_INPUTS];", "float row[ROOM_INPUTS] = {0};").replace(
    "CALL", "room_input_from_float"
)


@pytest.mark.parametrize(("weights", "last"), [("w16", "pressure"), ("w8", "pressure"), ("w16", "clock")])
def test_every_row_of_a_table_gets_the_simulators_answer(weights: str, last: str, seed: int, tmp_path: Path) -> None:
    table(tmp_path / "rows.csv", last, seed)
    inputs, values = format_of(tmp_path / "rows.csv")
    assert [column.name for column in inputs.columns if column.wide] == ["clock"] * (last == "clock")
    samples = inputs.standardised(values)
    made = compiled(samples, inputs, weights)
    folder = folder_of(made, tmp_path / "made")
    engine, found = host(made, samples)
    expected = np.array([engine.forward(row) for row in quantise_inputs(made.plan, found, samples)])
    of_integers = answers(folder, RAW, inputs.raw(values).astype("<i4").tobytes())
    np.testing.assert_array_equal(np.frombuffer(of_integers, "<i2").reshape(-1, 3), expected)
    if last != "clock":
        of_floats = answers(folder, FLOAT, values.astype("<f4").tobytes(), "-O2")
        np.testing.assert_array_equal(np.frombuffer(of_floats, "<i2").reshape(-1, 3), expected)


INPUT_ROWS = (
    ANSWER_ROWS.replace("    int16_t outputs[ROOM_OUTPUTS];\n", "")
    .replace(" || room_forward(room_input(), outputs) != ROOM_OK", "")
    .replace("fwrite(outputs, sizeof outputs, 1, stdout)", "fwrite(room_input(), 2u * ROOM_INPUTS, 1, stdout)")
)


def test_raw_integers_of_any_size_become_the_hosts_inputs(tmp_path: Path) -> None:
    """All of int32, for columns of any scale and sign."""
    generator = np.random.default_rng(7)
    scales = (-3.0, 1e-1, 2.0**20, 5e8, 2.0**21)
    inputs = InputFormat(
        tuple(InputColumn(f"c{n}", 0.3 * scale * n, scale, 2.0 ** (10 - 6 * n)) for n, scale in enumerate(scales))
    )
    raw = generator.integers(-(2**31), 2**31, (ROWS, 5)).astype(np.int32)
    raw[1::2] >>= generator.integers(0, 31, raw[1::2].shape).astype(np.int32)
    raw[0] = -(2**31)
    samples = inputs.of_raw(raw)
    made = compiled(samples, inputs)
    program = INPUT_ROWS.replace("ROW_TYPE row[ROOM_INPUTS];", "int32_t row[ROOM_INPUTS] = {0};")
    found = answers(
        folder_of(made, tmp_path / "made"), program.replace("CALL", "room_input_from_raw"), raw.astype("<i4").tobytes()
    )
    expected = quantise_inputs(made.plan, host(made, samples)[1], samples)
    np.testing.assert_array_equal(np.frombuffer(found, "<i2").reshape(-1, 5), expected)


def test_readings_in_floats_become_the_raw_integers_of_the_host(tmp_path: Path) -> None:
    """I1, of floats of any size; what is no number becomes the least integer."""
    generator = np.random.default_rng(8)
    steps = (1.0, 100.0, 1e9, 2.0**-20, 2.0**40)
    inputs = InputFormat(tuple(InputColumn(f"c{n}", 0.0, 1e4 / step, step) for n, step in enumerate(steps)))
    sizes = 2.0 ** generator.uniform(-20, 50, (ROWS, 5)) / np.array(steps)
    values = (sizes * generator.choice([-1, 1], sizes.shape)).astype(np.float32)
    values[:200] = ((generator.integers(-99, 99, (200, 5)) + 0.5) / np.array(steps)).astype(np.float32)
    program = """\
#include <stdio.h>
#include <stdlib.h>

#include "room.h"

int main(void)
{
    float row[ROOM_INPUTS];
    while (fread(row, sizeof row, 1, stdin) == 1) {
        for (uint32_t i = 0; i < ROOM_INPUTS; i++) {
            const int32_t raw = room_raw_from_float(i, row[i]);
            fwrite(&raw, sizeof raw, 1, stdout);
        }
    }
    return room_raw_from_float(0u, strtof("nan", NULL)) == INT32_MIN ? 0 : 1;
}
"""
    made = compiled(inputs.standardised(values), inputs)
    folder = folder_of(made, tmp_path / "made")
    for flags in (("-O0",), ("-O2", "-march=native")):  # with fused multiply-add, where the processor has it
        found = answers(folder, program, values.astype("<f4").tobytes(), *flags)
        np.testing.assert_array_equal(np.frombuffer(found, "<i4").reshape(-1, 5), inputs.raw(values))


def test_real_values_become_the_hosts_inputs_where_no_columns_are_known(tmp_path: Path) -> None:
    generator = np.random.default_rng(9)
    samples = generator.normal(0, 1, (ROWS, 5)).astype(np.float32)
    samples[:100] = np.float32(np.nextafter(np.float32(0.5), np.float32(0))) * np.float32(2.0**-13)
    made = compiled(samples[1000:], None)
    _, found = host(made, samples[1000:])
    values = np.concatenate([samples, 1e9 * samples[:50]]).astype(np.float32)
    program = INPUT_ROWS.replace("ROW_TYPE row[ROOM_INPUTS];", "float row[ROOM_INPUTS] = {0};")
    got = answers(
        folder_of(made, tmp_path / "made"),
        program.replace("CALL", "room_input_from_float"),
        values.astype("<f4").tobytes(),
    )
    np.testing.assert_array_equal(
        np.frombuffer(got, "<i2").reshape(-1, 5), quantise_inputs(made.plan, found, values.astype(float))
    )


RATES = """\
#include <stdio.h>

#include "room.h"

int main(void)
{
    float rate;
    while (fread(&rate, sizeof rate, 1, stdin) == 1) {
        const room_learning_rate found = room_rate_from_float(rate);
        printf("%u %u %d\\n", found.mantissa, found.exponent, (int)room_set_rate(found));
    }
    return 0;
}
"""


def test_a_rate_in_a_float_becomes_the_hosts_rate(tmp_path: Path) -> None:
    generator = np.random.default_rng(10)
    rates = np.concatenate(
        [
            2.0 ** generator.uniform(-32, 0, 5000),
            (2.0 ** -np.arange(1, 33)),
            [0.1, 0.05, 0.03, 0.01, 0.003, 0.001, 1 - 2.0**-24, 0.5 - 2.0**-25, 24577.5 / 32768, 24576.5 / 32768],
        ]
    ).astype(np.float32)
    made = compiled(generator.normal(0, 1, (20, 5)).astype(np.float32), None)
    folder = folder_of(made, tmp_path / "made")
    lines = answers(folder, RATES, rates.astype("<f4").tobytes()).decode().splitlines()
    expected = [LearningRate.from_float(float(rate)) for rate in rates if 2.0**-32 <= rate < 1]
    assert lines == [f"{rate.mantissa} {rate.exponent} 0" for rate in expected]
    none = np.array([0.0, -0.1, 1.0, 3.0, 1e-12, np.nan, np.inf], dtype="<f4")
    assert {line.split()[2] for line in answers(folder, RATES, none.tobytes()).decode().splitlines()} == {"7"}


KEPT = """\
#include <string.h>

#include "room.h"

static uint8_t weights[ROOM_BLOB_BYTES] __attribute__((aligned(4)));
static uint8_t kept[ROOM_BLOB_BYTES + 1u];

static int step(int16_t label)
{
    int16_t x[ROOM_INPUTS] = {90, -40, 77, 11, -5};
    room_result result = {false, 0u};
    return room_train(x, &label, &result) != ROOM_OK;
}

int main(void)
{
    if (room_save(kept) != ROOM_NOT_BOUND || room_restore(kept, ROOM_BLOB_BYTES) != ROOM_NOT_BOUND) {
        return 1;
    }
    if (room_start(weights) != ROOM_OK || room_set_rate(room_rate_from_float(0.25f)) != ROOM_OK || step(1) || step(2)) {
        return 2;
    }
    const uint8_t *bytes = kept + 1; /* of any alignment */
    if (room_save(kept + 1) != ROOM_OK || memcmp(bytes, weights, sizeof weights) != 0) {
        return 3;
    }
    if (memcmp(bytes, room_initial_weights, sizeof weights) == 0 || step(0) != 0 ||
        memcmp(bytes, weights, sizeof weights) == 0) {
        return 4;
    }
    if (room_restore(bytes, sizeof weights - 4u) != ROOM_BAD_LENGTH || memcmp(bytes, weights, sizeof weights) == 0) {
        return 5;
    }
    if (room_restore(bytes, sizeof weights) != ROOM_OK || memcmp(bytes, weights, sizeof weights) != 0) {
        return 6;
    }
    kept[1] = 'X';
    if (room_restore(bytes, sizeof weights) != ROOM_BAD_MAGIC || weights[0] != 'J') {
        return 7;
    }
    return step(0); /* the weights of before are still bound */
}
"""


def test_trained_weights_are_kept_and_restored(tmp_path: Path) -> None:
    made = compiled(np.random.default_rng(1).uniform(-1, 1, (20, 5)).astype(np.float32), None)
    assert answers(folder_of(made, tmp_path / "made"), KEPT, b"") == b""  # its exit code is 0


ENROLLED = """\
#include <stdio.h>
#include <string.h>

#include "room.h"

static uint8_t weights[ROOM_BLOB_BYTES] __attribute__((aligned(4)));
static uint8_t kept[ROOM_ENROLMENT_BYTES + 1u];
static int16_t numbers[ROOM_FEATURES];

static int tell(const int16_t *x)
{
    room_match match = {0u, 0u, false, 0u, 0u};
    if (room_recognise(x, &match) != ROOM_OK) {
        return 1;
    }
    printf("%u %u %d %llu\\n", match.label, match.relative, match.accepted, (unsigned long long)match.distance);
    return 0;
}

static int refused(uint32_t place, uint8_t by, room_status status)
{
    uint8_t bytes[ROOM_ENROLMENT_BYTES];
    memcpy(bytes, kept + 1, sizeof bytes);
    bytes[place] ^= by;
    return room_restore_enrolment(bytes, sizeof bytes) != status;
}

int main(void)
{
    int16_t rows[8][ROOM_INPUTS];
    if (fread(rows, sizeof rows, 1, stdin) != 1 || room_enrol(rows[0], 0u) != ROOM_NOT_BOUND) {
        return 1;
    }
    if (room_start(weights) != ROOM_OK) {
        return 2;
    }
    for (uint32_t i = 0; i < 6u; i++) {
        if (room_enrol(rows[i], i % 3u) != ROOM_OK) {
            return 3;
        }
    }
    if (room_enrol(rows[0], ROOM_PROTOTYPES) != ROOM_BAD_CLASS || room_enrolled(1u) != 2u || tell(rows[6]) ||
        tell(rows[7])) {
        return 4;
    }
    if (room_save_enrolment(kept + 1) != ROOM_OK || room_forget(1u) != ROOM_OK || tell(rows[6])) {
        return 5;
    }
    if (room_prototype(1u, numbers) != ROOM_NO_PROTOTYPE || refused(0u, 1u, ROOM_BAD_MAGIC) ||
        refused(5u, 1u, ROOM_BAD_ARCHITECTURE) || refused(15u, 64u, ROOM_BAD_WEIGHTS) ||
        refused(ROOM_ENROLMENT_BYTES - 1u, 1u, ROOM_OK) || room_enrolled(ROOM_PROTOTYPES - 1u) != 256u ||
        room_restore_enrolment(kept + 1, ROOM_ENROLMENT_BYTES - 1u) != ROOM_BAD_LENGTH) {
        return 6;
    }
    if (room_restore_enrolment(kept + 1, ROOM_ENROLMENT_BYTES) != ROOM_OK || tell(rows[6]) ||
        room_prototype(2u, numbers) != ROOM_OK) {
        return 7;
    }
    for (uint32_t i = 0; i < ROOM_FEATURES; i++) {
        printf("%d\\n", numbers[i]);
    }
    return 0;
}
"""


def test_e2_classes_are_enrolled_rejected_forgotten_and_kept_as_on_the_host(tmp_path: Path) -> None:
    samples = np.random.default_rng(12).uniform(-1, 1, (40, 5))
    weights, board = initial_weights(NETWORK, 4), find_board("pico")
    component = Component("room", None, (), accepts_one_of_two(samples))
    made = compile_model(NETWORK, weights, board, Choice(prototypes=5), samples, component=component)
    engine, found = host(made, samples.astype(np.float32))
    rows = quantise_inputs(made.plan, found, samples[:8])
    engine.set_rejection(made.component.threshold)
    enrol_six(engine, rows)
    expected = [told(engine.recognise(rows[6])), told(engine.recognise(rows[7]))]
    engine.forget(1)
    expected.append(told(engine.recognise(rows[6])))
    expected += [expected[0], *map(str, engine.prototype(2))]
    assert {line.split()[2] for line in expected[:2]} == {"0", "1"}  # one is accepted, one is not
    said = answers(folder_of(made, tmp_path / "made"), ENROLLED, rows.astype("<i2").tobytes()).decode()
    assert said.splitlines() == expected


def accepts_one_of_two(samples: npt.NDArray[np.float64]) -> Calibrate:
    """A threshold that accepts one of the samples 6 and 7 where the six before them are enrolled."""

    def found(plan: Plan, blob: bytes) -> Rejection:
        engine = ReferenceEngine(plan)
        engine.load(blob)
        rows = quantise_inputs(plan, exponents(plan, blob), samples[:8])
        enrol_six(engine, rows)
        return Rejection(min(engine.recognise(row).relative for row in rows[6:]), 0.05, 3, 2, 1, 2)

    return found


def enrol_six(engine: ReferenceEngine, rows: npt.NDArray[np.int16]) -> None:
    for number, row in enumerate(rows[:6]):
        engine.enrol(row, number % 3)


def told(match: Match) -> str:
    return f"{match.label} {match.relative} {int(match.accepted)} {match.distance}"


KEPT_CLASSES = """#include "room.h"

#include <stdio.h>

static uint8_t weights[ROOM_BLOB_BYTES] __attribute__((aligned(4)));

int main(void)
{
    int16_t rows[6][ROOM_INPUTS];
    uint8_t kept[ROOM_ENROLMENT_BYTES];
    if (fread(rows, sizeof rows, 1, stdin) != 1 || room_start(weights) != ROOM_OK) {
        return 1;
    }
    for (uint32_t i = 0; i < 6u; i++) {
        if (room_enrol(rows[i], i % 3u) != ROOM_OK) {
            return 2;
        }
    }
    return room_save_enrolment(kept) != ROOM_OK || fwrite(kept, sizeof kept, 1, stdout) != 1 ? 3 : 0;
}
"""


def test_e1_kept_classes_are_sums_and_counts_without_gaps(tmp_path: Path) -> None:
    """The prototypes of the kept sums (A12.2) are those of the host's engine."""
    samples, count = np.random.default_rng(12).uniform(-1, 1, (40, 5)), 4
    choice, component = Choice(prototypes=count), Component("room")
    made = compile_model(NETWORK, initial_weights(NETWORK, 4), find_board("pico"), choice, samples, component=component)
    engine, found = host(made, samples.astype(np.float32))
    rows = quantise_inputs(made.plan, found, samples[:6])
    enrol_six(engine, rows)
    kept = answers(folder_of(made, tmp_path / "made"), KEPT_CLASSES, rows.astype("<i2").tobytes())
    features = 9  # of the last layer's input in NETWORK
    assert len(kept) == 12 + count * (4 * features + 2)
    assert kept[:12] == b"JRGP" + made.plan.architecture
    sums = np.frombuffer(kept, "<i4", count * features, 12).reshape(count, features)
    counts = np.frombuffer(kept, "<u2", count, 12 + sums.nbytes)
    assert counts.tolist() == [2, 2, 2, 0]
    assert not sums[3].any()
    shift = 15 + made.plan.prototype_head.input_width
    for label in range(3):
        means = [(int(one) * 2**29 + 2 ** (shift - 1)) >> shift for one in sums[label]]
        assert engine.prototype(label).tolist() == means


def test_the_threshold_is_in_the_header_the_readme_and_the_manifest() -> None:
    rejection = Rejection(4321, 0.05, 2, 5, 10, 100)
    made = compile_model(
        NETWORK,
        initial_weights(NETWORK, 4),
        find_board("pico"),
        Choice(prototypes=3),
        component=Component("room", rejection=rejection),
    )
    assert b"#define ROOM_REJECTION 4321u" in made.files["room.h"]
    assert b"room_set_rejection(ROOM_REJECTION);" in made.files["room_weights.c"]
    assert "above 4321, which `room_start` sets" in made.files["README.md"].decode()
    assert json.loads(made.files["jaragua.json"])["prototypes"] == {
        "classes": 3,
        "features": 9,
        "episodes": False,
        "rejection": asdict(rejection),
    }


def test_without_episodes_the_header_has_no_call_for_enrolled_samples_that_teach() -> None:
    weights, board = initial_weights(NETWORK, 4), find_board("pico")
    headers = [
        compile_model(NETWORK, weights, board, Choice(prototypes=3, episodes=episodes)).files["room.h"]
        for episodes in (False, True)
    ]
    assert [b"room_train_enrolled" in header for header in headers] == [False, True]
    assert all(b"room_train_prototypes" in header for header in headers)


def test_without_prototypes_the_header_has_no_call_of_them() -> None:
    made = compile_model(NETWORK, initial_weights(NETWORK, 4), find_board("pico"), Choice())
    assert b"room_enrol" not in made.files["room.h"]
    assert b"room_train_enrolled" not in made.files["room.h"]
    assert json.loads(made.files["jaragua.json"])["prototypes"] is None


NAMES = """\
#include <stdio.h>

#include "room.h"

int main(void)
{
    for (uint32_t i = 0; i < ROOM_COLUMNS; i++) {
        puts(room_column_names[i]);
    }
    for (uint32_t i = 0; i < ROOM_OUTPUTS; i++) {
        puts(room_class_names[i]);
    }
    return 0;
}
"""


def test_names_of_columns_and_classes_are_in_the_folder(tmp_path: Path) -> None:
    names = ("caf\u00e9 */", '"quoted"\\', "what??!", "a\nb", "5")
    inputs = InputFormat(tuple(InputColumn(name, 0.0, 100.0) for name in names))
    made = compiled(np.random.default_rng(1).uniform(-1, 1, (20, 5)).astype(np.float32), inputs)
    said = answers(folder_of(made, tmp_path / "made"), NAMES, b"").decode()
    assert said == "\n".join([*names, *CLASSES]) + "\n"
    readme = made.files["README.md"].decode()
    assert all(name in readme for name in CLASSES)


def test_columns_or_classes_that_are_not_the_networks_are_refused() -> None:
    samples = np.zeros((4, 5)) + 0.5
    for component, reason in (
        (Component(inputs=InputFormat((InputColumn("a", 0.0, 1.0),) * 2)), "2 columns, the network 5 inputs"),
        (Component(classes=("a", "b")), "3 outputs, and 2 names"),
    ):
        with pytest.raises(CompileError, match=reason):
            compile_model(
                NETWORK, initial_weights(NETWORK, 4), find_board("pico"), Choice(), samples, component=component
            )


@pytest.mark.cross
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
def test_columns_and_classes_take_the_flash_that_is_said(core: str, tmp_path: Path) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, (20, 5)).astype(np.float32)
    inputs = InputFormat(tuple(InputColumn(f"column {n}", 0.0, 100.0) for n in range(5)))
    component = Component("room", inputs, CLASSES)
    said = sum(row.bytes for row in component.flash())
    sizes = []
    for one in (component, Component("room")):
        made = compile_model(
            NETWORK, initial_weights(NETWORK, 4), find_board("pico"), Choice(), samples.astype(float), component=one
        )
        folder = folder_of(made, tmp_path / f"made{len(sizes)}")
        command = [toolchain.COMPILER, f"-mcpu={core}", "-mthumb", *FLAGS, "-O2", "-c", "room.c"]
        subprocess.run(command, cwd=folder, check=True, timeout=120)
        listed = subprocess.run(["arm-none-eabi-size", folder / "room.o"], capture_output=True, text=True, check=True)
        sizes.append(int(listed.stdout.splitlines()[1].split()[0]))
        rows = {row.name for row in made.figures.flash}
    assert rows == {"initial weights", "code, estimated at -O2"}
    taken = sizes[0] - sizes[1]
    assert taken <= said <= taken + 200


def test_the_numbers_of_a_front_end_are_in_the_readme() -> None:
    told = ModelInterface("audio", CLASSES, None, {"rate_hz": 16000, "bands": 13})
    samples = np.random.default_rng(1).uniform(-1, 1, (20, 5))
    made = compile_model(
        NETWORK, initial_weights(NETWORK, 4), find_board("pico"), Choice(), samples, source=Source(interface=told)
    )
    readme = made.files["README.md"].decode()
    assert "| rate_hz | 16000 |" in readme
    assert "| bands | 13 |" in readme
    assert "jrg_feat_options" not in readme


@pytest.mark.parametrize("pooling", ["none", "time", "word"])
def test_the_readme_of_a_model_of_recordings_has_the_options_of_jrg_feat(tmp_path: Path, pooling: str) -> None:
    """C that compiles with the header of the library."""
    front_end = {"loudness": "normalised", "pooling": pooling, "features": "mfcc"}
    told, samples = ModelInterface("audio", CLASSES, None, front_end), np.random.default_rng(1).uniform(-1, 1, (20, 5))
    made = compile_model(
        NETWORK, initial_weights(NETWORK, 4), find_board("pico"), Choice(), samples, source=Source(interface=told)
    )
    example = re.search(r"```c\n(#include \"jrg_feat.h\".*?)```", made.files["README.md"].decode(), re.DOTALL)
    assert example
    assert f".normalised = true, .pooling = JRG_FEAT_POOLING_{pooling.upper()}, .cepstrum = true" in example[1]
    (tmp_path / "example.c").write_text(example[1])
    library = Path(__file__).parents[3] / "firmware" / "lib" / "jrg_feat"
    command = ["cc", "-std=c11", "-Wall", "-Wextra", "-fsyntax-only", "-I", library, tmp_path / "example.c"]
    made_of_it = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True, timeout=60)
    assert not made_of_it.stderr
