"""Reads the knowledge graph for the dashboard, beside the process that writes it (S4.1)."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from jaragua.dashboard.learning import Learning, learning
from jaragua.errors import JaraguaError
from jaragua.semantics.graph.facts import device_records, model_records
from jaragua.semantics.graph.store import GraphStore

LOGGER = logging.getLogger(__name__)
_EVERY_SECONDS: Final = 2.0


class GraphReader:
    """`await GraphReader(folder, fleet).run()` until cancelled; `found` and `problem` are there at any time."""

    def __init__(self, folder: Path, fleet: str) -> None:
        self.found = Learning()
        self.problem = ""
        """Why the graph cannot be read now; what was found stays."""
        self._folder = folder
        self._fleet = fleet

    async def run(self) -> None:
        """Read it again every two seconds, in a thread, whatever became of the last time."""
        while True:
            try:
                self.found, self.problem = await asyncio.to_thread(self._read), ""
            except JaraguaError as error:
                self._tell(error.message, error.hint)
            except (OSError, ValueError, RuntimeError) as error:  # its files change under whoever only reads
                self._tell(f"the graph {self._folder} cannot be read now: {error}", "it is read again")
            await asyncio.sleep(_EVERY_SECONDS)

    def _tell(self, problem: str, hint: str) -> None:
        if problem != self.problem:
            LOGGER.warning("%s (%s)", problem, hint)
        self.problem = problem

    def _read(self) -> Learning:
        """Raises: StoreError, ToolError."""
        with GraphStore(self._folder, read_only=True) as store:
            return learning(device_records(store), model_records(store), store.refusals(), self._fleet)
