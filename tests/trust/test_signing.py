"""M19, G10, G11: what is signed, and in which order messages are taken."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jaragua.errors import ConfigurationError, StoreError
from jaragua.node.outbox import Outbox
from jaragua.trust import signing_key
from jaragua.trust.signing import ReplayError, SignatureError, Signer, Stamp, Verifier, signature_of, signed_bytes
from jaragua.wire.codegen.key import key_in

SECRET = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SECRET).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
RUN, COMMAND = "jaragua/1/home/run", "jaragua/1/home/node/pi-1/cmd/train"
BLOB = f"jaragua/1/home/blob/{'ab' * 32}"


def verifier(generation: int = 0, counter: int = 0) -> Verifier:
    return Verifier(PUBLIC, Stamp(generation, counter))


def signed(signer: Signer, topic: str, payload: bytes = b"x") -> dict[str, str]:
    return dict(signer.properties(topic, payload))


def test_m19_the_bytes_that_are_signed() -> None:
    expected = b"jaragua signed message 1\0" + bytes(7) + b"\x05" + bytes(7) + b"\x06" + b"\0\3" + b"a/b"
    assert signed_bytes("a/b", b"payload", Stamp(5, 6)) == expected + hashlib.sha256(b"payload").digest()


def test_g23_what_was_signed_as_the_last_flash_command_is_not_taken_again(tmp_path: Path) -> None:
    """Nor what was signed before it; another process of the coordinator, of a lower generation, is not touched."""
    flash = "jaragua/1/home/node/gw/cmd/flash"
    run_of_coordinator, flasher = Signer(SECRET, 5), Signer(SECRET, 6)
    old, newest = signed(flasher, flash), signed(flasher, flash)
    first = verifier()
    first.check(flash, b"x", newest)
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    assert outbox.flashed == (0, 0)
    outbox.note_flashed(first.newest(flash).generation, first.newest(flash).counter)
    outbox.close()
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    generation, counter = outbox.flashed
    outbox.close()
    second = Verifier(PUBLIC, Stamp(0, 0), {flash: Stamp(generation, counter + 1)})
    for earlier in (old, newest):
        with pytest.raises(ReplayError):
            second.check(flash, b"x", earlier)
    second.check(flash, b"x", signed(flasher, flash))
    second.check(COMMAND, b"x", signed(run_of_coordinator, COMMAND))


def test_m19_another_implementation_can_verify_it() -> None:
    found = signed(Signer(SECRET, 5), RUN)
    assert found["jaragua-stamp"] == "5.1"
    key = Ed25519PrivateKey.from_private_bytes(SECRET).public_key()
    key.verify(base64.b64decode(found["jaragua-signature"]), signed_bytes(RUN, b"x", Stamp(5, 1)))


@pytest.mark.parametrize("topic", [RUN, COMMAND, BLOB])
def test_g10_topic_payload_and_numbers_are_all_signed(topic: str) -> None:
    good = signed(Signer(SECRET, 5), topic)
    verifier().check(topic, b"x", good)
    other = BLOB if topic == RUN else RUN
    bad = [
        (topic, b"y", good),
        (other, b"x", good),
        (topic, b"x", good | {"jaragua-stamp": "5.2"}),
        (topic, b"x", good | {"jaragua-stamp": "6.1"}),
        (topic, b"x", good | {"jaragua-signature": base64.b64encode(bytes(64)).decode()}),
        (topic, b"x", {}),
        (topic, b"x", good | {"jaragua-stamp": f"{2**64}.1"}),
        (topic, b"x", good | {"jaragua-stamp": "-1.1"}),
        (topic, b"x", good | {"jaragua-signature": "AAAA"}),
        (topic, b"x", dict(Signer(bytes(32), 5).properties(topic, b"x"))),
    ]
    for where, payload, properties in bad:
        with pytest.raises(SignatureError):
            verifier().check(where, payload, properties)


def test_g10_what_nodes_write_is_not_signed() -> None:
    verifier().check("jaragua/1/home/node/pi-1/$state", b"x", {})
    verifier().check("somebody/else", b"x", {})


@pytest.mark.parametrize("topic", [RUN, COMMAND])
def test_g11_an_older_message_of_a_topic_is_refused_and_the_same_is_not(topic: str) -> None:
    signer, node = Signer(SECRET, 5), verifier()
    first, second = signed(signer, topic), signed(signer, topic)
    node.check(topic, b"x", second)
    node.check(topic, b"x", second)
    with pytest.raises(ReplayError):
        node.check(topic, b"x", first)


def test_g11_an_announcement_ends_earlier_commands_and_earlier_generations_of_blobs() -> None:
    old, new, node = Signer(SECRET, 5), Signer(SECRET, 6), verifier()
    command, blob = signed(old, COMMAND), signed(old, BLOB)
    node.check(BLOB, b"x", blob)
    node.check(RUN, b"x", signed(new, RUN))
    for topic, properties in ((COMMAND, command), (BLOB, blob)):
        with pytest.raises(ReplayError):
            node.check(topic, b"x", properties)
    node.check(BLOB, b"x", signed(new, BLOB))


def test_g11_a_node_that_starts_again_remembers_the_newest_announcement(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    assert outbox.seen == (0, 0)
    outbox.note_seen(7, 3)  # a new generation is written at once
    outbox._release()
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    assert outbox.seen == (7, 3)
    outbox.note_seen(7, 9)  # a counter with the next update, or at the end
    outbox.close()
    outbox = Outbox(tmp_path / "outbox.sqlite3")
    assert outbox.seen == (7, 9)
    outbox.close()
    node = verifier(*(7, 9))
    signer = Signer(SECRET, 7)
    for _ in range(8):
        early = signed(signer, RUN)
    with pytest.raises(ReplayError):
        node.check(RUN, b"x", early)


def test_g11_a_generation_rises_although_the_clock_does_not(tmp_path: Path) -> None:
    signing_key.make(tmp_path / "key", tmp_path / "public")
    stamps = [
        dict(signing_key.open_signer(tmp_path / "key", ms).properties(RUN, b""))["jaragua-stamp"]
        for ms in (9, 5, 5, 20)
    ]
    assert stamps == ["9.1", "10.1", "11.1", "20.1"]
    (tmp_path / "key.generation").write_text("nonsense", encoding="utf-8")
    with pytest.raises(StoreError, match="does not hold a generation"):
        signing_key.open_signer(tmp_path / "key", 1)


def test_a_key_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("nonsense", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="does not hold an Ed25519 key"):
        signing_key.open_signer(tmp_path / "key", 1)
    with pytest.raises(ConfigurationError, match="does not hold an Ed25519 key"):
        signing_key.public_key(tmp_path / "key")


def test_g33_1_what_a_board_is_told_of_a_signed_blob() -> None:
    found = signature_of(BLOB, signed(Signer(SECRET, 5), BLOB))
    assert found is not None
    assert (found.root + found.sha256.hex(), found.generation, found.counter) == (BLOB, 5, 1)
    key = Ed25519PrivateKey.from_private_bytes(SECRET).public_key()
    key.verify(found.signature, signed_bytes(BLOB, b"x", Stamp(5, 1)))
    assert signature_of(BLOB, {}) is None


def test_g32_1_the_key_of_an_image_is_read_from_the_file_of_broker_init(tmp_path: Path) -> None:
    signing_key.make(tmp_path / "private.pem", tmp_path / "public.pem")
    assert key_in(tmp_path / "public.pem") == signing_key.public_key(tmp_path / "public.pem")
    for wrong in ("private.pem", "empty.pem"):
        (tmp_path / "empty.pem").write_text("-----BEGIN PUBLIC KEY-----\n%%%\n-----END PUBLIC KEY-----\n")
        with pytest.raises(ValueError, match="does not hold a public key"):
            key_in(tmp_path / wrong)
