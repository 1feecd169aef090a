"""`make fuzz-node`: libFuzzer on the real node with a generated model and its learner, for as long as it is told.

Needs clang with its sanitizers; without them nothing is done, and that is said. What is found stays in build/fuzz-node
(crash-…, and the corpus).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from firmware_builds import LIBRARIES, ROOT, TESTS, SharedObjects
from real_programs import BUILDS, RealPrograms, write_model

_FLAGS = [
    "-std=c11",
    "-g",
    "-O1",
    "-fsanitize=fuzzer,address,undefined",
    "-fno-sanitize-recover=all",
    "-DZCBOR_CANONICAL",
]
_CORPUS = ROOT / "build" / "fuzz-node"


def main() -> int:
    """Build and fuzz; returns libFuzzer's exit code, 0 if nothing was found or clang is missing."""
    options = _parser().parse_args()
    compiler = shutil.which("clang")
    if compiler is None or not _has_fuzzer(compiler):
        print("SKIPPED: `make fuzz-node` needs clang with libFuzzer (Debian: apt install clang libclang-rt-dev).")
        print("The deterministic form runs with GCC: pytest tests/firmware/test_real_model.py -k bytes")
        return 0
    corpus = _CORPUS / options.model
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jaragua-fuzz-") as folder:
        program = _build(compiler, options.model, Path(folder))
        limits = [f"-max_total_time={options.seconds}", "-max_len=6000", "-timeout=20"]
        return subprocess.run([program, *limits, corpus], cwd=corpus.parent, check=False).returncode


def _has_fuzzer(compiler: str) -> bool:
    """A clang without its run-time libraries compiles and does not link."""
    entry = "int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return data == 0 && size == 1; }"
    with tempfile.TemporaryDirectory(prefix="jaragua-fuzz-") as folder:
        command = [compiler, *_FLAGS, "-x", "c", "-", "-o", str(Path(folder) / "probe")]
        return subprocess.run(command, input=entry, text=True, capture_output=True, check=False).returncode == 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz-node", description=__doc__)
    parser.add_argument("--model", choices=[name for name, build in BUILDS.items() if build.fuzz], default="digits")
    parser.add_argument("--seconds", type=int, default=300)
    return parser


def _build(compiler: str, name: str, folder: Path) -> Path:
    shared = SharedObjects(folder)
    model = folder / name
    write_model(BUILDS[name], model)
    sources = [
        *shared.generated.glob("*.c"),
        *model.glob("*.c"),
        *(path for library in ("jrg_link", "jrg_node", "jrg_online") for path in (LIBRARIES / library).glob("*.c")),
        *(TESTS / name for name in ("fake_host.c", "node_bench.c", "real/real_bench.c", "real/fuzz_node.c")),
        TESTS / "libfuzzer" / "fuzz_entry.c",
    ]
    includes = RealPrograms(folder, shared).include_flags(model)
    program = folder / "fuzz"
    command = [compiler, *_FLAGS, *BUILDS[name].flags, *includes, *map(str, sources), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


if __name__ == "__main__":
    sys.exit(main())
