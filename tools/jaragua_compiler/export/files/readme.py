"""The README of a folder: what is in it, what it takes, what its numbers mean, and how it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files

from jaragua_compiler.export.component import Component
from jaragua_compiler.export.files.build_flags import LANGUAGE, core_flags, optimise_flags
from jaragua_compiler.export.files.vector import STEPS
from jaragua_compiler.export.inputs.input_format import InputFormat
from jaragua_compiler.export.inputs.source import Source, StartWeights, TrainingDefaults
from jaragua_compiler.export.memory import Figures, Row
from jaragua_compiler.export.rejection import Rejection
from jaragua_compiler.graph.layers import ActivatedLayer, Conv2D, DepthwiseConv2D, PoolLayer
from jaragua_compiler.graph.network import Network
from jaragua_compiler.graph.sample_layout import SampleLayout
from jaragua_compiler.planning.boards import Board
from jaragua_compiler.planning.channel_list import ChannelList, spans
from jaragua_compiler.planning.channel_order import LayerOrder
from jaragua_compiler.planning.plan import Plan
from jaragua_compiler.quantisation.exponents import Exponents, layer_scale, tensor_exponents
from jaragua_compiler.quantisation.ranges import Ranges
from jaragua_compiler.quantisation.rate import LearningRate

EXAMPLE_RATE = 0.01
_RATES = (0.1, 0.03, 0.01, 0.003, 0.001)

_EXAMPLE = """\
#include "jrg_model.h"

static uint8_t weights[JRG_MODEL_BLOB_BYTES] __attribute__((aligned(4))); /* trained in place */
static int16_t input[JRG_MODEL_INPUTS], output[JRG_MODEL_OUTPUTS], target[JRG_MODEL_TARGETS];
static const jrg_nn_rate rate = {{{mantissa}u, {exponent}u}}; /* {rate} */

jrg_nn_status start(void) /* once */
{{
{seed}    const jrg_nn_status status = jrg_model_start(weights);
    return status != JRG_NN_OK ? status : jrg_model_set_rate(rate);
}}
{read}
{learn}

jrg_nn_status answer(void) /* fill input; the answer is in output */
{{
    return jrg_model_forward(input, output);
}}
"""

_SEED = "    jrg_model_set_seed(1u); /* of the rounding of int8 weights: any number */\n"

_READ = """
jrg_nn_status read(const int32_t raw[JRG_MODEL_INPUTS]) /* readings as raw integers; fills input */
{
    return jrg_model_input_from_raw(raw, input);
}
"""

_LEARN_CLASS = """\
jrg_nn_status learn(int16_t label, jrg_nn_result *result) /* fill input; result->correct: before this step */
{
    target[0] = label;
    return jrg_model_train(input, target, result);
}"""

_LEARN_NUMBERS = """\
jrg_nn_status learn(jrg_nn_result *result) /* fill input and target; result->loss: before this step */
{
    return jrg_model_train(input, target, result);
}"""


@dataclass(frozen=True)
class ReadmeContents:
    """All a README tells. `assumed`: no samples were given, so the formats are made for the `ranges` of the model file,
    or where it gives none for inputs in -1..1.

    `orders` are those of the layers with weights that are not in the model's order of channels.
    """

    plan: Plan
    board: Board
    figures: Figures
    exponents: Exponents
    orders: Mapping[int, LayerOrder]
    source: Source
    component: Component
    assumed: bool
    ranges: Ranges | None = None


def readme(contents: ReadmeContents, prefix: str) -> str:
    """The text of README.md, under the names of jrg_model.h; prefix: of the files."""
    network = contents.plan.network
    template = files("jaragua_compiler.export.files").joinpath("readme.template.md").read_text(encoding="utf-8")
    return template.format(
        name=network.name,
        loss=network.loss.replace("_", " "),
        layers=_layers(network, contents.orders),
        channel_order=_channel_order(contents.orders),
        formats=", ".join(_formats_of(network)),
        architecture=contents.plan.architecture.hex(),
        ram_table=_table(contents.figures.ram, contents.figures.ram_bytes),
        buffer_table=_table(contents.figures.buffers),
        flash_table=_table(contents.figures.flash, contents.figures.flash_bytes),
        start=_START[contents.source.weights],
        defaults=_defaults(contents.source.defaults),
        sample_order=_sample_order(contents.source.samples),
        prefix=prefix,
        macro=prefix.upper(),
        example=example(network, _rate(contents.source), contents.component),
        readings=_readings(contents.component, contents.source),
        prototypes=_prototypes(contents),
        rates="\n".join(_rate_row(rate) for rate in sorted({*_RATES, _rate(contents.source)}, reverse=True)),
        steps=STEPS,
        **_board(contents.board),
        **_formats(contents),
    )


def example(network: Network, rate: float, component: Component | None = None) -> str:
    """C that calls the folder's: what a user begins with."""
    found = LearningRate.from_float(rate)
    learn = _LEARN_CLASS if network.classifier else _LEARN_NUMBERS
    seed = _SEED if "w8" in _formats_of(network) else ""
    read = _READ if component and component.inputs else ""
    return _EXAMPLE.format(
        mantissa=found.mantissa, exponent=found.exponent, rate=rate, seed=seed, read=read, learn=learn
    )


def _readings(component: Component, source: Source) -> str:
    """The section on readings, front end and classes, as far as they are known; without columns that on real values."""
    parts = [_REAL_VALUES if component.inputs is None else _COLUMNS.format(rows=_column_rows(component.inputs))]
    if source.interface is not None and source.interface.front_end:
        rows = "\n".join(f"| {name} | {value} |" for name, value in source.interface.front_end.items())
        parts.append(_FRONT_END.format(kind=source.interface.kind, rows=rows))
        parts.extend(_sound_options(source.interface.front_end))
    if component.classes:
        names = ", ".join(f"{label} {name}" for label, name in enumerate(component.classes))
        parts.append(f"Classes, by label: {names}. `jrg_model_class_names` has their names.")
    return "\n\n".join(parts)


def _sound_options(front_end: Mapping[str, object]) -> list[str]:
    """The options of jrg_feat that compute the inputs of recordings; nothing for other data."""
    if not {"loudness", "pooling", "features"} <= front_end.keys():
        return []
    options = {
        "normalised": _c_bool(front_end["loudness"] == "normalised"),
        "pooling": f"JRG_FEAT_POOLING_{str(front_end['pooling']).upper()}",
        "cepstrum": _c_bool(front_end["features"] == "mfcc"),
    }
    return [_SOUND.format(**options)]


def _c_bool(value: bool) -> str:
    return "true" if value else "false"


_PROTOTYPES = """\
## Classes enrolled without training

```c
#include "jrg_model.h"

jrg_nn_status enrol(const int16_t *x, uint32_t label) {{ return jrg_model_enrol(x, label); }}
jrg_nn_status recognise(const int16_t *x, jrg_nn_match *match) {{ return jrg_model_recognise(x, match); }}
jrg_nn_status forget(uint32_t label) {{ return jrg_model_forget(label); }}
jrg_nn_status tell(uint32_t label, int16_t numbers[]) {{ return jrg_model_prototype(label, numbers); }}
```

There is room for {classes} classes, 0 to {most}. A class is the mean of the {features} features of its samples, which
are what the last layer reads; `tell` gives {features} numbers, each a feature · 2^{exponent}. Enrolling a sample is one
forward pass and no training, and a class can come or go at any time. `recognise` finds the class with the smallest
distance (rules A12.1 to A12.8 of Jaragua's `docs/reference/arithmetic.md`): `match.label` is the class,
`match.distance` is squared, in units of 2^-{distance_exponent}, and `match.relative` is it by the mean distance to the
other classes, times 32768.

{rejection}

`jrg_model_save_enrolment(bytes)` and `jrg_model_restore_enrolment(bytes, sizeof bytes)` keep the enrolled classes over
a reset, in `JRG_MODEL_ENROLMENT_BYTES` bytes. They belong to the weights that they were enrolled with: after training
or other weights, forget all classes and enrol them again. `jrg_model_train_prototypes` trains the layers below the last
one with the prototypes as last layer, after `jrg_model_set_temperature`.{episodes}

"""
_EPISODES = """

`jrg_model_train_enrolled` takes a step on an enrolled sample, by the gradient of the loss with respect to its
prototype, which the steps of `jrg_model_train_prototypes` have summed since the class was enrolled (rules A12.9 and
A12.10). An episode enrols samples, trains on others, and then takes such a step on each enrolled sample."""
_REJECTS = """\
Unknown samples: `match.accepted` is false if `match.relative` is above {threshold}, which `jrg_model_start` sets. It
was calibrated to accept {false_accepts:.3g} of the samples of classes that are not enrolled, on {tasks} tasks of
{devices} data: {classes} classes enrolled with {shots} samples each, {unknown} unknown samples. With other numbers of
classes or samples the part differs; `jrg_model_set_rejection` sets another threshold."""
_ACCEPTS_ALL = """\
Unknown samples: no threshold was calibrated, so `match.accepted` is always true. `jrg_model_set_rejection` sets the
largest `match.relative` that is accepted."""


def _prototypes(contents: ReadmeContents) -> str:
    """The section on enrolled classes; nothing without prototypes."""
    compiled, found = contents.plan, contents.component.rejection
    if not compiled.prototypes:
        return ""
    head = compiled.prototype_head
    exponent = layer_scale(compiled, contents.exponents, head).inputs + 15 - head.input_width
    return _PROTOTYPES.format(
        classes=compiled.prototypes,
        most=compiled.prototypes - 1,
        features=head.inputs,
        exponent=exponent,
        distance_exponent=2 * exponent,
        episodes=_EPISODES if compiled.prototype_gradients else "",
        rejection=_REJECTS.format(**found.facts()) if isinstance(found, Rejection) else _ACCEPTS_ALL,
    )


def _column_rows(inputs: InputFormat) -> str:
    rows = (
        f"| {number} | {column.name} | {column.offset:.9g} | {column.scale:.9g} | {column.per_unit:.9g} |"
        for number, column in enumerate(inputs.columns)
    )
    return "\n".join(rows)


_FRONT_END = """\
Its data are of the kind `{kind}`. These numbers say how they become the network's values (Jaragua's
`docs/reference/own-data.md` has the rules):

| | |
|---|---|
{rows}"""

_SOUND = """\
On a board `jrg_feat` computes them from one second of 16-bit samples, with these options. It is in Jaragua's
`firmware/lib/jrg_feat`, and `docs/reference/features.md` shows the calls.

```c
#include "jrg_feat.h"

const jrg_feat_options options = {{.normalised = {normalised}, .pooling = {pooling}, .cepstrum = {cepstrum}}};
```"""

_REAL_VALUES = """\
`jrg_model_input_from_float(values, input)` makes the input of real values in the unit of the network's training."""

_COLUMNS = """\
`jrg_model_input_from_raw(raw, input)` makes the input of raw integers: a reading times the column's steps a unit,
rounded. `jrg_model_input_from_float(readings, input)` does the same with readings in their physical units. Both give
the bits that the host computes (rules I1 to I4 of Jaragua's `docs/reference/compile.md`); a reading is less its offset,
by its scale, and cut off at -1 and 1.

| column | name | offset | scale | steps a unit |
|---|---|---|---|---|
{rows}"""


def _rate(source: Source) -> float:
    """The model's own learning rate, or one to begin with."""
    return EXAMPLE_RATE if source.defaults is None else source.defaults.learning_rate


_START: dict[StartWeights, str] = {
    "file": "The weights it starts with are those of the model file.",
    "random": """\
**The weights it starts with are random**, from a fixed seed: nothing was trained yet, and its answers mean nothing
before training. `jaragua compile … --start runs/NAME/weights/final.safetensors` takes the weights of a run.""",
    "start": "The weights it starts with are those of the file given with `--start`.",
}


def _defaults(defaults: TrainingDefaults | None) -> str:
    """The paragraph on the numbers a model of the zoo is trained with; nothing for a file."""
    if defaults is None:
        return ""
    return "\n" + _DEFAULTS.format(**asdict(defaults)) + "\n"


_DEFAULTS = """\
The model's own defaults: learning rate {learning_rate}; {ways} ways and {shots} shots a task; passes over the
samples: {passes} when a device adapts, {training_passes} in a round of training."""


def _sample_order(layout: SampleLayout | None) -> str:
    """The paragraph on how the samples of a model file lie; nothing where the network reads them as they are."""
    if layout is None or (layout.strides is None and layout.shape == layout.inputs):
        return ""
    shape = " x ".join(map(str, layout.shape))
    if layout.strides is None:
        return "\n" + _IN_ORDER.format(shape=shape) + "\n"
    inputs = " x ".join(map(str, layout.inputs))
    axes = " + ".join(f"{axis} · {stride}" for axis, stride in zip("hwc", layout.strides, strict=False) if stride)
    return "\n" + _TRANSPOSED.format(shape=shape, inputs=inputs, axes=axes) + "\n"


_IN_ORDER = """\
A sample of the model file has the shape {shape}; the input takes its numbers in the same order."""

_TRANSPOSED = """\
**The input has another order than the model file's samples**, whose shape is {shape}: the C takes them as {inputs}
(h, w, c). Number [h, w, c] of the input is number {axes} of the sample, flat, counted from 0; for
number n of the input that is `JRG_MODEL_SAMPLE_PLACE(n)` of `jrg_model.h`. `--samples` takes samples in the
file's own order."""


def _formats_of(network: Network) -> list[str]:
    return sorted({network.weight_format(index) for index in network.weighted if network.trains(index)})


def _board(board: Board) -> dict[str, object]:
    return {
        "board": board.name,
        "title": board.title,
        "core_flags": " ".join(core_flags(board.core)),
        "language": LANGUAGE,
        "optimise_flags": " ".join(optimise_flags()),
        "optimise_list": ";".join(optimise_flags()),
        "ram": board.ram_bytes,
        "ram_free": board.free_ram_bytes,
        "ram_reserve": board.reserve_ram_bytes,
        "flash": board.flash_bytes,
        "flash_free": board.free_flash_bytes,
        "flash_reserve": board.reserve_flash_bytes,
    }


def _formats(contents: ReadmeContents) -> dict[str, object]:
    network, output = contents.plan.network, contents.exponents.output
    limit = 1 << contents.plan.input_width
    shape = network.shapes[0]
    return {
        "inputs": f"{network.input_size:,}",
        "input_shape": f" ({' x '.join(map(str, shape))}, in this order)" if len(shape) > 1 else "",
        "input_limit": limit,
        "input_limit_less": limit - 1,
        "input_exponent": tensor_exponents(contents.plan, contents.exponents)[0],
        "outputs": network.outputs,
        "output_meaning": f"{'logit' if network.classifier else 'value'} · 2^{output}",
        "targets": "1 number" if network.classifier else f"{network.targets} numbers",
        "target_meaning": f"the class, 0..{network.outputs - 1}" if network.classifier else f"value · 2^{output}",
        "loss_meaning": "nats · 2^11" if network.classifier else f"sum of the squared errors · 2^{2 * output}",
        "calibration": _calibration(contents),
    }


def _calibration(contents: ReadmeContents) -> str:
    """What the exponents were chosen from."""
    if not contents.assumed:
        return _SHOWN
    if contents.ranges is None:
        return _ASSUMED
    said = contents.ranges.input
    zero = f"{'-' if said.zero >= 0 else '+'} {abs(said.zero)}"
    return _FROM_FILE.format(ranges=contents.ranges, zero=zero, step=said.step)


_SHOWN = "they were chosen from sample inputs."
_ASSUMED = "no samples were given, so they hold inputs from -1 to 1 (`--samples` gives better ones)."

_FROM_FILE = """\
no samples were given, so they were chosen for {ranges} (`--samples` gives better
ones). Feed the real values, not the model file's own integers q, which stand for (q {zero}) · {step:.6g}."""


def _layers(network: Network, orders: Mapping[int, LayerOrder]) -> str:
    lines = ["| layer | | output | weights | trains |", "|---|---|---|---|---|"]
    for index in range(len(network.layers)):
        weighted = index in network.weighted
        shapes = " + ".join(" x ".join(map(str, shape)) for shape in network.weight_shapes(index)) if weighted else ""
        trains = _trains(network, index, orders.get(index)) if weighted else ""
        output = " x ".join(map(str, network.shapes[index + 1]))
        lines.append(f"| {index} | {_layer(network, index)} | {output} | {shapes} | {trains} |")
    return "\n".join(lines)


def _trains(network: Network, index: int, order: LayerOrder | None) -> str:
    if not network.trains(index):
        return "no: int8 in flash"
    rows, trained = network.weight_shapes(index)[1][0], network.trained_rows(index)
    if rows == trained:
        return "yes"
    which = f" ({_numbers(sorted(order.rows[:trained]))})" if order and order.rows else ""
    return f"{trained} of {rows} channels{which}; int8"


def _channel_order(orders: Mapping[int, LayerOrder]) -> str:
    """The paragraph on layers whose channels changed places (A10.7); nothing if none did."""
    if not orders:
        return ""
    lines = [
        _ORDER,
        "",
        "| layer | its rows are the model's channels | its input channels are the model's |",
        "|---|---|---|",
    ]
    lines += [f"| {index} | {_places(order.rows)} | {_places(order.inputs)} |" for index, order in orders.items()]
    return "\n".join(["", *lines, ""])


_ORDER = """\
Channels that train come first, so some weights lie in another order than in the model; what the network computes is
the same, and so is the order of its inputs and outputs. From the first row, or input channel, to the last:"""


def _places(order: ChannelList) -> str:
    return _numbers(order) if order else "in their order"


def _numbers(channels: Iterable[int]) -> str:
    return ", ".join(spans(tuple(channels)))


def _layer(network: Network, index: int) -> str:
    """A layer in words: its kind, its window, its activation, and what it reads if that is not the layer before."""
    layer = network.layers[index]
    words = [type(layer).__name__]
    if isinstance(layer, Conv2D | DepthwiseConv2D | PoolLayer):
        geometry = network.conv_geometry(index)
        kernel, stride = (" x ".join(map(str, pair)) for pair in (geometry.kernel, geometry.stride))
        words.append(f"{kernel}, stride {stride}, padding {geometry.pads}")
    if isinstance(layer, ActivatedLayer) and layer.kind != "linear":
        words.append(f"{layer.kind} {layer.slope}" if layer.kind == "leaky_relu" else layer.kind)
    if network.operands(index) != (index,):
        words.append("of " + " and ".join(_tensor(tensor) for tensor in network.operands(index)))
    return ", ".join(words)


def _tensor(tensor: int) -> str:
    return f"layer {tensor - 1}" if tensor else "the input"


def _table(rows: Iterable[Row], total: int | None = None) -> str:
    lines = ["| | bytes |", "|---|---|", *(f"| {row.name} | {row.bytes:,} |" for row in rows)]
    return "\n".join(lines if total is None else [*lines, f"| **all** | **{total:,}** |"])


def _rate_row(rate: float) -> str:
    found = LearningRate.from_float(rate)
    return f"| {rate} | `{{{found.mantissa}u, {found.exponent}u}}` |"
