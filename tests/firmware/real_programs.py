"""Builds the node of firmware/lib with generated models, and its tests of firmware/test/real, with sanitizers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from firmware_builds import LIBRARIES, TESTS, WARNINGS, SharedObjects, compile_objects, link_program

from jaragua.trust.signing import Stamp, signed_bytes
from jaragua.wire.codegen.key import write_header as write_key
from jaragua_compiler import Dense, GlobalAveragePool2D, Network, Plan, calibrate, emit, initial_weights, pack, plan
from jaragua_compiler.planning.plan import with_prototypes
from jaragua_models import get

BLOBS = 2
GENERATION, COUNTER = 1_700_000_000, 7
ROOT_OF_BLOBS = "jaragua/1/home/blob/"
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@dataclass(frozen=True)
class Build:
    """A network and how its image is built."""

    network: Network
    tests: tuple[str, ...]
    fuzz: bool = True
    accumulate: bool = False
    prototypes: int = 0
    gradients: bool = False
    signed: bool = False
    flags: tuple[str, ...] = ()


BUILDS = {
    # A classifier with a learner and prototypes, whose steps may take several samples.
    "digits": Build(
        get("digits").network,
        ("refusals", "predictions", "model", "learner", "prototypes"),
        accumulate=True,
        prototypes=12,
    ),
    # Without sums, so that enrolled samples can teach (A12.10).
    "presence": Build(get("presence").network, ("refusals", "episodes"), prototypes=5, gradients=True),
    # A regression without either, with one buffer for weights (L4.3).
    "sine": Build(get("sine").network, ("refusals", "predictions", "model"), flags=("-DJRG_NODE_BUFFERS=1",)),
    # More outputs than one message holds (L4.6), a sample longer than its offset counts (L4.4), the longest name. Its
    # board verifies signatures (G32).
    "wide": Build(
        Network("wide-network-with-a-long-name-32", (200, 100, 2), (GlobalAveragePool2D(), Dense(200))),
        ("predictions", "signed"),
        fuzz=False,
        signed=True,
    ),
}


class RealPrograms:
    """One program for each build that runs the tests of firmware/test/real, and one that fuzzes the node."""

    def __init__(self, folder: Path, shared: SharedObjects) -> None:
        """Nothing is built yet."""
        self._folder = folder
        self._shared = shared.objects
        self._includes = [
            shared.generated,
            TESTS,
            TESTS / "real",
            *(LIBRARIES / name for name in ("jrg_link", "jrg_node", "jrg_nn", "jrg_online", "jrg_sign")),
        ]
        self._built: dict[str, Path] = {}

    def folder_of(self, name: str) -> Path:
        """The folder with the programs `tests` and `fuzz` of a build."""
        if name not in self._built:
            self._built[name] = self._build(name, BUILDS[name])
        return self._built[name]

    def _build(self, name: str, build: Build) -> Path:
        folder = self._folder / name
        write_model(build, folder)
        sources = [
            *folder.glob("*.c"),
            *(LIBRARIES / "jrg_node").glob("*.c"),
            *(LIBRARIES / "jrg_online").glob("*.c"),
            *((LIBRARIES / "jrg_sign").glob("*.c") if build.signed else ()),
            TESTS / "node_bench.c",
            TESTS / "real" / "real_bench.c",
        ]
        flags = [*WARNINGS, *build.flags, *self.include_flags(folder)]
        common = compile_objects(sources, flags, folder)
        units = [TESTS / "real" / f"test_{file}.c" for file in build.tests]
        runner = compile_objects([TESTS / "jrg_test.c", *units], flags, folder)
        link_program([*self._shared, *common, *runner], folder / "tests")
        if build.fuzz:
            fuzz = compile_objects((TESTS / "real").glob("fuzz_*.c"), flags, folder)
            link_program([*self._shared, *common, *fuzz], folder / "fuzz")
        return folder

    def include_flags(self, *first: Path) -> list[str]:
        """Where the C finds its headers, those of a network in `first`."""
        return [f"-I{path}" for path in (*first, *self._includes)]


def write_model(build: Build, folder: Path) -> None:
    """The generated C of a build, and blobs for it."""
    compiled = plan(build.network, build.accumulate)
    compiled = with_prototypes(compiled, build.prototypes, build.gradients) if build.prototypes else compiled
    emit(compiled, folder)
    header = blobs_header(compiled)
    if build.signed:
        write_key(folder, PRIVATE_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        header += signatures_header(compiled)
    (folder / "real_blobs.h").write_text(header)


def signatures_header(compiled: Plan) -> str:
    """The coordinator's signatures of the blobs, of two generations each, as its `Signer` makes them (G33)."""
    rows = []
    for blob in blobs(compiled):
        topic = ROOT_OF_BLOBS + hashlib.sha256(blob).hexdigest()
        stamps = [Stamp(GENERATION + number, COUNTER) for number in range(2)]
        made = [PRIVATE_KEY.sign(signed_bytes(topic, blob, stamp)) for stamp in stamps]
        rows.append(f"{{{', '.join(_numbers(one) for one in made)}}}")
    return (
        f'#define REAL_ROOT "{ROOT_OF_BLOBS}"\nenum {{ REAL_GENERATION = {GENERATION}, REAL_COUNTER = {COUNTER} }};\n'
        f"static const uint8_t real_signatures[REAL_BLOBS][2][64] = {{{', '.join(rows)}}};\n"
    )


def blobs(compiled: Plan) -> list[bytes]:
    """Two blobs of a network."""
    return [_blob(compiled, seed) for seed in range(BLOBS)]


def _numbers(data: bytes) -> str:
    return f"{{{', '.join(map(str, data))}}}"


def blobs_header(compiled: Plan) -> str:
    """real_blobs.h: two blobs of a network, and where its first bias lies."""
    rows = ",\n".join(_numbers(blob) for blob in blobs(compiled))
    return (
        "#include <stdint.h>\n\n"
        f"enum {{ REAL_BLOBS = {BLOBS}, REAL_BIAS_OFFSET = {compiled.layers[0].biases_offset} }};\n"
        '#include "jrg_model_config.h"\n\n'
        f"static const uint8_t real_blobs[REAL_BLOBS][JRG_MODEL_BLOB_BYTES] = {{\n{rows}}};\n"
    )


def _blob(compiled: Plan, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    weights = initial_weights(compiled.network, seed)
    samples = random.uniform(-1, 1, (32, compiled.network.input_size))
    return pack(compiled, weights, calibrate(compiled, weights, samples))
