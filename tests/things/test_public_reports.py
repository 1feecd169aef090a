"""M50: what is published of a device, and how seldom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from fleet_bench import run, until

from jaragua.node import public_reports
from jaragua.node.public_reports import PublicReports, camel_case
from jaragua.node.reports import Adapted, JobBegun, Trained
from jaragua.node.throttle import LatestThrottle
from jaragua.node.training.trainer import Progress
from jaragua.wire.topics import TopicKind

PERIOD_SECONDS = 0.02


class Published:
    """What a device's reports published, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HEALTH_SECONDS", "EVENT_SECONDS"):
            monkeypatch.setattr(public_reports, name, PERIOD_SECONDS)
        self.found: list[tuple[TopicKind, str, Any]] = []
        self.reports = PublicReports(lambda kind, name, payload: self.found.append((kind, name, json.loads(payload))))

    def of(self, name: str) -> list[Any]:
        return [document for _, one, document in self.found if one == name]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Published:
    return Published(monkeypatch)


def test_m50_memory_and_model_are_published_when_they_change(published: Published) -> None:
    for size in (10, 10, 12):
        published.reports.memory({"ramBytes": size, "arenaBytes": 3, "board": "pico"})
        published.reports.model({"model": "sine"})
    published.reports.memory({"board": "pico"})  # nothing is known of its memory
    assert published.of("memory") == [{"ramBytes": 10, "arenaBytes": 3}, {"ramBytes": 12, "arenaBytes": 3}]
    assert published.of("model") == [{"model": "sine"}]
    assert {kind for kind, _, _ in published.found} == {TopicKind.DEVICE_PROPERTY}


def test_m50_health_and_progress_come_at_once_then_the_newest_after_a_period(published: Published) -> None:
    async def story() -> None:
        reports = published.reports
        reports.report(JobBegun("left", "r1", 3), 9)
        for number in range(50):
            reports.health({"frames_in": number})
            reports.progress(Progress(number, 100, 0, 1.5))
        await until(lambda: len(published.of("health")) == 2)
        await until(lambda: len(published.of("progress")) == 2)
        reports.close()

    run(story())
    assert published.of("health") == [{"framesIn": 0}, {"framesIn": 49}]
    about = {"run": "r1", "round": 3, "rounds": 9, "samples": 100}
    assert published.of("progress") == [about | {"done": 0}, about | {"done": 49}]


def test_m50_the_end_of_a_job_is_told_without_its_loss(published: Published) -> None:
    async def story() -> None:
        reports = published.reports
        reports.report(JobBegun("left", "r1", None, 4), None)
        reports.report(Adapted("left", "r1", 4, "accuracy", 0.1, 0.9, 30, 1.0), None)
        await asyncio.sleep(2 * PERIOD_SECONDS)
        reports.report(JobBegun("left", "r1", 1), None)
        reports.report(Trained("left", "r1", 1, 40, 0.5, "accuracy", 0.9, 7000, 1.0), None)
        await until(lambda: len(published.of("progress")) == 2)
        reports.close()

    run(story())
    assert published.of("progress") == [
        {"run": "r1", "trial": 4, "done": 30, "samples": 30},
        {"run": "r1", "round": 1, "done": 40, "samples": 40},
    ]


def test_m50_what_was_refused_is_told_with_its_number(published: Published) -> None:
    async def story() -> None:
        published.reports.rejected("format", "no JSON", 3)
        published.reports.close()

    run(story())
    assert published.found == [(TopicKind.DEVICE_EVENT, "rejected", {"reason": "format", "why": "no JSON", "count": 3})]


def test_m50_a_throttle_that_is_closed_publishes_nothing_more() -> None:
    async def story() -> list[bytes]:
        published: list[bytes] = []
        publish: Callable[[bytes], None] = published.append
        throttle = LatestThrottle(publish, PERIOD_SECONDS)
        throttle.offer(b"1")
        throttle.offer(b"2")
        throttle.close()
        await asyncio.sleep(2 * PERIOD_SECONDS)
        return published

    assert run(story()) == [b"1"]


def test_m50_names_are_in_camel_case() -> None:
    assert [camel_case(name) for name in ("naks", "frames_in", "stack_free_bytes")] == [
        "naks",
        "framesIn",
        "stackFreeBytes",
    ]
