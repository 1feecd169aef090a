"""R24: the numbered points of a run, at which a coordinator ends itself or lets somebody else be ended."""

from __future__ import annotations

import importlib
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

from forked import Forked
from limits import GENEROUS_S


@dataclass(frozen=True)
class Point:
    """The nth call of a method, in a run of three rounds with two devices each. number: of the rule R24."""

    number: int
    what: str
    where: str
    method: str
    nth: int


_STORE, _FLEET = "jaragua.store.database:Store", "jaragua.coordinator.connection.fleet:Fleet"
_FOLDER = "jaragua.store.run_folder:RunFolder"
POINTS: Final = (
    Point(1, "begin", _STORE, "create_run", 1),
    Point(2, "blob", _FLEET, "publish_blob", 2),
    Point(3, "announce", _FLEET, "publish_run", 3),
    Point(4, "open", _STORE, "open_round", 2),
    Point(5, "command", _FLEET, "train", 3),
    Point(6, "receive", "jaragua.coordinator.connection.inbox:Inbox", "group", 2),
    Point(7, "check", "jaragua.coordinator.driver:Driver", "_check_updates", 2),
    Point(8, "commit", _STORE, "add_updates", 2),
    Point(9, "acknowledge", _FLEET, "acknowledge", 3),
    Point(10, "close", _STORE, "close_round", 2),
    Point(11, "metrics", _FOLDER, "append_metrics", 2),
    Point(12, "weights", _FOLDER, "write_latest", 3),
    Point(13, "end", _STORE, "set_status", 1),
)


def arm(number: int, when: str, asked: str = "", go: str = "") -> None:
    """In the process of a coordinator: have it stop at a point, once. when: "before" or "after" the call.

    asked, go: pipes with names. It writes to the one, and goes on when something comes from the other. Without them it
    is killed.
    """
    point = POINTS[number - 1]
    module, _, name = point.where.partition(":")
    owner = getattr(importlib.import_module(module), name)
    setattr(owner, point.method, _stopping(getattr(owner, point.method), point.nth, when, lambda: _stop(asked, go)))


def _stopping(method: Callable[..., Any], nth: int, when: str, stop: Callable[[], None]) -> Callable[..., Any]:
    calls = 0

    @wraps(method)
    def stopping(*words: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        is_due = calls == nth
        if is_due and when == "before":
            stop()
        result = method(*words, **named)
        if is_due and when == "after":
            stop()
        return result

    return stopping


def _stop(asked: str, go: str) -> None:
    if not asked:
        os.kill(os.getpid(), signal.SIGKILL)
    with open(asked, "wb") as pipe:
        pipe.write(b"here\n")
    with open(go, "rb") as pipe:
        pipe.read()


def wait_for(pipe: Path, run: Forked) -> None:
    """Until something comes from a pipe; a process that ends before fails the test."""
    descriptor, ended = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), os.pidfd_open(run.pid)
    try:
        ready = select.select([descriptor, ended], [], [], GENEROUS_S)[0]
        assert ready == [descriptor], f"the point was never reached: {run.said}"
        os.set_blocking(descriptor, True)
        while os.read(descriptor, 16):
            pass
    finally:
        os.close(descriptor)
        os.close(ended)
