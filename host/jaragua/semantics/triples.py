"""RDF as plain Python, and its Turtle: a description can be written where no RDF library is installed (S1.4)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from jaragua.semantics.vocabulary import PREFIXES, RDF, XSD, expand

_LOCAL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSAFE: Final = re.compile(r"[\x00-\x20<>\"{}|^`\\]")


@dataclass(frozen=True, order=True)
class Iri:
    """A name."""

    value: str


@dataclass(frozen=True, order=True)
class Text:
    """A literal: its text, and the IRI of its type ("" is a string)."""

    value: str
    type: str = ""


Term: TypeAlias = Iri | Text
Triple: TypeAlias = tuple[Iri, Iri, Term]
TYPE: Final = Iri(RDF + "type")


def iri(name: str) -> Iri:
    """The IRI of `prefix:local`, or of a whole IRI in <>."""
    return Iri(name[1:-1]) if name.startswith("<") else Iri(expand(name))


def safe_iri(text: str) -> Iri:
    """The IRI of what came from outside: characters that no IRI may have are escaped."""
    return Iri(_UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text))


def literal(value: object) -> Text:
    """A string, boolean, whole number or real number as a literal; anything else as its JSON text."""
    if isinstance(value, bool):
        return Text("true" if value else "false", XSD + "boolean")
    if isinstance(value, int):
        return Text(str(value), XSD + "integer")
    if isinstance(value, float):
        return Text(repr(value), XSD + "double")
    return Text(value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def turtle(triples: Iterable[Triple]) -> str:
    """The triples as Turtle, sorted: the same triples give the same text."""
    found = sorted(set(triples))
    used = {name for name, base in PREFIXES.items() if any(base in term.value for one in found for term in _iris(one))}
    lines = [f"@prefix {name}: <{PREFIXES[name]}> ." for name in sorted(used)]
    subjects: dict[Iri, list[Triple]] = {}
    for one in found:
        subjects.setdefault(one[0], []).append(one)
    for subject, about in subjects.items():
        body = " ;\n  ".join(f"{_word(predicate)} {_word(value)}" for _, predicate, value in about)
        lines += ["", f"{_word(subject)} {body} ."]
    return "\n".join(lines) + "\n"


def digest(triples: Iterable[Triple]) -> str:
    """SHA-256 of the Turtle, hexadecimal: the same for the same triples."""
    return hashlib.sha256(turtle(triples).encode()).hexdigest()


def _iris(triple: Triple) -> Sequence[Term]:
    subject, predicate, value = triple
    return (subject, predicate, value if isinstance(value, Iri) else Iri(value.type))


def _word(term: Term) -> str:
    if isinstance(term, Text):
        quoted = json.dumps(term.value, ensure_ascii=True)
        return quoted if not term.type else f"{quoted}^^{_word(Iri(term.type))}"
    if term == TYPE:
        return "a"
    for name, base in PREFIXES.items():
        local = term.value[len(base) :]
        if term.value.startswith(base) and _LOCAL.fullmatch(local):
            return f"{name}:{local}"
    return f"<{term.value}>"
