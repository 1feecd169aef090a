"""R24: coordinator, broker, node and database, killed at every numbered point of a run, on both stores.

`make test` has a part of the matrix; `make test-kills` (JARAGUA_TEST_KILLS=1) has all of it, and 100 kills at random.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.kill_points import POINTS, wait_for
from common.postgres_server import PostgresServer, running_server
from forked import Forked, Forker
from jaragua.settings import StoreSettings
from jaragua.store import Store, address_of
from jaragua_broker import Broker
from limits import GENEROUS_S

NODES = ("pi-1", "pi-2", "pi-3")
CLIENTS, ROUNDS, LONG = 2, 3, 40
VICTIMS = {"sqlite": ("coordinator", "broker", "node"), "postgres": ("coordinator", "broker", "node", "database")}
ALL = os.environ.get("JARAGUA_TEST_KILLS") == "1"
RANDOM_KILLS = 100
LONGEST_LIFE_S = 0.6

CONFIGURATION = """
[run]
name = "{name}"
seed = 7
rounds = {rounds}
fleet = "kills"
directory = "{folder}"
[model]
name = "sine"
[strategy]
clients_per_round = 2
server_optimiser = "adam"
[client]
shots = 4
[broker]
url = "{broker}"
[store]
url = "{store}"
[devices]
minimum = 3
"""


@dataclass
class Fleet:
    """Everything that can be killed, and is started again at once."""

    forker: Forker
    broker: Broker
    folder: Path
    server: PostgresServer | None = None
    nodes: dict[str, Forked] = field(default_factory=dict)
    runs: int = 0
    database: str = ""

    def start_node(self, name: str) -> None:
        where = ("--broker", self.broker.url, "--fleet", "kills", "--model", "sine")
        folder = ("--data-dir", str(self.folder / name))
        self.nodes[name] = self.forker.start(["client", *where, "--node", name, *folder])

    def kill(self, victim: str, number: int) -> None:
        """number: which of the nodes."""
        if victim == "node":
            name = NODES[number % len(NODES)]
            self.nodes[name].kill()
            self.start_node(name)
        elif victim == "broker":
            assert self.broker._process is not None
            guard = self.broker._process.pid
            (mosquitto,) = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
            os.kill(int(mosquitto), signal.SIGKILL)
            self.broker.restart()
        else:
            assert self.server is not None
            self.server.kill()
            self.server.start()

    def new_run(self, store: str, rounds: int = ROUNDS) -> Path:
        """The file of a run that was never begun."""
        self.runs += 1
        name = f"run-{self.runs}"
        path = self.folder / f"{name}.toml"
        url = self.database if store == "postgres" else ""
        text = CONFIGURATION.format(
            name=name, rounds=rounds, folder=self.folder / name, broker=self.broker.url, store=url
        )
        path.write_text(text)
        return path

    def end(self, path: Path) -> dict[str, Any]:
        """What a run says that goes on to its end."""
        output = path.with_suffix(".json")
        run = self.forker.start(["run", str(path), "--json"], output)
        assert run.wait() == 0, run.said
        document: dict[str, Any] = json.loads(output.read_text())["data"]
        return document

    def stored(self, path: Path) -> list[tuple[int, str]]:
        """Keys of the updates in the run's database."""
        name = path.stem
        place = address_of(StoreSettings(url=self.database), name, {}) if self._is_in_server(path) else None
        with Store(place or self.folder / name / "run.sqlite", read_only=True) as store:
            record = store.run()
            assert record is not None
            return sorted(store.stored_keys(record.run))

    def _is_in_server(self, path: Path) -> bool:
        return "postgresql://" in path.read_text()


@pytest.fixture(scope="module")
def fleet(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("kills")
    with ExitStack() as stack:
        broker = stack.enter_context(Broker())
        made = Fleet(forker, broker, folder)
        for name in NODES:
            made.start_node(name)
        try:
            yield made
        finally:
            for node in made.nodes.values():
                node.terminate()
            for node in made.nodes.values():
                node.wait()


@pytest.fixture(scope="module")
def with_server(fleet: Fleet) -> Iterator[Fleet]:
    with running_server() as server:
        fleet.server, fleet.database = server, server.new_database()
        yield fleet
        fleet.server = None


@pytest.fixture(scope="module")
def undisturbed(fleet: Fleet) -> Callable[[int], str]:
    """The hash of a run of so many rounds that nobody disturbs, on SQLite."""
    known: dict[int, str] = {}

    def hash_of(rounds: int) -> str:
        if rounds not in known:
            known[rounds] = fleet.end(fleet.new_run("sqlite", rounds))["model_hash"]
        return known[rounds]

    return hash_of


def cases() -> Iterator[tuple[str, str, int, str]]:
    """store, victim, point, when. In short: each point once for the coordinator, commits of SQLite twice."""
    for store, victims in VICTIMS.items():
        for victim in victims:
            for point in POINTS:
                for when in ("before", "after"):
                    if ALL or is_in_short(store, victim, point.number, when):
                        yield store, victim, point.number, when


def is_in_short(store: str, victim: str, number: int, when: str) -> bool:
    chosen = ("postgres", "after") if number % 2 else ("sqlite", "before")
    if victim == "coordinator":
        return (store, when) == chosen or (store == "sqlite" and number in (4, 8, 10))
    others = {("postgres", "database"): (8,), ("postgres", "broker"): (9,), ("sqlite", "node"): (5,)}
    return when == "after" and number in others.get((store, victim), ())


@pytest.mark.parametrize(("store", "victim", "number", "when"), list(cases()))
def test_r24_killed_at_a_point_a_run_ends_as_if_undisturbed(
    request: pytest.FixtureRequest,
    fleet: Fleet,
    undisturbed: Callable[[int], str],
    store: str,
    victim: str,
    number: int,
    when: str,
) -> None:
    if store == "postgres":
        request.getfixturevalue("with_server")
    expected = undisturbed(ROUNDS)
    path = fleet.new_run(store)
    if victim == "coordinator":
        run = fleet.forker.start(["run", str(path)], path.with_suffix(".out"), armed={"number": number, "when": when})
        assert run.wait() == -signal.SIGKILL, run.said
        document = fleet.end(path)
    else:
        document = killed_beside(fleet, path, victim, number, when)
    assert_as_undisturbed(fleet, path, document, expected, ROUNDS)


def killed_beside(fleet: Fleet, path: Path, victim: str, number: int, when: str) -> dict[str, Any]:
    """The coordinator stands at the point while the victim is killed and started again; what it says at its end."""
    asked, go, output = (path.with_suffix(suffix) for suffix in (".asked", ".go", ".json"))
    for pipe in (asked, go):
        os.mkfifo(pipe)
    armed = {"number": number, "when": when, "asked": str(asked), "go": str(go)}
    run = fleet.forker.start(["run", str(path), "--json"], output, armed=armed)
    wait_for(asked, run)
    fleet.kill(victim, number)
    with go.open("wb"):
        pass
    assert run.wait() == 0, run.said
    document: dict[str, Any] = json.loads(output.read_text())["data"]
    return document


def assert_as_undisturbed(fleet: Fleet, path: Path, document: dict[str, Any], expected: str, rounds: int) -> None:
    """Equal hash; no update lost, none counted twice."""
    assert document["model_hash"] == expected
    assert sum(one["updates"] for one in document["devices"]) == CLIENTS * rounds
    assert sorted(number for number, _ in fleet.stored(path)) == sorted([*range(1, rounds + 1)] * CLIENTS)
    lines = [json.loads(line) for line in (fleet.folder / path.stem / "metrics.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == list(range(1, rounds + 1))


@pytest.mark.skipif(
    not ALL, reason="minutes: `make test-kills` kills at random, and so does test_killed_and_resumed.py"
)
@pytest.mark.parametrize("store", list(VICTIMS))
def test_r24_random_kills_of_everything_change_nothing(
    request: pytest.FixtureRequest, fleet: Fleet, undisturbed: Callable[[int], str], store: str, seed: int
) -> None:
    if store == "postgres":
        request.getfixturevalue("with_server")
    draw, kills = random.Random(seed), dict.fromkeys(VICTIMS[store], 0)
    while sum(kills.values()) < RANDOM_KILLS:
        path = fleet.new_run(store, LONG)
        document = killed_at_random(fleet, path, store, draw, kills)
        assert_as_undisturbed(fleet, path, document, undisturbed(LONG), LONG)
    print(f"kills: {kills}")


def killed_at_random(
    fleet: Fleet, path: Path, store: str, draw: random.Random, kills: dict[str, int]
) -> dict[str, Any]:
    """A run to its end; what is killed at any moment of it is counted in `kills`."""
    for attempt in range(1000):
        output = path.with_suffix(f".{attempt}")
        run = fleet.forker.start(["run", str(path), "--json"], output)
        while True:
            victim = draw.choice(VICTIMS[store])
            if victim in ("broker", "database"):
                run.wait_for_line("run ")  # one that starts ends with a sentence where there is none
            try:
                code = run.wait(draw.uniform(0, LONGEST_LIFE_S) if sum(kills.values()) < RANDOM_KILLS else GENEROUS_S)
            except TimeoutError:
                kills[victim] += 1
            else:
                assert code == 0, run.said
                document: dict[str, Any] = json.loads(output.read_text())["data"]
                return document
            if victim == "coordinator":
                run.kill()
                break
            fleet.kill(victim, draw.randrange(len(NODES)))
    raise AssertionError("the run did not end")
