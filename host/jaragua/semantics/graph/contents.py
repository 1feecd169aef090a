"""What a graph holds from the start, and what files bring: the zoo, Thing Descriptions (JSON), models (Turtle)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from jaragua.errors import DataError
from jaragua.semantics.graph.extra import needed
from jaragua.semantics.graph.store import GraphStore
from jaragua.semantics.models.description import describe_model
from jaragua.semantics.models.model_triples import model_iri, model_triples
from jaragua.semantics.models.writing import IN_MANIFEST
from jaragua.semantics.triples import Iri, Term, Text, Triple
from jaragua.semantics.vocabulary import NNET, RDF, XSD
from jaragua_compiler.export.folder import MANIFEST
from jaragua_models import get, names

_MOST_BYTES: Final = 4_000_000


def add_zoo(store: GraphStore) -> None:
    """Describe every model of the zoo in the graph; what it says already is not written again."""
    for name in names():
        description = describe_model(get(name), of_the_zoo=True)
        store.offer_model(model_iri(description), model_triples(description), f"zoo:{name}")


def add_file(store: GraphStore, path: Path) -> list[str]:
    """A Thing Description (.json, .jsonld) or a model's description (.ttl, or in the manifest of a compiled folder).

    Returns the sentences of a refusal, else []. Raises DataError for a file that cannot be read or parsed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "name a .json or .ttl file") from error
    if len(content) > _MOST_BYTES:
        raise DataError(f"{path} has more than {_MOST_BYTES:,} bytes", "a description is smaller")
    source = f"file:{path.resolve()}"
    if path.name == MANIFEST:
        content = _in_manifest(content, path)
    elif path.suffix != ".ttl":
        return store.offer_thing(content, source)
    triples = read_turtle(content, str(path))
    models = [one[0] for one in triples if one[1].value == RDF + "type" and _is_model(one[2])]
    if len(models) != 1:
        raise DataError(f"{path} describes {len(models)} models", "give a file that describes one")
    return store.offer_model(models[0], triples, source)


def _in_manifest(content: bytes, path: Path) -> bytes:
    """The description in the manifest of a compiled folder. Raises DataError if it has none."""
    try:
        found = json.loads(content)[IN_MANIFEST]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} has no description of a model", "make it with `jaragua compile`") from error
    if not isinstance(found, str):
        raise DataError(f"{path} has no description of a model", "make it with `jaragua compile`")
    return found.encode()


def read_turtle(content: bytes, place: str) -> list[Triple]:
    """The triples of a Turtle file. Raises DataError for one that is none, or that has blank nodes."""
    oxigraph = needed("pyoxigraph")
    try:
        parsed = list(oxigraph.parse(input=content, format=oxigraph.RdfFormat.TURTLE))
    except (SyntaxError, ValueError) as error:
        raise DataError(f"{place} is no Turtle: {str(error).splitlines()[0]}", "correct it there") from error
    if any(isinstance(part, oxigraph.BlankNode) for one in parsed for part in (one.subject, one.object)):
        raise DataError(f"{place} has a blank node", "descriptions name everything they speak of")
    return [(Iri(one.subject.value), Iri(one.predicate.value), _term(one.object, oxigraph)) for one in parsed]


def _is_model(term: Term) -> bool:
    return isinstance(term, Iri) and term.value == NNET + "NeuralNetwork"


def _term(term: Any, oxigraph: Any) -> Term:
    if isinstance(term, oxigraph.NamedNode):
        return Iri(term.value)
    kind = term.datatype.value
    return Text(term.value, "" if kind == XSD + "string" else kind)


def offer_all(store: GraphStore, descriptions: Iterable[tuple[str, bytes]]) -> dict[str, list[str]]:
    """Thing Descriptions by source; the sentences of those that are refused."""
    found = {source: store.offer_thing(payload, source) for source, payload in descriptions}
    return {source: sentences for source, sentences in found.items() if sentences}
