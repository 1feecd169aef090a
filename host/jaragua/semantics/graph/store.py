"""The knowledge graph on disk: pyoxigraph, one named graph a description, refusals beside them (S4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jaragua.bases.closing import Closing
from jaragua.errors import StoreError
from jaragua.semantics.graph.extra import needed
from jaragua.semantics.graph.terms import n_triple, value_of, word
from jaragua.semantics.graph.validation import problems
from jaragua.semantics.things.thing_triples import (
    BrokenDescriptionError,
    read_description,
    thing_iri,
    thing_triples,
)
from jaragua.semantics.triples import Iri, Triple, iri, literal, turtle

_META: Final = Iri("urn:jaragua:graph:meta")
_SOURCE: Final = iri("jrg:source")
_DIGEST: Final = iri("jrg:digest")
_DOCUMENT: Final = iri("jrg:document")
_REFUSED: Final = iri("jrg:refusedBecause")
_COUNT: Final = iri("jrg:refusals")
_MOST_SENTENCES: Final = 8
#: An attacker may invent sources; what is kept of refused descriptions is bounded.
MOST_REFUSALS: Final = 1_000


@dataclass(frozen=True)
class Refusal:
    """A source (a topic, a file) whose description was refused: why, and how often."""

    source: str
    sentences: tuple[str, ...]
    count: int


class GraphTakenError(StoreError):
    """Another process writes to the graph (S4.1)."""


class GraphStore(Closing):
    """The graph in a folder. One process writes; others open it with `read_only` (S4.1).

    Errors: GraphTakenError, StoreError (folder), ToolError (the extra is not installed).
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        oxigraph = needed("pyoxigraph")
        self._oxigraph = oxigraph
        self._read_only = read_only
        self.folder = folder
        try:
            if read_only:
                self._store = oxigraph.Store.read_only(str(folder))
            else:
                folder.mkdir(parents=True, exist_ok=True)
                self._store = oxigraph.Store(str(folder))
        except (OSError, ValueError) as error:
            raise _unopened(folder, error) from error

    def close(self) -> None:
        """Write what is left and give the folder free."""
        if not self._read_only:
            self._store.flush()
        del self._store

    # ---- what enters ----

    def offer_thing(self, payload: bytes, source: str, wrong: Sequence[str] = ()) -> list[str]:
        """Take a Thing Description from a source, if the shapes accept it; the sentences of a refusal, else [].

        wrong: what its source already knows against it.
        """
        key = _key(payload)
        if self._is_known(source, key):
            return []
        try:
            document = read_description(payload)
            found, name = thing_triples(document), thing_iri(document)
        except BrokenDescriptionError as error:
            return self._refuse(source, [str(error)])
        if wrong:
            return self._refuse(source, wrong)
        return self._offer(name, found, source, key, payload.decode())

    def offer_model(self, name: Iri, triples: Sequence[Triple], source: str) -> list[str]:
        """Take a model's description; as `offer_thing`."""
        key = _key(turtle(triples).encode())
        return [] if self._is_known(source, key) else self._offer(name, triples, source, key)

    def remove(self, source: str) -> None:
        """Forget what came from a source: its description was cleared. What another source says too stays."""
        subject = Iri(_source_iri(source))
        everybody = list(self._quads(None, _SOURCE))
        for quad in [one for one in everybody if one.subject.value == subject.value]:
            if sum(one.object.value == quad.object.value for one in everybody) == 1:
                self._update(f"DROP SILENT GRAPH <{quad.object.value}>")
        self._update(f"DELETE WHERE {{ GRAPH {word(_META)} {{ {word(subject)} ?p ?o }} }}")

    def _offer(self, name: Iri, triples: Sequence[Triple], source: str, key: str, document: str = "") -> list[str]:
        found = problems(triples)
        if found:
            return self._refuse(source, found)
        self._replace(name, triples, source, key, document)
        return []

    def _replace(self, name: Iri, triples: Sequence[Triple], source: str, key: str, document: str) -> None:
        """In one transaction (S4.2). document: as it came, "" of a model."""
        body = "\n".join(map(n_triple, triples))
        subject = Iri(_source_iri(source))
        about: list[Triple] = [(subject, _SOURCE, name), (subject, _DIGEST, literal(key))]
        about += [(subject, _DOCUMENT, literal(document))] if document else []
        kept = "\n".join(map(n_triple, about))
        self._update(
            f"DROP SILENT GRAPH {word(name)} ;\n"
            f"INSERT DATA {{ GRAPH {word(name)} {{ {body} }} }} ;\n"
            f"DELETE WHERE {{ GRAPH {word(_META)} {{ {word(subject)} ?p ?o }} }} ;\n"
            f"INSERT DATA {{ GRAPH {word(_META)} {{ {kept} }} }}"
        )

    def _refuse(self, source: str, sentences: Sequence[str]) -> list[str]:
        """S4.4: kept with its sentences and counted; the last good description stays."""
        subject = Iri(_source_iri(source))
        if not any(True for _ in self._quads(subject, None)) and len(self.refusals()) >= MOST_REFUSALS:
            return list(sentences)
        count = 1 + sum(int(quad.object.value) for quad in self._quads(subject, _COUNT))
        about = [(subject, _REFUSED, literal(one)) for one in sentences[:_MOST_SENTENCES]]
        body = "\n".join(map(n_triple, [*about, (subject, _COUNT, literal(count))]))
        meta, name = word(_META), word(subject)
        self._update(
            f"DELETE WHERE {{ GRAPH {meta} {{ {name} {word(_REFUSED)} ?o }} }} ;\n"
            f"DELETE WHERE {{ GRAPH {meta} {{ {name} {word(_COUNT)} ?o }} }} ;\n"
            f"INSERT DATA {{ GRAPH {meta} {{ {body} }} }}"
        )
        return list(sentences)

    def _is_known(self, source: str, key: str) -> bool:
        """True if just these bytes are what the graph has of a source, and nothing was refused since."""
        subject = Iri(_source_iri(source))
        kept = {quad.predicate.value: quad.object.value for quad in self._quads(subject, None)}
        return kept.get(_DIGEST.value) == key and _COUNT.value not in kept

    # ---- what is read ----

    def refusals(self) -> list[Refusal]:
        """Sources whose last description was refused, by name."""
        found: dict[str, tuple[list[str], int]] = {}
        for quad in self._quads(None, _REFUSED):
            found.setdefault(quad.subject.value, ([], 0))[0].append(quad.object.value)
        for quad in self._quads(None, _COUNT):
            sentences, _ = found.setdefault(quad.subject.value, ([], 0))
            found[quad.subject.value] = (sentences, int(quad.object.value))
        return [Refusal(_source_text(name), tuple(sorted(why)), count) for name, (why, count) in sorted(found.items())]

    def digests(self) -> dict[str, str]:
        """The name of a description -> the SHA-256 by which it is kept (S4.3)."""
        names = {quad.subject.value: quad.object.value for quad in self._quads(None, _SOURCE)}
        kept = {quad.subject.value: quad.object.value for quad in self._quads(None, _DIGEST)}
        return {name: kept[source] for source, name in names.items() if source in kept}

    def documents(self) -> dict[str, dict[str, Any]]:
        """The IRI of each thing -> its Thing Description as it was published, by IRI."""
        names = {quad.subject.value: quad.object.value for quad in self._quads(None, _SOURCE)}
        texts = {quad.subject.value: quad.object.value for quad in self._quads(None, _DOCUMENT)}
        return dict(sorted((names[source], json.loads(text)) for source, text in texts.items() if source in names))

    def values(self, predicate: str) -> Iterator[tuple[str, str, Any]]:
        """(graph, subject, value) of every statement with `prefix:local`, of all descriptions."""
        node = self._oxigraph.NamedNode(iri(predicate).value)
        for quad in self._store.quads_for_pattern(None, node, None, None):
            if quad.graph_name.value != _META.value:
                yield quad.graph_name.value, quad.subject.value, value_of(quad.object)

    def export(self, media: str) -> bytes:
        """All descriptions in one document: "turtle" or "json-ld", sorted by name."""
        quads = [quad for quad in self._store if quad.graph_name.value != _META.value]
        triples = sorted({quad.triple for quad in quads}, key=str)
        formats = {"turtle": self._oxigraph.RdfFormat.TURTLE, "json-ld": self._oxigraph.RdfFormat.JSON_LD}
        written: bytes = self._oxigraph.serialize(triples, format=formats[media], prefixes=_prefixes())
        return written

    def query(self, text: str) -> Any:
        """The result of a SPARQL query over all descriptions. Raises StoreError for one that is no query."""
        try:
            return self._store.query(text, use_default_graph_as_union=True)
        except (SyntaxError, ValueError, OSError) as error:
            raise StoreError(f"the query cannot be run: {_first_line(error)}", "correct the query") from error

    def _quads(self, subject: Iri | None, predicate: Iri | None) -> Iterable[Any]:
        nodes = (None if one is None else self._oxigraph.NamedNode(one.value) for one in (subject, predicate))
        found: Iterable[Any] = self._store.quads_for_pattern(*nodes, None, self._oxigraph.NamedNode(_META.value))
        return found

    def _update(self, text: str) -> None:
        try:
            self._store.update(text)
        except OSError as error:
            raise StoreError(
                f"the graph in {self.folder} cannot be written: {error}", "make room on its disk"
            ) from error


@cache
def _shapes_digest() -> bytes:
    return hashlib.sha256(files("jaragua.semantics.graph").joinpath("shapes.ttl").read_bytes()).digest()


def _key(payload: bytes) -> str:
    """S4.3: of the bytes and of the shapes that accepted them."""
    return hashlib.sha256(_shapes_digest() + payload).hexdigest()


def _prefixes() -> dict[str, str]:
    from jaragua.semantics.vocabulary import PREFIXES

    return dict(PREFIXES)


def _source_iri(source: str) -> str:
    return "urn:jaragua:source:" + source.encode().hex()


def _source_text(name: str) -> str:
    return bytes.fromhex(name.rpartition(":")[2]).decode(errors="replace")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _unopened(folder: Path, error: Exception) -> StoreError:
    message = f"the graph in {folder} cannot be opened: {_first_line(error)}"
    if "lock" in str(error).lower():
        hint = "another process writes to it: end `jaragua fleet serve` there, or name another folder"
        return GraphTakenError(message, hint)
    return StoreError(message, "name the folder of a graph with --graph; `jaragua fleet serve` makes one")
