"""A broker for the tests of this room, and configurations that point to it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jaragua.config import RunConfig, parse
from jaragua_broker import Broker

sys.path.insert(0, str(Path(__file__).parent))

_FLEETS = itertools.count()

CONFIGURATION = """
[run]
name = "test"
seed = 7
rounds = {rounds}
fleet = "{fleet}"
directory = "{directory}"
[model]
name = "sine"
[strategy]
name = "{strategy}"
clients_per_round = {clients}
{robust}
[client]
shots = 4
{client}
[broker]
url = "{url}"
[round]
quorum = {quorum}
deadline_s = {deadline_s}
{buffered}
[devices]
minimum = {minimum}
wait_s = {wait_s}
exclude = {exclude}
[privacy]
{privacy}
"""

MakeText = Callable[..., str]


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def fleet() -> str:
    """Every test has a fleet of its own, so that one broker serves them all."""
    return f"fleet-{next(_FLEETS)}"


@pytest.fixture
def config_text(broker: Broker, fleet: str, tmp_path: Path) -> MakeText:
    def make(**changes: object) -> str:
        values: dict[str, object] = {
            "rounds": 3,
            "fleet": fleet,
            "directory": tmp_path / "run",
            "clients": 3,
            "url": broker.url,
            "quorum": 3,
            "deadline_s": 30,
            "minimum": 4,
            "wait_s": 30,
            "exclude": "[]",
            "strategy": "tinyreptile",
            "robust": "",
            "buffered": "",
            "client": "",
            "privacy": "",
        }
        return CONFIGURATION.format(**(values | changes))

    return make


@pytest.fixture
def make_config(config_text: MakeText, tmp_path: Path) -> Callable[..., RunConfig]:
    def make(**changes: object) -> RunConfig:
        return parse(config_text(**changes), tmp_path / "test.toml")

    return make
