"""G3, G8, G10, G13 end to end: a coordinator and clients as processes, with TLS, signatures and a list of members."""

from __future__ import annotations

import json
from pathlib import Path

from forked import Forker, until_done
from jaragua.trust.authority import AuthorityFolder, now_utc
from jaragua_broker import Broker
from jaragua_broker.ports import free_port
from trust.fleet_authority import FLEET, make_authority, secured_broker

RUN = """
[run]
name = "sine"
rounds = 3
fleet = "home"
directory = "runs"
[model]
name = "sine"
[strategy]
name = "tinyreptile"
clients_per_round = 2
[client]
shots = 4
passes = 1
[broker]
url = "{url}"
identity = "{identity}"
[devices]
members = "{members}"
minimum = 2
"""


def run_file(folder: Path, authority: AuthorityFolder, broker: Broker) -> Path:
    path = folder / "run.toml"
    text = RUN.format(url=broker.url, identity=authority.identity_folder("coordinator"), members=authority.members)
    path.write_text(text, encoding="utf-8")
    return path


def test_g8_g10_a_run_over_tls_takes_members_and_counts_a_stranger(forker: Forker, tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "trust", "pi-1", "pi-2", "pi-3")
    members = authority.members.read_text(encoding="utf-8").replace('pi-3 = ["*"]\n', "")
    authority.members.write_text(members, encoding="utf-8")
    with secured_broker(authority, tmp_path / "data") as broker:
        at = ["--broker", broker.url, "--data-dir", str(tmp_path / "outboxes")]
        clients = [
            forker.start(["client", "--identity", str(authority.identity_folder(name)), *at], tmp_path / name)
            for name in ("pi-1", "pi-2", "pi-3")
        ]
        with until_done(clients):
            result = forker.start(["run", str(run_file(tmp_path, authority, broker)), "--json"], tmp_path / "result")
            assert result.wait() == 0, result.said
    document = json.loads((tmp_path / "result").read_text(encoding="utf-8"))["data"]
    assert [(one["id"], one["updates"]) for one in document["devices"]] == [("pi-1", 3), ("pi-2", 3)]
    metrics = (tmp_path / "runs" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert sum(json.loads(line)["rejected"].get("stranger", 0) for line in metrics) > 0
    assert "signature" not in "".join(client.said for client in clients)
    assert (tmp_path / "runs").stat().st_mode & 0o777 == 0o700


def test_g40_aggregators_have_an_identity_that_reads_updates_alone(forker: Forker, tmp_path: Path) -> None:
    """G40, R30: over TLS with the generated access list, and no other right is asked for."""
    authority = make_authority(tmp_path / "trust", "pi-1", "pi-2")
    with secured_broker(authority, tmp_path / "data") as broker:
        at = ["--broker", broker.url, "--data-dir", str(tmp_path / "outboxes")]
        clients = [
            forker.start(["client", "--identity", str(authority.identity_folder(name)), *at], tmp_path / name)
            for name in ("pi-1", "pi-2")
        ]
        config = run_file(tmp_path, authority, broker)
        text = config.read_text(encoding="utf-8")
        own = f'[broker]\naggregator_identity = "{authority.identity_folder("aggregator")}"'
        config.write_text(text.replace("[broker]", own), encoding="utf-8")
        try:
            run = ["run", str(config), "--json", "--aggregators", "1"]
            result = forker.start(run, tmp_path / "result")
            assert result.wait() == 0, result.said
        finally:
            for client in clients:
                client.terminate()
            for client in clients:
                client.wait()
    document = json.loads((tmp_path / "result").read_text(encoding="utf-8"))["data"]
    assert [(one["id"], one["updates"]) for one in document["devices"]] == [("pi-1", 3), ("pi-2", 3)]
    assert set(authority.registry().members()) == {"pi-1", "pi-2"}


def test_g13_a_broker_that_runs_drops_who_is_revoked(forker: Forker, tmp_path: Path) -> None:
    """It listens where the identities say; the client is given nothing else."""
    port = free_port()
    authority = make_authority(tmp_path / "trust", "pi-1", port=port)
    started = forker.start(
        ["broker", "start", "--tls", str(authority.folder), "--data", str(tmp_path / "data"), "--json"],
        tmp_path / "broker",
    )
    started.wait_for_line("broker runs")
    assert json.loads((tmp_path / "broker").read_text(encoding="utf-8"))["data"]["port"] == port
    command = ["client", "--identity", str(authority.identity_folder("pi-1"))]
    client = forker.start([*command, "--data-dir", str(tmp_path / "pi-1")], tmp_path / "client")
    try:
        client.wait_for_text("connected to the broker")
        authority.withdraw("pi-1", now_utc())
        client.wait_for_text("it refuses the certificate of this node: it was revoked")
    finally:
        for process in (client, started):
            process.terminate()
        for process in (client, started):
            process.wait()
    assert FLEET in (authority.folder / "acl").read_text(encoding="utf-8")
