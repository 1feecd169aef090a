"""Images, boards, a line that can be damaged or cut, and the arithmetic a board is compared with."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import jaragua_models
from common.socket_ports import socket_port
from jaragua.serial import Transport, open_transport, samples_of
from jaragua.wire.definitions import FrameType
from jaragua.wire.link.frames import DELIMITER, Frame, FrameError, Hello, Splitter, pack, unpack
from jaragua.wire.link.noise import Noise
from jaragua_compiler import (
    LearningRate,
    Plan,
    ReferenceEngine,
    calibrate,
    initial_weights,
    plan,
    quantise_inputs,
    quantise_targets,
)
from jaragua_compiler import pack as pack_blob


@dataclass
class Lesson:
    """A blob, samples, a rate, and what the NumPy reference makes of them."""

    plan: Plan
    blob: bytes
    inputs: npt.NDArray[np.int16]
    labels: npt.NDArray[np.int16]
    rate: LearningRate = field(default_factory=lambda: LearningRate.from_float(0.03))

    @property
    def samples(self) -> list[bytes]:
        return samples_of(self.inputs, self.labels)

    def engine(self, blob: bytes = b"") -> ReferenceEngine:
        engine = ReferenceEngine(self.plan)
        engine.load(blob or self.blob)
        return engine

    def trained(self, blob: bytes = b"") -> tuple[bytes, int, int]:
        """The blob after one pass, right answers, sum of losses."""
        engine = self.engine(blob)
        steps = [engine.train_step(x, y, self.rate) for x, y in zip(self.inputs, self.labels, strict=True)]
        return engine.blob(), sum(step.correct for step in steps), sum(step.loss for step in steps)

    def evaluated(self, blob: bytes) -> tuple[int, int]:
        """Right answers and sum of losses without training."""
        engine = self.engine(blob)
        steps = [engine.evaluate(x, y) for x, y in zip(self.inputs, self.labels, strict=True)]
        return sum(step.correct for step in steps), sum(step.loss for step in steps)


def make_lesson(seed: int, count: int) -> Lesson:
    model = jaragua_models.get("digits")
    made = plan(model.network)
    weights = initial_weights(model.network, seed)
    exponents = calibrate(made, weights, model.tasks.calibration())
    task = model.tasks.train_task(f"device-{seed}", seed, 5, 10)
    rows = np.random.default_rng(seed).choice(len(task.support), count)
    return Lesson(
        made,
        pack_blob(made, weights, exponents),
        quantise_inputs(made, exponents, task.support.x[rows]),
        quantise_targets(made, exponents, task.support.y[rows]),
    )


@pytest.fixture
def lesson(seed: int) -> Lesson:
    return make_lesson(seed % 1000, 40)


@pytest.fixture
def other_lesson(seed: int) -> Lesson:
    return make_lesson(seed % 1000 + 1, 24)


@dataclass
class BadLine:
    """A socket that passes bytes to a board and back, damaging and dropping some; it can be cut and plugged in again.

    `cut_after(n)`: nothing passes any more once n more bytes have gone down.
    """

    rng: random.Random
    damage: float = 0.0
    drop: float = 0.0
    noise: Noise | None = None
    url: str = ""
    passed_down: int = 0
    carried: bytearray = field(default_factory=bytearray)
    """What has gone down since the line was mended."""
    cut: bool = False
    cut_at: float = math.inf
    upstream: Transport | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None

    def cut_after(self, bytes_down: int) -> None:
        self.cut_at = self.passed_down + bytes_down

    def mend(self) -> None:
        self.cut, self.cut_at, self.passed_down = False, math.inf, 0
        self.carried.clear()

    async def plug(self, url: str) -> None:
        """Connects the line to (another) board."""
        if self.upstream is not None:
            await self.upstream.close()
        self.upstream = await open_transport(url)
        self.tasks.append(asyncio.create_task(self._pump_up(self.upstream)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        with suppress(ConnectionError):  # a host that closes with bytes still on their way to it
            while data := await reader.read(4096):
                self._pass_down(data)
        writer.close()

    def _pass_down(self, data: bytes) -> None:
        self.passed_down += len(data)
        self.carried += data
        self.cut = self.cut or self.passed_down >= self.cut_at
        if self.upstream is not None and not self.cut:
            self.upstream.write(self.spoiled(data))

    async def _pump_up(self, upstream: Transport) -> None:
        while data := await upstream.read():
            if self.writer is not None and not self.cut:
                self.writer.write(self.spoiled(data))

    def spoiled(self, data: bytes) -> bytes:
        if self.noise is not None:
            return self.noise.spoil(data)
        kept = bytearray()
        for byte in data:
            if self.rng.random() >= self.drop:
                kept.append(byte ^ 1 << self.rng.randrange(8) if self.rng.random() < self.damage else byte)
        return bytes(kept)


OpenLine = Callable[[str, int], AbstractAsyncContextManager[BadLine]]


@pytest.fixture
def open_line() -> OpenLine:
    """`async with open_line(url, seed) as line: … Board(line.url) …`"""

    @asynccontextmanager
    async def opened(url: str, seed: int) -> AsyncIterator[BadLine]:
        line = BadLine(random.Random(seed))
        await line.plug(url)
        server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
        line.url = "socket://{}:{}".format(*server.sockets[0].getsockname())
        try:
            yield line
        finally:
            server.close()
            assert line.upstream is not None
            await line.upstream.close()
            for task in line.tasks:
                task.cancel()
            await asyncio.wait(line.tasks)

    return opened


Answer = Callable[[Frame], list[Frame]]


@pytest.fixture
def open_fake() -> Callable[[Answer], AbstractAsyncContextManager[str]]:
    """A board that answers as a test says: for what no real board does. Yields its URL."""

    def opened(answer: Answer) -> AbstractAsyncContextManager[str]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            splitter = Splitter()
            while data := await reader.read(4096):
                for piece in splitter.feed(data):
                    try:
                        frames = answer(unpack(piece))
                    except FrameError:
                        continue
                    writer.write(b"".join(map(pack, frames)))

        return socket_port(serve)

    return opened


def greeting(frame: Frame, major: int, minor: int) -> list[Frame]:
    """A HELLO's answer in session 9, nothing to anything else."""
    if frame.type != FrameType.HELLO:
        return []
    return [Frame(FrameType.HELLO, Hello(Hello.unpack(frame.payload).nonce, 8, major, minor).pack(), session=9)]


@pytest.fixture
def greet() -> Callable[..., Any]:
    return greeting


@pytest.fixture
def delimiter() -> bytes:
    return DELIMITER
