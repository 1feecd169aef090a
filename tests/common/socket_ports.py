"""Ports that are sockets of a test: what answers on them is a coroutine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def socket_port(serve: Serve) -> AsyncIterator[str]:
    """A port that is a socket; yields its URL. What is still connected at the end is cut off."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield "socket://{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        for _ in range(5):  # who connected a moment ago is still to be handed to `accept`
            await asyncio.sleep(0)
        for writer in writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
