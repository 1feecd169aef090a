"""The files of models' descriptions that `jaragua compile`, `simulate` and `reproduce` write (S3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jaragua.errors import StoreError
from jaragua.semantics.models.description import Measured, ModelDescription, describe_model, describe_network
from jaragua.semantics.models.model_triples import model_triples
from jaragua.semantics.triples import turtle
from jaragua_compiler.export import Compiled
from jaragua_compiler.export.folder import with_fact
from jaragua_compiler.graph.network import Network
from jaragua_models import Model, get, names

SUFFIX = ".ttl"
#: The key of a compiled folder's manifest whose value is the description, as Turtle.
IN_MANIFEST = "description"


def described(model: Model, measured: Sequence[Measured] = ()) -> ModelDescription:
    """The description of a model; instructions that were counted on the zoo's network are its own if it has that."""
    return describe_model(model, of_the_zoo=is_of_the_zoo(model.name, model.network), measured=measured)


def described_network(name: str, network: Network) -> ModelDescription:
    """The description of a network that was named on a command line: a name of the zoo, or a file."""
    plain = name.partition("@")[0]
    return (
        described(replace(get(plain), network=network)) if plain in names() else describe_network(network, network.name)
    )


def is_of_the_zoo(name: str, network: Network) -> bool:
    """Whether it is the zoo's network of that name, in any arithmetic."""
    return name in names() and replace(network, weights="w16") == replace(get(name).network, weights="w16")


def with_description(compiled: Compiled, name: str, network: Network) -> Compiled:
    """With what the model is and needs in the manifest, for the graph of a fleet (S3). name: as it was asked for."""
    text = content(described_network(name, network)).decode()
    return replace(compiled, files=with_fact(compiled.files, IN_MANIFEST, text))


def content(description: ModelDescription) -> bytes:
    """What a file of a description contains."""
    return turtle(model_triples(description)).encode()


def place_beside(path: Path) -> Path:
    """The description's file beside a file of weights. Raises StoreError if another file has that name."""
    place = path.with_suffix(SUFFIX)
    try:
        begins = place.read_bytes()[:7] if place.exists() else b""
    except OSError as error:
        raise StoreError(f"{place} cannot be read: {error.strerror}", "name another place for --save") from error
    if begins not in (b"", b"@prefix"):
        raise StoreError(f"{place} is there, and no description of a model", "name another place for --save")
    return place
