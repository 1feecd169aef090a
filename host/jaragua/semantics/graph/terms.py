"""Our triples in the words of SPARQL updates, and terms of pyoxigraph as Python values."""

from __future__ import annotations

import json
from typing import Any

from jaragua.semantics.triples import Iri, Term, Triple
from jaragua.semantics.vocabulary import XSD

_NUMBERS = {XSD + "integer": int, XSD + "double": float, XSD + "decimal": float}


def n_triple(triple: Triple) -> str:
    """One line of N-Triples."""
    return " ".join(map(word, triple)) + " ."


def word(term: Term) -> str:
    """A term as N-Triples writes it."""
    if isinstance(term, Iri):
        return f"<{term.value}>"
    quoted = json.dumps(term.value, ensure_ascii=True)
    return f"{quoted}^^<{term.type}>" if term.type else quoted


def value_of(term: Any) -> Any:
    """A term of pyoxigraph: an IRI or a text as str, a number or boolean as such, nothing as None."""
    if term is None:
        return None
    kind = getattr(getattr(term, "datatype", None), "value", "")
    if kind == XSD + "boolean":
        return term.value in ("true", "1")
    try:
        return _NUMBERS.get(kind, str)(term.value)
    except ValueError:
        return term.value
