"""S4.3, S4.4: each kind of broken description is refused with a sentence of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from jaragua.semantics.graph.validation import problems
from jaragua.semantics.things.thing_triples import (
    MOST_BYTES,
    BrokenDescriptionError,
    read_description,
    thing_iri,
    thing_triples,
)
from semantics.thing_documents import board_document, identity

Change = Callable[[dict[str, Any]], Any]


def put(term: str, value: object) -> Change:
    return lambda document: document.__setitem__(term, value)


def drop(term: str) -> Change:
    return lambda document: document.pop(term)


def form(key: str, value: object) -> Change:
    return lambda document: document["properties"]["state"]["forms"][0].__setitem__(key, value)


BROKEN: dict[str, tuple[Change, str]] = {
    "no type": (drop("@type"), 'a description has "@type": "Thing"'),
    "no title": (drop("title"), "a description has one title, a text of 1 to 256 characters"),
    "a title that is a number": (put("title", 7), "a description has one title, a text of 1 to 256 characters"),
    "no security": (drop("security"), "security names a definition with the scheme"),
    "undefined security": (put("security", ["other_sc"]), "security names a definition with the scheme"),
    "unknown scheme": (put("securityDefinitions", {"nosec_sc": {"scheme": "psk"}}), "security names a definition"),
    "no kind": (drop("jrg:kind"), "jrg:kind is board, pi or gateway"),
    "unknown kind": (put("jrg:kind", "toaster"), "jrg:kind is board, pi or gateway"),
    "no board": (drop("jrg:board"), "a board has jrg:board, the name of its type"),
    "an architecture that is none": (put("jrg:architecture", "xyz"), "jrg:architecture is 16 hexadecimal digits"),
    "an odd uid": (put("jrg:uid", "123"), "jrg:uid is 4 to 16 bytes in hexadecimal digits"),
    "RAM as a text": (put("jrg:ramBytes", "lots"), "jrg:ramBytes (RAM) is one whole number from 0 on; it is 'lots'"),
    "negative RAM": (put("jrg:freeRamBytes", -1), "jrg:freeRamBytes (free RAM) is one whole number from 0 on"),
    "two sizes of RAM": (put("jrg:ramBytes", [1, 2]), "jrg:ramBytes (RAM) is one whole number from 0 on"),
    "more RAM in use than there is": (put("jrg:ramBytes", 9), "more RAM is in use"),
    "more RAM free than there is": (put("jrg:freeRamBytes", 300000), "more RAM is free"),
    "a clock of 0": (put("jrg:clockHz", 0), "jrg:clockHz (the clock in Hz) is one whole number from 1 on"),
    "a real clock": (put("jrg:clockHz", 6.4e7), "jrg:clockHz (the clock in Hz) is one whole number from 1 on"),
    "no sensor of that name": (put("jrg:sensors", ["nose"]), "jrg:sensors has a name that is no sensor; it is 'nose'"),
    "no operator of that name": (put("jrg:imageOperators", ["fft"]), "jrg:imageOperators has a name that is no"),
    "reflash as a text": (put("jrg:reflash", "yes"), "jrg:reflash is true or false"),
    "a fleet that is no name": (put("jrg:fleet", "My Home!"), "jrg:fleet is 1 to 32 of a-z, 0-9 and -"),
    "no properties": (drop("properties"), "a description has at least one property, the state"),
    "a property without forms": (
        lambda document: document["properties"]["state"].pop("forms"),
        "a property, action or event has a list of forms",
    ),
    "a form over HTTP": (form("href", "http://host/x"), "the href of a form is mqtt://HOST/TOPIC"),
    "a form of another content": (form("contentType", "text/html"), "the contentType of a form is application/cbor"),
    "a form with another operation": (form("op", ["eat"]), "the op of a form is an operation of MQTT"),
    "actions that are a list": (put("actions", [1]), "actions is no JSON object"),
    "a place as long as a page": (put("jrg:place", "x" * 999), "jrg:place is one text of 1 to 64 characters"),
}


@pytest.mark.parametrize(("change", "sentence"), BROKEN.values(), ids=BROKEN)
def test_s4_3_a_broken_description_is_refused_with_its_sentence(change: Change, sentence: str) -> None:
    document = board_document(identity())
    assert problems(thing_triples(document)) == []
    change(document)
    found = problems(thing_triples(document))
    assert any(one.startswith(sentence) for one in found), found


def test_s4_3_each_kind_has_a_sentence_and_there_are_twenty() -> None:
    assert len(BROKEN) >= 20
    assert len({sentence for _, sentence in BROKEN.values()}) >= 20


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "no JSON object"),
        (b"{" + b" " * MOST_BYTES + b"}", "at most 262,144 bytes"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested more than 16 deep"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_s4_4_bytes_that_are_no_description_are_refused_before_anything_is_built(payload: bytes, sentence: str) -> None:
    with pytest.raises(BrokenDescriptionError, match=sentence):
        read_description(payload)


def test_s4_4_a_description_without_an_id_is_refused() -> None:
    for value in (None, 7, "board"):
        with pytest.raises(BrokenDescriptionError, match="has no id"):
            thing_iri({"id": value})


def test_an_id_from_outside_cannot_leave_its_iri() -> None:
    document = board_document(identity()) | {"id": "urn:x> <urn:y"}
    assert thing_iri(document).value == "urn:x%3E%20%3Curn:y"
    assert read_description(json.dumps(document).encode())["id"] == "urn:x> <urn:y"
