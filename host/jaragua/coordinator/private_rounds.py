"""The rounds of a run as private sums (docs/design/private-updates.md): what is kept, asked, and made of answers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from jaragua.errors import RunError
from jaragua.privacy import accountant
from jaragua.privacy.errors import SecureError
from jaragua.privacy.exchange import Action, Complete, Kept
from jaragua.privacy.groups import GroupedExchange, groups_of
from jaragua.privacy.lists import Roster
from jaragua.privacy.numbers import StartNumbers, Summed
from jaragua.privacy.options import counts_samples
from jaragua.privacy.participant import Stage
from jaragua.privacy.rounds import MOST_OF_CLIENTS, RoundRule, round_rule, with_noise
from jaragua.privacy.secrets import Key, PublicKeys
from jaragua.privacy.streams import KEY_BYTES
from jaragua.settings import RunConfig
from jaragua.store import Store, StoredUpdate
from jaragua.strategies import ClientUpdate, Strategy, Vector
from jaragua.trust import needed
from jaragua.wire.messages import UpdateHeader
from jaragua_compiler.errors import CompileError
from jaragua_compiler.planning.plan import Plan

#: `encoding` of an update that is a part of a secure sum, and of what follows it (M32).
KEYS: Final = "keys"
STAGES: Final = frozenset(Stage)
_ROSTER, _NOISE = "roster", "noise"
_DROPPED: Final = "it dropped out of the secure sum (U5.3)"
_TOO_MANY: Final = "the sum has no room for so many devices (U1.2)"


class PrivateRounds:
    """Of one run. With secure aggregation: `begin`, then what the exchange asks for, until `complete` was called."""

    def __init__(self, config: RunConfig, run: str, store: Store, plan: Plan, strategy: Strategy) -> None:
        """Raises: ToolError if a package is missing."""
        self._privacy, self._run, self._store, self._plan = config.privacy, run, store, plan
        self._by_samples = bool(counts_samples(strategy, config.strategy.combine))
        self._clients, self._quorum = config.strategy.clients_per_round, config.round.quorum
        self._deadline_ms = int(config.round.deadline_s * 1000)
        self._starts: dict[bytes, StartNumbers] = {}
        self._sum: Complete | None = None
        self._parts: dict[str, tuple[str, int]] = {}
        """Node and attempt of each device of the sum."""
        self.exchange: GroupedExchange | None = None
        """Of the round that closes."""
        if self._privacy.secure_aggregation or self._privacy.noise_multiplier:
            needed.check()
        if self._privacy.noise_multiplier:
            accountant.check()

    @property
    def are_sums(self) -> bool:
        """Whether rounds are sums of integers (U1.1)."""
        return self._privacy.sums

    @property
    def are_masked(self) -> bool:
        """Whether the coordinator is to see no update."""
        return self._privacy.secure_aggregation

    # ---- a round ----

    def wanted(self, start: bytes) -> dict[str, Any]:
        """The fields of a train command that ask for a part of a masked sum (M32)."""
        if not self.are_masked:
            return {}
        rule = self._rule(start).summed
        how = "samples" if rule.by_samples and not rule.is_clipped else "devices"
        return {"sum": how, "grid": rule.grid, "clip": rule.clip, "noise": rule.noise or None}

    def fault(self, header: UpdateHeader, update: bytes, start: bytes) -> str:
        """Why an update cannot be a part of a sum, "" if it can."""
        wanted = KEYS if self.are_masked else "blob"
        if header.encoding != wanted:
            return f"this run takes updates of the encoding {wanted}"
        try:
            if self.are_masked:
                PublicKeys.read(update)
            else:
                self._start(start).moved(update)
        except (SecureError, CompileError) as error:
            return error.message
        return ""

    def is_closing(self, round_number: int) -> bool:
        """Whether the sum of a round has begun (U7.2)."""
        return self.are_masked and any(one.stage == _ROSTER for one in self._store.kept_of_sum(self._run, round_number))

    def begin(self, round_number: int, updates: Sequence[StoredUpdate], start: bytes, now_ms: int) -> list[Action]:
        """Ask for what is missing of a sum. Raises: RunError if a round has too few devices."""
        kept = self._store.kept_of_sum(self._run, round_number)
        keys = {one.device: PublicKeys.read(one.blob) for one in self._taken(updates)}
        try:
            groups = groups_of(sorted(keys), self._privacy.group)
            rosters = [Roster({device: keys[device] for device in group}) for group in groups]
        except SecureError as error:
            raise RunError(f"round {round_number}: {error.message}", "raise round.quorum, or let more join") from error
        if not kept:
            digest = hashlib.sha256(b"".join(one.sha256 for one in rosters)).digest()
            self._store.keep_of_sum(self._run, round_number, [Kept(_ROSTER, "", digest)])
        answers = [one for one in kept if one.stage != _ROSTER]
        self._sum = None
        self._parts = {one.device: (self._node_of(one), one.attempt) for one in self._taken(updates)}
        key, layout = Key(self._run, round_number, "", 0), self._summed(start).layout
        self.exchange = GroupedExchange(key, rosters, layout, self._deadline_ms, answers)
        return self.exchange.start(now_ms)

    def complete(self, found: Complete) -> None:
        """The sum of the round that closes is known."""
        self.exchange, self._sum = None, found

    @property
    def has_sum(self) -> bool:
        """Whether the round that closes can be closed."""
        return self._sum is not None

    def dropped(self, updates: Sequence[StoredUpdate]) -> dict[str, str]:
        """Devices of a round that are not in its sum, and why."""
        taken = {one.device for one in self._taken(updates)}
        found = {one.device: _TOO_MANY for one in updates if one.device not in taken}
        if self._sum is not None:
            found |= dict.fromkeys(sorted(taken.difference(self._sum.survivors)), _DROPPED)
        return found

    def spread(self, excluded: Mapping[str, str], updates: Sequence[StoredUpdate]) -> dict[str, str]:
        """Why the devices of a round are not in its model: those that are not in the sum, or all with the sum."""
        if not self.are_sums:
            return dict(excluded)
        whole = {one.device: reason for reason in excluded.values() for one in updates}
        return whole | self.dropped(updates)

    def combined(
        self, round_number: int, updates: Sequence[StoredUpdate], start: bytes, vector: Vector
    ) -> list[ClientUpdate]:
        """The one update that stands for all (U1.3)."""
        summed, rule, dropped = self._summed(start), self._rule(start), self.dropped(updates)
        counted = [one for one in updates if one.device not in dropped]
        samples = sum(one.samples for one in counted)
        if self._sum is not None:
            total = self._sum.total
        else:
            moved = (summed.contribution(self._start(start).moved(one.blob), one.samples) for one in counted)
            total = sum(moved, start=0 * self._start(start).exponents)
        total = with_noise(total, rule.noise, self._noise_key() if rule.noise else b"", round_number)
        learned = summed.mean(total, len(counted), samples)
        return [ClientUpdate("all", vector + learned, samples)]

    def spent(self) -> dict[str, Any]:
        """U11.3: what the rounds up to the one that closes have told of one device; {} without noise."""
        if not self._privacy.noise_multiplier:
            return {}
        rounds = max(self._store.totals(self._run).updates.values(), default=0)
        found = accountant.spent(self._privacy.noise_multiplier, rounds, self._privacy.delta)
        return {"privacy": accountant.as_json(found)}

    def closed(self, round_number: int, *, finished: bool) -> None:
        """U7.2, U10.2: what earlier rounds kept is not needed; with the last one the key of the noise goes."""
        self._sum = None
        if self.are_sums:
            self._store.forget_sums(self._run, [round_number - 1, *([0] if finished else [])])

    def _taken(self, updates: Sequence[StoredUpdate]) -> Sequence[StoredUpdate]:
        """U1.2; in the order of names."""
        return updates[: MOST_OF_CLIENTS * self._clients]

    # ---- answers ----

    def takes(self, header: UpdateHeader) -> bool:
        """Whether it is an answer of a secure sum."""
        return self.are_masked and header.encoding in STAGES

    @property
    def awaited(self) -> set[tuple[str, str, int]] | None:
        """Node, device and round of every answer that is missing; None if no sum is being made."""
        if self.exchange is None:
            return None
        return {(self._parts[device][0], device, self.exchange.round) for device in self.exchange.missing}

    def part_of(self, device: str) -> tuple[str, int]:
        """Node and attempt of a device of the sum."""
        return self._parts[device]

    def connected(self, device: str) -> list[Action]:
        """U7.3: a device connected anew."""
        return [] if self.exchange is None else self.exchange.connected(device)

    def answer(self, node: str, header: UpdateHeader, content: bytes, now_ms: int) -> list[Action]:
        """Raises: SecureError for what nobody asked for (U6.5)."""
        exchange = self.exchange
        if exchange is None or header.round < exchange.round:
            return []  # the sum is made: what comes late is a repetition
        if self._parts.get(header.device) != (node, header.attempt) or header.round != exchange.round:
            raise SecureError(f"{header.device} has no such part of round {header.round}")
        if len(content) != header.bytes or hashlib.sha256(content).digest() != header.sha256:
            raise SecureError("an answer is not that of its header")
        return exchange.answer(header.device, header.encoding, content, now_ms)

    # ---- inside ----

    def _node_of(self, one: StoredUpdate) -> str:
        return self._store.node_of(self._run, one.round_number, one.device, one.attempt) or ""

    def _start(self, start: bytes) -> StartNumbers:
        """The last one is remembered."""
        if start not in self._starts:
            self._starts = {start: StartNumbers(self._plan, start)}
        return self._starts[start]

    def _rule(self, start: bytes) -> RoundRule:
        exponents = self._start(start).exponents
        return round_rule(
            self._privacy, exponents, by_samples=self._by_samples, clients=self._clients, quorum=self._quorum
        )

    def _summed(self, start: bytes) -> Summed:
        return Summed(self._start(start), self._rule(start).summed)

    def _noise_key(self) -> bytes:
        """Of the run; made with its first round."""
        kept: Iterable[Kept] = self._store.kept_of_sum(self._run, 0)
        found = next((one.content for one in kept if one.stage == _NOISE), b"")
        if not found:
            found = secrets.token_bytes(KEY_BYTES)
            self._store.keep_of_sum(self._run, 0, [Kept(_NOISE, "", found)])
        return found
