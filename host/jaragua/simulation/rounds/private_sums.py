"""Rounds of a simulation as private sums (docs/design/private-updates.md): masks change no bit, so there are none."""

from __future__ import annotations

from collections.abc import Sequence

from jaragua.coordinator.rounds import rules
from jaragua.errors import ConfigurationError
from jaragua.privacy import accountant
from jaragua.privacy.accountant import Spent, most_rounds, spent
from jaragua.privacy.noise import discrete_gaussian
from jaragua.privacy.numbers import StartNumbers, Summed
from jaragua.privacy.options import Round, counts_samples, obstacles
from jaragua.privacy.rounds import round_rule, simulated_key, with_noise
from jaragua.privacy.streams import Stream, derived
from jaragua.privacy.words import Integers
from jaragua.simulation.settings import Simulation
from jaragua.strategies import ClientUpdate, Strategy, Vector
from jaragua.strategies.registry import work_of
from jaragua_compiler.planning.plan import Plan


class PrivateSums:
    """Of one simulation."""

    def __init__(self, simulation: Simulation, plan: Plan, strategy: Strategy) -> None:
        self._simulation, self._plan = simulation, plan
        self._by_samples = bool(counts_samples(strategy, simulation.combine))
        self._key = simulated_key(simulation.seed)

    def combined(
        self, round_number: int, vector: Vector, start: bytes, learned: Vector, samples: Sequence[int]
    ) -> ClientUpdate:
        """The one update of a round (U1.3). learned: float64 [devices, parameters], in the order of names."""
        simulation, numbers = self._simulation, StartNumbers(self._plan, start)
        clients = simulation.clients
        rule = round_rule(
            simulation.privacy, numbers.exponents, by_samples=self._by_samples, clients=clients, quorum=clients
        )
        summed = Summed(numbers, rule.summed)
        rows = zip(numbers.moved_rows(learned), samples, strict=True)
        total = sum((summed.contribution(row, count) for row, count in rows), start=0 * numbers.exponents)
        total = with_noise(
            total + self._of_devices(round_number, rule.summed.noise, learned), rule.noise, self._key, round_number
        )
        mean = summed.mean(total, len(samples), sum(samples))
        return ClientUpdate("all", vector + mean, sum(samples))

    def _of_devices(self, round_number: int, variance: int, learned: Vector) -> Integers:
        """U10.3: what the devices add, each from a stream of its own."""
        count, parameters = learned.shape
        streams = (Stream(derived(self._key, "noise of a device", round_number, place)) for place in range(count))
        noise = [discrete_gaussian(stream, variance, parameters) for stream in streams if variance]
        return sum(noise, start=discrete_gaussian(Stream(self._key), 0, parameters))


def spent_by(simulation: Simulation, rounds_done: int) -> Spent | None:
    """What a simulation has told of one device (U11); None without noise. Raises: ToolError."""
    privacy = simulation.privacy
    if not privacy.noise_multiplier:
        return None
    chosen = (
        rules.choose(simulation.seed, number, simulation.devices, simulation.clients)
        for number in range(1, rounds_done + 1)
    )
    return spent(privacy.noise_multiplier, most_rounds(chosen), privacy.delta)


def check(simulation: Simulation, strategy: Strategy) -> None:
    """Raises: ConfigurationError if rounds cannot be private sums (U8); ToolError if a package is missing."""
    settings = Round(
        combine=simulation.combine,
        norm_clip_factor=simulation.norm_clip_factor,
        buffer=simulation.buffered.buffer if simulation.buffered else 0,
        clients=simulation.clients,
        quorum=simulation.clients,
        samples=simulation.ways * simulation.shots * work_of(strategy, 1).passes,
    )
    for one in obstacles(simulation.privacy, strategy, settings):
        raise ConfigurationError(f"{'.'.join(one.place)}: {one.message}", one.remedy)
    if simulation.privacy.sums and (simulation.engine == "float32" or simulation.float_fraction):
        raise ConfigurationError("[privacy]: devices in float32 have no integers to add up", "the engine w16 or w8")
    if simulation.privacy.noise_multiplier:
        accountant.check()
