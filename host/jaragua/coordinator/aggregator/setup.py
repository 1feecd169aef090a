"""What an aggregator is told when it is started."""

from __future__ import annotations

from jaragua.bases.value import Value
from jaragua.node.connection.url import BrokerUrl
from jaragua.strategies import ClientWork


class Setup(Value):
    """Of one run. It goes through a pipe, so that no password is on a command line (G7)."""

    url: BrokerUrl
    fleet: str
    run: str
    model: str
    work: ClientWork
