"""What rounds that wait for their own devices and rounds of a buffer share."""

from __future__ import annotations

from jaragua.simulation.settings import Simulation
from jaragua.simulation.transport.channel import Channel
from jaragua.strategies import Strategy
from jaragua.strategies.guarded import ExclusionCounter


class PlayedRounds:
    """Of one simulation: its strategy, what carries weights, and a count of the updates that were left out."""

    def __init__(self, simulation: Simulation, strategy: Strategy, channel: Channel) -> None:
        self._simulation = simulation
        self._strategy = strategy
        self._channel = channel
        self._exclusions = ExclusionCounter()
