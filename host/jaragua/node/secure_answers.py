"""A node's answers to the questions of secure sums (U3 to U6), one after the other."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from jaragua.errors import JaraguaError
from jaragua.node.outbox import Outbox
from jaragua.privacy.errors import SecureError
from jaragua.privacy.participant import Contribution, Participant, Stage
from jaragua.privacy.secrets import Key
from jaragua.wire.messages import SecureCommand, UpdateHeader, pack_update
from jaragua.wire.rejections import Reason, RejectedError

#: P3: questions that wait.
_MOST_WAITING: Final = 256

Send = Callable[[UpdateHeader, bytes], None]
Refuse = Callable[[SecureCommand, Reason, str], None]


class SecureAnswers:
    """send: publishes an answer, header and payload. refuse: counts a question that is not answered."""

    def __init__(self, outbox: Outbox, send: Send, refuse: Refuse) -> None:
        self._outbox, self._send, self._refuse = outbox, send, refuse
        self._waiting: dict[SecureCommand, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self._last: dict[str, tuple[SecureCommand, UpdateHeader, bytes]] = {}
        """By device, the last question and its answer: questions are repeated."""
        self.seconds = 0.0
        """Processor time of all answers."""

    def take(self, command: SecureCommand) -> None:
        """Answer a question when its turn comes; one that waits already is not taken twice."""
        if command in self._waiting:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._refuse(command, Reason.FLOOD, f"{_MOST_WAITING} questions wait already")
            return
        task = asyncio.get_running_loop().create_task(self._answer(command))
        self._waiting[command] = task
        task.add_done_callback(lambda _: self._waiting.pop(command, None))

    def close(self) -> list[asyncio.Task[None]]:
        """Tasks that are still at work."""
        return list(self._waiting.values())

    async def _answer(self, command: SecureCommand) -> None:
        async with self._turn:  # of two different questions the second sees what the first has written down
            try:
                header, content = await self._found(command)
            except RejectedError as error:
                self._refuse(command, error.reason, error.message)
            except JaraguaError as error:
                self._refuse(command, Reason.SECURE, error.message)
            else:
                self._send(header, pack_update(header, content))

    async def _found(self, command: SecureCommand) -> tuple[UpdateHeader, bytes]:
        """Raises: SecureError; StoreError if it cannot be written down that it was answered."""
        last = self._last.get(command.device)
        if last is not None and last[0] == command:
            return last[1:]
        key = Key(command.run, command.round, command.device, command.attempt)
        known = self._outbox.private(key)
        if known is None:
            raise SecureError(f"nothing is kept of {command.device} for that part of the round")
        participant, stage = Participant(key, known.secret, known.done), Stage(command.stage)
        content = await asyncio.to_thread(self._timed, participant, stage, command.body, known.contribution)
        if participant.done != known.done:
            self._outbox.commit_private(key, participant.done)
        header = replace(
            known.header, encoding=command.stage, bytes=len(content), sha256=hashlib.sha256(content).digest()
        )
        self._last[command.device] = command, header, content
        return header, content

    def _timed(self, participant: Participant, stage: Stage, body: bytes, contribution: Contribution) -> bytes:
        began = time.thread_time()
        try:
            return participant.answer(stage, body, contribution)
        finally:
            self.seconds += time.thread_time() - began
