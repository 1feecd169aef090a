"""A model's description as RDF: the TinyML schema where it fits, own terms for training (S3). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jaragua.semantics.models.builds import Build, Timing
from jaragua.semantics.models.description import LayerFacts, Measured, ModelDescription
from jaragua.semantics.triples import TYPE, Iri, Triple, iri, literal, safe_iri
from jaragua.semantics.vocabulary import SENSORS

_LAYER_TYPES: Final = {
    "Dense": "nnet:FullyConnected",
    "Conv2D": "nnet:Conv2D",
    "DepthwiseConv2D": "nnet:DepthwiseConv2D",
    "MaxPool2D": "nnet:MaxPool2D",
    "AveragePool2D": "nnet:AveragePool2D",
    "GlobalAveragePool2D": "nnet:AveragePool2D",
    "Add": "nnet:Add",
    "Flatten": "nnet:Reshape",
}
_QUANTISATIONS: Final = {"w16": "nnet:Int16", "w8": "nnet:Int8"}
_METRICS: Final = {"accuracy": "nnet:Top_1_accuracy", "mse": "nnet:Mean_squared_error"}
_KILOBYTE: Final = 1000.0


def model_iri(description: ModelDescription) -> Iri:
    """The name of a model's description: its name and architecture."""
    return Iri(f"urn:jaragua:model:{description.name}:{description.architecture or 'frozen'}")


def model_triples(description: ModelDescription) -> list[Triple]:
    """All triples of a description, the classes of its sensors included."""
    model = model_iri(description)
    return [
        *_head(model, description),
        *_inputs(model, description),
        *(triple for index, one in enumerate(description.layers) for triple in _layer(model, description, index, one)),
        *(triple for one in description.builds for triple in _build(model, one)),
        *_needs(model, description),
        *(triple for index, one in enumerate(description.measured) for triple in _measured(model, index, one)),
    ]


def _head(model: Iri, description: ModelDescription) -> Iterator[Triple]:
    yield model, TYPE, iri("nnet:NeuralNetwork")
    yield model, TYPE, iri("s3n:Algorithm")
    yield model, iri("schema:name"), literal(description.name)
    yield model, iri("schema:version"), literal(description.version)
    yield model, iri("schema:runtimePlatform"), literal("Jaragua")
    if description.architecture:
        yield model, iri("schema:identifier"), literal(description.architecture)
    category = "nnet:Classification" if description.classifier else "nnet:Regression"
    yield model, iri("nnet:hasCategory"), iri(category)
    yield model, iri("nnet:hasMultiplyAccumulateOps"), literal(description.multiply_accumulates)
    texts = {"schema:description": description.summary, "jrg:countedSamples": description.samples}
    for predicate, text in (texts | {"jrg:countedCompiler": description.compiler}).items():
        if text:
            yield model, iri(predicate), literal(text)
    if description.data_set:
        yield model, iri("nnet:trainingDataset"), safe_iri(description.data_set)


def _inputs(model: Iri, description: ModelDescription) -> Iterator[Triple]:
    """What goes in, and which classes of sensors provide it: as queries of the TinyML schema ask."""
    node = Iri(f"{model.value}:input")
    yield model, iri("ssn:hasInput"), node
    yield node, TYPE, iri("ssn:Input")
    if description.layers:
        yield node, iri("nnet:hasInputInfo"), literal(_shape(description.layers[0].shape_in))
    for name in description.sensors:
        yield model, iri("jrg:needsSensor"), literal(name)
        sensor = Iri(f"{model.value}:sensor:{name}")  # its own, so that no two descriptions say the same triple
        yield sensor, TYPE, Iri(SENSORS[name])
        yield sensor, iri("ssn_extend:provideInput"), node


def _layer(model: Iri, description: ModelDescription, index: int, layer: LayerFacts) -> Iterator[Triple]:
    node = Iri(f"{model.value}:layer:{index}")
    places = {0: "nnet:inputLayer", len(description.layers) - 1: "nnet:outputLayer"}
    yield model, iri("jrg:layer"), node
    yield model, iri(places.get(index, "nnet:middleLayer")), node
    yield node, TYPE, iri("nnet:Layer")
    yield node, iri("nnet:hasIndex"), literal(index)
    yield node, iri("nnet:hasType"), iri(_LAYER_TYPES.get(layer.kind, "nnet:Layer"))
    yield node, iri("jrg:layerKind"), literal(layer.kind)
    if layer.activation != "linear":
        yield node, iri("nnet:hasActivation"), iri(f"nnet:{layer.activation.capitalize()}")
    if layer.weights:
        yield node, iri("nnet:hasQuantization"), iri(_QUANTISATIONS[layer.weights])
    yield node, iri("nnet:shapeIn"), literal(_shape(layer.shape_in))
    yield node, iri("nnet:shapeOut"), literal(_shape(layer.shape_out))


def _build(model: Iri, build: Build) -> Iterator[Triple]:
    node = Iri(f"{model.value}:build:{build.key}")
    yield model, iri("jrg:trainingBuild"), node
    yield node, TYPE, iri("jrg:TrainingBuild")
    facts: dict[str, object] = {
        "core": build.key.core,
        "arithmetic": build.key.arithmetic,
        "trains": build.key.trains,
        "isOwn": build.is_own,
        "trainingRamBytes": build.training_ram_bytes,
        "staticRamBytes": build.static_ram_bytes,
        "stackBytesAtMost": build.stack_bytes_at_most,
        "flashBytes": build.flash_bytes,
        "blobBytes": build.blob_bytes,
        "uplinkBytesPerRound": build.blob_bytes,
        "downlinkBytesPerRound": build.blob_bytes,
    }
    facts |= {"architecture": build.architecture} if build.architecture else {}
    if build.counted is not None:
        facts["instructionsPerStep"] = build.counted.instructions
        facts["instructionsPerStepWorst"] = build.counted.instructions_worst
        facts["instructionsPerInference"] = build.counted.forward_instructions
        facts["countedSteps"] = build.counted.steps
    for term, value in facts.items():
        yield node, iri(f"jrg:{term}"), literal(value)
    for name in build.operators:
        yield node, iri("jrg:needsOperators"), literal(name)
    for timing in build.counted.timings if build.counted is not None else ():
        yield from _timing(node, timing)


def _timing(build: Iri, timing: Timing) -> Iterator[Triple]:
    """Cycles per instruction on a core (S6.1)."""
    node = Iri(f"{build.value}:timing:{timing.core}")
    yield build, iri("jrg:timing"), node
    yield node, TYPE, iri("jrg:Timing")
    yield node, iri("jrg:timedCore"), literal(timing.core)
    yield node, iri("jrg:cyclesPerInstructionLow"), literal(timing.low)
    yield node, iri("jrg:cyclesPerInstructionHigh"), literal(timing.high)
    yield node, iri("jrg:traced"), literal(timing.traced)


def _needs(model: Iri, description: ModelDescription) -> Iterator[Triple]:
    """RAM and flash in kilobytes, of the model's own build that needs most: the TinyML schema knows no cores."""
    own = [one for one in description.builds if one.is_own]
    for kind, sizes in (("RAM", [b.training_ram_bytes for b in own]), ("Flash", [b.flash_bytes for b in own])):
        if sizes:
            feature, condition = (Iri(f"{model.value}:needs:{kind}{part}") for part in ("", ":condition"))
            yield model, iri("s3n:hasProcedureFeature"), feature
            yield feature, iri("ssn-system:inCondition"), condition
            yield condition, TYPE, iri(f"s3n_extend:{kind}")
            yield condition, iri("schema:minValue"), literal(max(sizes) / _KILOBYTE)
            yield condition, iri("schema:unitCode"), iri("om:kilobyte")


def _measured(model: Iri, index: int, measured: Measured) -> Iterator[Triple]:
    node = Iri(f"{model.value}:metric:{index}")
    yield model, iri("nnet:hasMetric"), node
    yield node, TYPE, iri(_METRICS[measured.metric])
    yield node, iri("nnet:hasMetricValue"), literal(float(measured.value))
    yield node, iri("jrg:low"), literal(float(measured.low))
    yield node, iri("jrg:high"), literal(float(measured.high))
    yield node, iri("jrg:seeds"), literal(measured.seeds)
    if measured.strategy:
        yield node, iri("jrg:strategy"), literal(measured.strategy)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
