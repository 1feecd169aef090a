"""L1.1: COBS."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaragua.errors import ProtocolError
from jaragua.wire.link import cobs

# From the paper of Cheshire and Baker, and the edges of its 254-byte runs.
VECTORS = [
    ("", "01"),
    ("00", "0101"),
    ("0000", "010101"),
    ("11220033", "0311220233"),
    ("11223344", "0511223344"),
    ("11000000", "0211010101"),
    ("01" * 254, "ff" + "01" * 254),
    ("01" * 255, "ff" + "01" * 254 + "0201"),
    ("00" + "01" * 254, "01ff" + "01" * 254),
    ("01" * 254 + "00", "ff" + "01" * 254 + "0101"),
]


@pytest.mark.parametrize(("plain", "encoded"), VECTORS)
def test_l1_1_known_vectors(plain: str, encoded: str) -> None:
    assert cobs.encode(bytes.fromhex(plain)).hex() == encoded
    assert cobs.decode(bytes.fromhex(encoded)).hex() == plain


@given(st.binary(max_size=600))
def test_l1_1_encoded_has_no_zero_and_comes_back(data: bytes) -> None:
    encoded = cobs.encode(data)
    assert 0 not in encoded
    assert cobs.decode(encoded) == data


@given(st.binary(max_size=300))
def test_l1_3_any_bytes_decode_or_are_refused_by_name(data: bytes) -> None:
    with suppress(ProtocolError):
        cobs.decode(data)


@pytest.mark.parametrize("broken", ["00", "05112233", "0311", "031100"])
def test_l1_3_a_run_that_ends_outside_is_refused(broken: str) -> None:
    with pytest.raises(ProtocolError):
        cobs.decode(bytes.fromhex(broken))
