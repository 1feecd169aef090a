"""The node of firmware/lib with generated models: refusals (L4.12), predictions (L4.6), order of calls, any bytes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from firmware_builds import LIBRARIES, TESTS, WARNINGS, SharedObjects
from real_programs import BUILDS, RealPrograms

REAL = TESTS / "real"
#: Kinds of jobs that the image of a build cannot do: online, enrol and recognise, train-enrolled.
WITHOUT = {"digits": (6,), "presence": (), "sine": (3, 4, 5, 6)}
FUZZ_RUNS = 1000  # a few seconds for each build; `make fuzz-node` goes on for as long as it is told


def _tests_in(file: str) -> list[str]:
    return re.findall(r"^TEST\((\w+)\)", (REAL / f"test_{file}.c").read_text(), re.M)


def _run(*command: str | Path, timeout_s: int = 900) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture(scope="session")
def real_programs(tmp_path_factory: pytest.TempPathFactory, shared_objects: SharedObjects) -> RealPrograms:
    """The programs of each build, made when they are asked for."""
    return RealPrograms(tmp_path_factory.mktemp("real_programs"), shared_objects)


CASES = [(build, name) for build in BUILDS for file in BUILDS[build].tests for name in _tests_in(file)]


@pytest.mark.parametrize(("build", "name"), CASES)
def test_c_unit_on_a_generated_model(real_programs: RealPrograms, build: str, name: str) -> None:
    done = _run(real_programs.folder_of(build) / "tests", name)
    assert done.returncode == 0, done.stderr


def test_every_reason_of_refusal_is_put_to_a_board() -> None:
    """L4.12: a code that the node's C can answer with, and that no table has, is a hole in the tables."""
    answered = {code for path in (LIBRARIES / "jrg_node").glob("*.c") for code in _codes(path)}
    put = _codes(REAL / "test_refusals.c") | _codes(REAL / "test_signed.c")
    assert answered - {"OK"} == put - {"OK"}


def _codes(path: Path) -> set[str]:
    return set(re.findall(r"JRG_STATUS_(\w+)", path.read_text()))


@pytest.mark.parametrize("build", [name for name, build in BUILDS.items() if build.fuzz])
def test_p1_no_bytes_break_the_board(real_programs: RealPrograms, build: str, seed: int) -> None:
    """Sequences, wild fields, damaged frames and noise under sanitizers; what is refused changes nothing (L4.12)."""
    program = real_programs.folder_of(build) / "fuzz"
    done = _run(program, str(seed), str(FUZZ_RUNS))
    assert done.returncode == 0, f"seed {seed}\n{done.stderr[-4000:]}"
    counts = _counts(done.stdout)
    for kind in WITHOUT[build]:
        assert counts.pop(f"jobs_done_{kind}") == 0
    assert min(counts.values()) > FUZZ_RUNS / 50, counts


def test_a_run_of_the_fuzzer_is_repeated_alone(real_programs: RealPrograms, seed: int) -> None:
    program = real_programs.folder_of("sine") / "fuzz"
    together = _counts(_run(program, str(seed), "3", "11").stdout)
    alone = [_counts(_run(program, str(seed), "1", str(run)).stdout) for run in (11, 12, 13)]
    assert {name: sum(counts[name] for counts in alone) for name in together} == together


def _counts(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", text, re.M)}


def test_the_entry_for_libfuzzer_is_good_c() -> None:
    entry = TESTS / "libfuzzer" / "fuzz_entry.c"
    assert _run("cc", *WARNINGS, f"-I{REAL}", "-fsyntax-only", entry).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("NAME", '"wide-network-with-a-long-name-33x"', "identity.model"),
        ("INPUTS", "65536u", "identity.inputs"),
        ("OUTPUTS", "65536u", "identity.outputs"),
        ("TARGETS", "3u", "a target of a sample"),
        ("BLOB_BYTES", "501u", "a blob is read as words"),
    ],
)
def test_an_image_whose_numbers_no_message_carries_is_not_built(
    real_programs: RealPrograms, tmp_path: Path, name: str, value: str, field: str
) -> None:
    """jrg_node_limits.c: an array that messages.cddl gives its size is never written past its end (L4.6)."""
    config = (TESTS / "fake" / "jrg_model_config.h").read_text()
    (tmp_path / "jrg_model_config.h").write_text(re.sub(rf"(#define JRG_MODEL_{name}) .*", rf"\1 {value}", config))
    done = _check_limits(real_programs, tmp_path)
    assert done.returncode != 0
    assert f'static assertion failed: "{field}"' in done.stderr


def test_numbers_that_the_messages_carry_pass(real_programs: RealPrograms) -> None:
    assert _check_limits(real_programs, TESTS / "fake").returncode == 0


def _check_limits(real_programs: RealPrograms, config: Path) -> subprocess.CompletedProcess[str]:
    source = LIBRARIES / "jrg_node" / "jrg_node_limits.c"
    return _run("cc", *WARNINGS, *real_programs.include_flags(config), "-fsyntax-only", source)
