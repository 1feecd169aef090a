"""Serves the dashboard: a page on loopback, an observer of the broker, and a run's folder that is read again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jaragua.bases.value import Value
from jaragua.dashboard.content import Snapshot, snapshot
from jaragua.errors import JaraguaError, ToolError, UsageError
from jaragua.node.connection.url import BrokerUrl
from jaragua.observe.observer import Observer, now_ms
from jaragua.reasons import reason_of
from jaragua.report.details import RunDetails
from jaragua.store.reading import EVALUATION, read_details
from jaragua.store.traces import METRICS, SUMMARY

if TYPE_CHECKING:
    from jaragua.dashboard.graph_reader import GraphReader

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_FOLDER_EVERY_SECONDS: Final = 1.0


class Wanted(Value):
    """What to show and where. broker, folder (of a run), graph (its folder): None for none. port: 0 for a free one."""

    broker: BrokerUrl | None = None
    fleet: str = "home"
    folder: Path | None = None
    graph: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    on_ready: Callable[[str], None] = field(default=lambda url: None)


class Sources:
    """Where the figures come from; `look` gives those of now."""

    def __init__(self, wanted: Wanted) -> None:
        """Raises: StoreError if there is no run in the folder."""
        self._wanted = wanted
        self.observer = Observer(wanted.broker, wanted.fleet, None) if wanted.broker else None
        self._details: RunDetails | None = read_details(wanted.folder) if wanted.folder else None
        self._stamp = self._times()
        self._graph = _graph_reader(wanted)

    def look(self) -> Snapshot:
        """The figures of now."""
        watched = self.observer
        return snapshot(
            watched.view if watched else None,
            self._details,
            now_ms(),
            connected=watched is not None and watched.is_connected,
            graph=self._graph.found if self._graph else None,
            graph_problem=self._graph.problem if self._graph else "",
        )

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Read broker and folder while the block runs."""
        tasks = [asyncio.create_task(self._read_folder())] if self._wanted.folder else []
        if self.observer is not None:
            tasks.append(asyncio.create_task(self.observer.run()))
        if self._graph is not None:
            tasks.append(asyncio.create_task(self._graph.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_folder(self) -> None:
        """A folder that cannot be read for a moment is read at the next one."""
        while True:
            await asyncio.sleep(_FOLDER_EVERY_SECONDS)
            times = self._times()
            if times == self._stamp or self._wanted.folder is None:
                continue
            with contextlib.suppress(JaraguaError):
                self._details = await asyncio.to_thread(read_details, self._wanted.folder)
                self._stamp = times

    def _times(self) -> tuple[int, ...]:
        """When the files were changed; 0 of one that is not there."""
        folder = self._wanted.folder
        found = []
        for name in (METRICS, SUMMARY, EVALUATION) if folder else ():
            with contextlib.suppress(OSError):
                found.append((folder / name).stat().st_mtime_ns if folder else 0)
        return tuple(found)


def _graph_reader(wanted: Wanted) -> GraphReader | None:
    """Imported for those alone who have a graph: it needs the extra `jaragua[semantics]`."""
    if wanted.graph is None:
        return None
    from jaragua.dashboard.graph_reader import GraphReader

    return GraphReader(wanted.graph, wanted.fleet)


def serve(wanted: Wanted) -> None:
    """Serve until Ctrl-C. Raises: ToolError without NiceGUI, UsageError for a port in use, as `Sources`."""
    if not wanted.broker and wanted.folder is None:
        raise UsageError("there is nothing to show", "give a run's folder, --broker URL, or both")
    sources = Sources(wanted)
    try:
        import uvicorn
        from fastapi import FastAPI
        from nicegui import ui
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        from jaragua.dashboard.page import build
    except ImportError as error:
        raise ToolError("the dashboard needs NiceGUI", "pip install 'jaragua[dashboard]'") from error
    with _listening(wanted) as listener:
        url = _url(wanted.host, listener)
        title = f"Jaragua: fleet {wanted.fleet}" if wanted.broker else f"Jaragua: {wanted.folder}"
        app = FastAPI(lifespan=_lifespan(sources, lambda: wanted.on_ready(url)), openapi_url=None)
        ui.run_with(app, root=lambda: build(title, sources.look), title=title, dark=None, language="en-US")
        if wanted.host in LOOPBACK:
            # A page of the internet that resolves its own name to this machine must not read the fleet.
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK))
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        _run(uvicorn.Server(config), listener)


def _run(server: Any, listener: socket.socket) -> None:
    try:
        asyncio.run(server.serve(sockets=[listener]))
    except KeyboardInterrupt:
        return


def _lifespan(sources: Sources, on_ready: Callable[[], None]) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with sources.at_work():
            on_ready()
            yield

    return lifespan


@contextlib.contextmanager
def _listening(wanted: Wanted) -> Any:
    """A socket that listens. Raises: UsageError."""
    try:
        family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
        listener = socket.create_server((wanted.host, wanted.port), family=family)
    except OSError as error:
        message = f"{wanted.host}:{wanted.port} cannot be listened on: {reason_of(error)}"
        raise UsageError(message, "give another --port, or 0 for a free one") from error
    try:
        yield listener
    finally:
        listener.close()


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}/"
