"""A network, its weights and the user's choice -> the files of a folder, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from jaragua_compiler.export.choice import Choice, orders, planned
from jaragua_compiler.export.component import Component
from jaragua_compiler.export.files import c_text
from jaragua_compiler.export.files.build_flags import LANGUAGE, core_flags, optimise_flags
from jaragua_compiler.export.files.kernels import licence_text
from jaragua_compiler.export.files.model_header import model_header
from jaragua_compiler.export.files.model_source import kernels_header, model_source
from jaragua_compiler.export.files.prefix import renamed
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
from jaragua_compiler.quantisation.exponents import calibrate
from jaragua_compiler.quantisation.freeze import freeze
from jaragua_compiler.quantisation.ranges import Ranges


@dataclass(frozen=True)
class Compiled:
    """What `jaragua compile` made: the plan, its figures on the board, the files (name -> content), and the prefix of
    all names in them. `component` has the threshold that was calibrated, if one was.

    `orders` says of each layer with weights that is not in the model's order of channels in which it is.
    """

    plan: Plan
    figures: Figures
    files: dict[str, bytes]
    orders: dict[int, LayerOrder]
    prefix: str
    component: Component


def compile_model(
    network: Network,
    weights: Weights,
    board: Board,
    choice: Choice,
    samples: FloatArray | None = None,
    ranges: Ranges | None = None,
    source: Source | None = None,
    component: Component | None = None,
) -> Compiled:
    """Everything of the folder, in memory; the same arguments give the same bytes.

    samples: typical inputs float64 [n, inputs], for the formats and the test vector; without them `ranges`, those of a
    model file, decide the formats, and without these inputs of -1..1 are assumed. source: what the folder says of it.
    component: its names, readings and classes.
    Raises CompileError: an operator the device has not, or memory the board has not (before anything is computed); a
    prefix, or columns or classes that are not the network's.
    """
    source, component = source or Source(), component or Component()
    prefix = component.checked(network)
    found = check_fits(network, choice, board)
    found = replace(found, flash=(*found.flash, *component.flash()))
    ranges = ranges if samples is None else None
    shown = assumed_samples(network, ranges) if samples is None else samples
    choice = resolved(network, choice, board)
    order = orders(network, choice)
    weights = reordered(network, weights, order)
    compiled = freeze(planned(network, choice), weights, shown, ranges=ranges)
    exponents = calibrate(compiled, weights, shown, ranges=ranges)
    blob = pack(compiled, weights, exponents)
    component = component.calibrated(compiled, blob)
    changed = layer_orders(network, order)
    contents = ReadmeContents(
        compiled, board, found, exponents, changed, source, component, assumed=samples is None, ranges=ranges
    )
    texts = {
        ".h": model_header(compiled, exponents, source, component),
        ".c": model_source(compiled, component),
        "_kernels.h": kernels_header(compiled),
        "_weights.c": c_text.weights_source(blob, prototypes=compiled.prototypes > 0),
        "_selftest.c": c_text.selftest_source(make_vector(compiled, exponents, blob, shown, component.inputs)),
    }
    code = {prefix + end: renamed(text, prefix) for end, text in texts.items()}
    content = code | {"README.md": renamed(readme(contents, prefix), prefix), "LICENSE": licence_text()}
    facts = _identity(compiled, board, changed) | component.facts(prefix, compiled) | source.facts()
    files = with_manifest({name: text.encode() for name, text in content.items()}, facts)
    return Compiled(compiled, found, files, changed, prefix, component)


def _identity(compiled: Plan, board: Board, orders: Mapping[int, LayerOrder]) -> dict[str, object]:
    return {
        "network": compiled.network.name,
        "architecture": compiled.architecture.hex(),
        "board": board.name,
        "build": {"core": core_flags(board.core), "flags": [LANGUAGE, *optimise_flags()]},
        "channel_order": {str(index): asdict(order) for index, order in orders.items()},
    }
