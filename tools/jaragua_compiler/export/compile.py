"""A network, its weights and the user's choice -> the files of a folder, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files

from jaragua_compiler.codegen.emitter import CONFIG_NAME, SOURCE_NAME, emitted_files
from jaragua_compiler.export.choice import Choice, orders, planned
from jaragua_compiler.export.files import c_text
from jaragua_compiler.export.files.build_flags import LANGUAGE, core_flags, optimise_flags
from jaragua_compiler.export.files.kernels import NOTICE, flat, licence_text, needed_headers
from jaragua_compiler.export.files.readme import ReadmeContents, readme
from jaragua_compiler.export.files.vector import make_vector
from jaragua_compiler.export.fit import check_fits, resolved
from jaragua_compiler.export.folder import with_manifest
from jaragua_compiler.export.inputs.samples import assumed_samples
from jaragua_compiler.export.inputs.source import Source
from jaragua_compiler.export.memory import Figures
from jaragua_compiler.graph.initial_weights import FloatArray, Weights
from jaragua_compiler.graph.network import Network
from jaragua_compiler.planning.boards import Board
from jaragua_compiler.planning.channel_order import LayerOrder, layer_orders, reordered
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.blob import pack
from jaragua_compiler.quantisation.exponents import Exponents, calibrate
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_compiler.quantisation.ranges import Ranges

INTERFACE_NAME = "jrg_model.h"
WEIGHTS_HEADER, WEIGHTS_SOURCE, WEIGHTS_BLOB = "jrg_model_weights.h", "jrg_model_weights.c", "jrg_model_weights.bin"
SELFTEST_FILES = ("selftest.c", "selftest.h")
VECTOR_HEADER = "selftest_vector.h"


@dataclass(frozen=True)
class Compiled:
    """What `jaragua compile` made: the plan, its figures on the board, and the files (name -> content).

    `orders` says of each layer with weights that is not in the model's order of channels in which it is.
    """

    plan: Plan
    figures: Figures
    files: dict[str, bytes]
    orders: dict[int, LayerOrder]


def compile_model(
    network: Network,
    weights: Weights,
    board: Board,
    choice: Choice,
    samples: FloatArray | None = None,
    ranges: Ranges | None = None,
    source: Source | None = None,
) -> Compiled:
    """Everything of the folder, in memory; the same arguments give the same bytes.

    samples: typical inputs float64 [n, inputs], for the formats and the test vector; without them `ranges`, those of a
    model file, decide the formats, and without these inputs of -1..1 are assumed. source: what the folder says of it.
    Raises CompileError: an operator the device has not, or memory the board has not (before anything is computed).
    """
    source = source or Source()
    found = check_fits(network, choice, board)
    ranges = ranges if samples is None else None
    shown = assumed_samples(network, ranges) if samples is None else samples
    choice = resolved(network, choice, board)
    order = orders(network, choice)
    weights = reordered(network, weights, order)
    compiled = freeze(planned(network, choice), weights, shown, ranges=ranges)
    exponents = calibrate(compiled, weights, shown, ranges=ranges)
    blob = pack(compiled, weights, exponents)
    texts = _code(compiled) | _data(compiled, exponents, blob, shown)
    texts[WEIGHTS_HEADER] = c_text.weights_header(compiled, exponents, source)
    changed = layer_orders(network, order)
    contents = ReadmeContents(
        compiled, board, found, exponents, changed, source, assumed=samples is None, ranges=ranges
    )
    texts |= {"README.md": readme(contents), "NOTICE": NOTICE, "LICENSE": licence_text()}
    content = {name: text.encode() for name, text in texts.items()} | {WEIGHTS_BLOB: blob}
    return Compiled(
        compiled, found, with_manifest(content, _identity(compiled, board, changed) | source.facts()), changed
    )


def _code(compiled: Plan) -> dict[str, str]:
    """Generated source and sizes, and the headers they need."""
    emitted = {name: c_text.LICENCE_LINE + text for name, text in emitted_files(compiled).items()}
    headers = needed_headers(emitted[SOURCE_NAME], {CONFIG_NAME})
    return {name: flat(text) for name, text in emitted.items()} | headers


def _data(compiled: Plan, exponents: Exponents, blob: bytes, samples: FloatArray) -> dict[str, str]:
    """Weights, test vector and self-test."""
    vector = c_text.vector_header(make_vector(compiled, exponents, blob, samples))
    texts = {WEIGHTS_SOURCE: c_text.weights_source(blob), VECTOR_HEADER: vector}
    own = files("jaragua_compiler.export.files")
    selftest = {name: c_text.LICENCE_LINE + own.joinpath(name).read_text(encoding="utf-8") for name in SELFTEST_FILES}
    return texts | selftest


def _identity(compiled: Plan, board: Board, orders: Mapping[int, LayerOrder]) -> dict[str, object]:
    return {
        "network": compiled.network.name,
        "architecture": compiled.architecture.hex(),
        "board": board.name,
        "build": {"core": core_flags(board.core), "flags": [LANGUAGE, *optimise_flags()]},
        "channel_order": {str(index): asdict(order) for index, order in orders.items()},
    }
