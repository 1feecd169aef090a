"""Virtual devices on several machines, by Ray (extra `ray`): every worker computes a share of a round's devices.

A device's work depends on nothing but the start, the work and its samples, so where it is done changes no bit of the
integer engines. float32 repeats only on machines of one kind (float_fleet.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from jaragua.errors import ToolError
from jaragua.simulation.clients.engine import Closing, Evaluation, Trained, VirtualFleet, joined_evaluations
from jaragua.simulation.clients.samples import Batch
from jaragua.strategies import ClientWork, Vector

#: The address that means: workers on this machine.
LOCAL: Final = "local"


class RayFleet(Closing):
    """Devices of one network, on all processors of a cluster; what does not need many is done here."""

    def __init__(self, make: Callable[[], VirtualFleet], address: str, workers: int | None) -> None:
        """make: a fleet of one thread, on any machine of the cluster. address: LOCAL, "auto" or ray://host:port.

        workers: None for one a processor. Raises: ToolError without Ray, or if the cluster is not there.
        """
        super().__init__()
        self._ray = _connected(address, workers)
        self._open.callback(self._ray.shutdown)
        self._here = self._open.enter_context(make())
        count = workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        worker = self._ray.remote(num_cpus=1)(_Worker)
        self._workers = [worker.remote(make) for _ in range(count)]

    def start(self, vector: Vector) -> bytes:
        """As one machine."""
        return self._here.start(vector)

    def numbers(self, start: bytes) -> Vector:
        """As one machine."""
        return self._here.numbers(start)

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        """A share of the devices each, their results in the devices' order."""
        shares = batch.shares(len(self._workers))
        found: list[Trained] = self._all("train", start, work, [(share,) for share in shares])
        samples = [int(share.counts.sum()) for share in shares]
        loss = sum(one.loss * count for one, count in zip(found, samples, strict=True)) / sum(samples)
        return Trained(np.concatenate([one.learned for one in found]), loss)

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        """A share of the devices each."""
        count = len(self._workers)
        shares = list(zip(support.shares(count), query.shares(count), strict=True))
        found: list[Evaluation] = self._all("adapt", start, work, shares)
        return joined_evaluations(found)

    def _all(self, verb: str, start: bytes, work: ClientWork, shares: list[Any]) -> Any:
        workers = zip(self._workers, shares, strict=False)
        return self._ray.get([getattr(worker, verb).remote(start, work, *share) for worker, share in workers])


class _Worker:
    """One process of the cluster."""

    def __init__(self, make: Callable[[], VirtualFleet]) -> None:
        self._fleet = make()

    def train(self, start: bytes, work: ClientWork, batch: Batch) -> Trained:
        found = self._fleet.train(start, work, batch)
        return replace(found, rows=found.learned)  # what C left does not travel

    def adapt(self, start: bytes, work: ClientWork, support: Batch, query: Batch) -> Evaluation:
        return self._fleet.adapt(start, work, support, query)


def _connected(address: str, workers: int | None) -> Any:
    """The module `ray`, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ToolError("Ray is not installed", "pip install 'jaragua[ray]'") from error
    options: dict[str, Any] = {"address": address}
    if address == LOCAL:
        options = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(**options, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ToolError(f"there is no Ray cluster at {address}: {error}", "start one: ray start --head") from error
    return ray
