"""S3: descriptions of models come from the compiler and the emulated cores, and the linked image agrees."""

from __future__ import annotations

import pytest

from jaragua.semantics.graph.validation import problems
from jaragua.semantics.models.builds import builds_of
from jaragua.semantics.models.description import Measured, describe_model
from jaragua.semantics.models.figures import known_figures
from jaragua.semantics.models.measure import count, start_of, static_ram
from jaragua.semantics.models.model_triples import model_triples
from jaragua.semantics.triples import digest, turtle
from jaragua_bench.emulated import toolchain
from jaragua_compiler.export.memory import figures
from jaragua_compiler.planning.plan import plan
from jaragua_models import get, names


@pytest.mark.parametrize("name", names())
def test_s3_1_every_model_of_the_zoo_has_a_description_that_the_shapes_accept(name: str) -> None:
    description = describe_model(get(name), of_the_zoo=True, measured=[Measured("accuracy", 0.9, 0.8, 0.95, 10)])
    triples = model_triples(description)
    assert problems(triples) == []
    assert turtle(triples).count("jrg:TrainingBuild") == len(description.builds)


@pytest.mark.parametrize("name", names())
def test_s3_2_s3_4_every_build_says_what_the_compiler_says_and_what_was_counted(name: str) -> None:
    network = get(name).network
    description = describe_model(get(name), of_the_zoo=True)
    own = {one.key.core: one for one in description.builds if one.is_own}
    assert set(own) == {"cortex_m4", "cortex_m0plus", "rv32imc"}
    for core, build in own.items():
        found = figures(plan(network), core)  # type: ignore[arg-type]
        assert (build.training_ram_bytes, build.flash_bytes) == (found.ram_bytes, found.flash_bytes)
        assert build.architecture == plan(network).architecture.hex()
        assert build.counted is not None
        assert build.counted.instructions <= build.counted.instructions_worst
        assert build.counted.stack_bytes <= build.stack_bytes_at_most  # S3.3


def test_s3_5_what_was_counted_is_stated() -> None:
    description = describe_model(get("digits"), of_the_zoo=True)
    assert "held-out task 20 of digits" in description.samples
    assert "arm-none-eabi-gcc" in description.compiler
    unknown = describe_model(get("digits"), of_the_zoo=False)
    assert all(one.counted is None for one in unknown.builds)
    assert "instructionsPerStep" not in turtle(model_triples(unknown))


def test_s1_4_the_same_description_has_the_same_bytes() -> None:
    one, two = (model_triples(describe_model(get("digits"), of_the_zoo=True)) for _ in range(2))
    assert turtle(one) == turtle(reversed(two))
    assert digest(one) == digest(two)


def test_s3_6_bytes_of_a_round_are_those_of_the_weights() -> None:
    build = describe_model(get("digits"), of_the_zoo=True).builds[0]
    text = turtle(model_triples(describe_model(get("digits"), of_the_zoo=True)))
    assert f'jrg:uplinkBytesPerRound "{build.blob_bytes}"^^xsd:integer' in text
    assert build.blob_bytes == plan(get("digits").network).blob_bytes


@pytest.mark.board
@pytest.mark.parametrize("name", ["sine", "digits"])
def test_s3_3_predicted_ram_and_instructions_are_those_of_the_linked_and_emulated_image(name: str) -> None:
    """The short form of `make test-model-figures`, which does it for all builds of all models."""
    model = get(name)
    start = start_of(model)
    for build in (one for one in builds_of(model.network) if one.is_own):
        core = build.key.core
        if not toolchain.has_tools(core) or toolchain.compiler_version(core) not in known_figures().compiler:
            pytest.skip(f"NO COMPILER: builds for {core} were counted with {known_figures().compiler}")
        assert static_ram(model, build.key, start) == build.static_ram_bytes
        assert count(model, build, start) == known_figures().counted(name, build.key)
