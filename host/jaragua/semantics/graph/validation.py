"""The shapes of shapes.ttl on a description's triples: nothing enters the graph without them (S4.3). Offline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jaragua.printable import printable
from jaragua.semantics.graph.extra import needed
from jaragua.semantics.triples import Iri, Term, Triple

_LONGEST_VALUE = 60


def problems(triples: Iterable[Triple]) -> list[str]:
    """What the shapes say against a description: sentences, sorted, [] if it may enter. Raises ToolError."""
    pyshacl = needed("pyshacl")
    _, report, _ = pyshacl.validate(rdf_graph(triples), shacl_graph=_shapes(), meta_shacl=False, advanced=False)
    return _sentences(report)


def rdf_graph(triples: Iterable[Triple]) -> Any:
    """The triples as a graph of rdflib."""
    graph = needed("rdflib").Graph()
    for one in triples:
        graph.add(tuple(_term(part) for part in one))
    return graph


@cache
def _shapes() -> Any:
    text = files("jaragua.semantics.graph").joinpath("shapes.ttl").read_text(encoding="utf-8")
    return needed("rdflib").Graph().parse(data=text, format="turtle")


def _term(part: Term) -> Any:
    rdflib = needed("rdflib")
    if isinstance(part, Iri):
        return rdflib.URIRef(part.value)
    return rdflib.Literal(part.value, datatype=rdflib.URIRef(part.type)) if part.type else rdflib.Literal(part.value)


def _sentences(report: Any) -> list[str]:
    shacl = needed("rdflib").Namespace("http://www.w3.org/ns/shacl#")
    found = set()
    for result in report.subjects(shacl.focusNode):
        message = next(iter(report.objects(result, shacl.resultMessage)), "it does not have the form of a description")
        values = sorted(str(value) for value in report.objects(result, shacl.value))
        found.add(str(message) + _shown(values))
    return sorted(found)


def _shown(values: Sequence[str]) -> str:
    """The value that was found, as far as a terminal may show it."""
    if not values or "://" in values[0] or values[0].startswith("urn:"):
        return ""
    text = printable(values[0])
    return f"; it is {text[:_LONGEST_VALUE]!r}" + ("…" if len(text) > _LONGEST_VALUE else "")
