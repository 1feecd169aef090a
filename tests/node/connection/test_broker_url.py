"""What a person types after --broker."""

from __future__ import annotations

import pytest

from jaragua.errors import BrokerError
from jaragua.node.connection.url import BrokerUrl, parse_broker_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqtt://host", BrokerUrl("host", 1883)),
        ("mqtts://host", BrokerUrl("host", 8883, tls=True)),
        ("mqtt://127.0.0.1:4000/", BrokerUrl("127.0.0.1", 4000)),
        ("mqtt://[::1]:4000", BrokerUrl("::1", 4000)),
        ("mqtt://ana:p%40ss@host:1", BrokerUrl("host", 1, username="ana", password="p@ss")),
        ("mqtt://ana@host", BrokerUrl("host", 1883, username="ana")),
    ],
)
def test_url_is_read(text: str, expected: BrokerUrl) -> None:
    assert parse_broker_url(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:1883", "http://host", "mqtt://", "mqtt://host:port", "mqtt://host:0", "mqtt://host:99999"],
)
def test_bad_url_gets_one_sentence_with_the_right_form(text: str) -> None:
    with pytest.raises(BrokerError) as caught:
        parse_broker_url(text)
    assert "mqtt://" in caught.value.hint


@pytest.mark.parametrize("text", ["mqtt://host/path", "mqtt://host?x=1", "mqtt://[::1"])
def test_url_with_more_than_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(BrokerError, match="URL"):
        parse_broker_url(text)


def test_password_never_shows() -> None:
    url = parse_broker_url("mqtt://ana:secret@[::1]:4000")
    assert "secret" not in repr(url)
    assert url.public == "mqtt://[::1]:4000"
