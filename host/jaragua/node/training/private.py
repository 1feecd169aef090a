"""An update as a part of a secure sum: kept by the node, and keys sent in its place (M32, U2)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

from jaragua.node.private_table import PrivateUpdate
from jaragua.privacy.numbers import StartNumbers, Summed, SumRule
from jaragua.privacy.participant import Contribution, Participant
from jaragua.privacy.secrets import Key
from jaragua.privacy.streams import KEY_BYTES
from jaragua.trust import needed
from jaragua.wire.messages import TrainCommand, UpdateHeader
from jaragua_compiler.planning.plan import Plan


def rule_of(command: TrainCommand) -> SumRule:
    """How a command says that updates add up."""
    return SumRule(command.sum == "samples", command.grid, command.clip, command.noise or 0)


def private_of(
    plan: Plan, command: TrainCommand, header: UpdateHeader, start: bytes, update: bytes
) -> tuple[PrivateUpdate, bytes]:
    """What the node keeps of an update, and what is sent in its place: the keys. header: of the update in clear.

    Raises: CompileError; ToolError without the package cryptography.
    """
    needed.check()
    rule, numbers = rule_of(command), StartNumbers(plan, start)
    summed = Summed(numbers, rule)
    moved = summed.contribution(numbers.moved(update), header.samples)
    secret = secrets.token_bytes(KEY_BYTES)
    key = Key(header.run, header.round, header.device, header.attempt)
    keys = Participant(key, secret).announcement()
    sent = replace(header, encoding="keys", bytes=len(keys), sha256=hashlib.sha256(keys).digest())
    return PrivateUpdate(sent, secret, Contribution(moved, summed.layout, rule.noise)), keys
