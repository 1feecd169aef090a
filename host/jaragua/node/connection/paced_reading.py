"""A connection that is not read all the time (M16.9): what comes within a few milliseconds is read at once.

Each turn of the event loop costs as much as several messages: a look at the sockets, a call of the client library, a
read, a write of acknowledgements. Of thousands of small messages a second, most came in turns of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiomqtt


class PacedReading:
    """Of one client, in whose event loop it is made. seconds: between one read and the next."""

    def __init__(self, client: aiomqtt.Client, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def pause(self, number: int) -> None:
        """All that had come was read. number: of the socket."""
        if self._timer is None and not self._is_over:
            self._loop.remove_reader(number)
            self._timer = self._loop.call_later(self._seconds, self._go_on, number)

    def end(self) -> None:
        """The socket is closed: its number may soon be that of another."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self, number: int) -> None:
        self._timer = None
        self._read()
        if self._timer is None and not self._is_over:  # nothing had come
            self._loop.add_reader(number, self._read)

    def _read(self) -> None:
        """As the client does when its socket can be read."""
        library = self._client._client
        pending: Callable[[], int] | None = getattr(library.socket(), "pending", None)
        try:
            library.loop_read()
            while pending is not None and not self._is_over and pending() > 0:
                library.loop_read()
        except Exception as error:  # noqa: BLE001
            if not self._client._disconnected.done():
                self._client._disconnected.set_exception(error)
