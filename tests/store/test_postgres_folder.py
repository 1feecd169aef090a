"""R23.6, R16.5: the folder of a run whose database is PostgreSQL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg
import pytest
from test_lost_runs import ROUNDS, do_round, initialisation

from common.postgres_server import PostgresServer
from jaragua.config import RunConfig, parse
from jaragua.errors import ConfigurationError, LostRunError, StoreError
from jaragua.store import PostgresAddress, RunFolder, Store, address_of, holds_run, open_run, read_run
from jaragua.store.records import RunRecord

DEVICES = ("board-1", "board-2", "board-3")


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.emptied_database()


def settings_of(folder: Path, url: str, more: str = "") -> RunConfig:
    text = f'[run]\nrounds = {ROUNDS}\ndirectory = "{folder}"\n[model]\nname = "sine"\n[store]\nurl = "{url}"\n{more}'
    return parse(text, folder.parent / "lost.toml")


def at(settings: RunConfig) -> PostgresAddress:
    found = address_of(settings.store, settings.run.name, {})
    assert found is not None
    return found


def begun(folder: RunFolder, settings: RunConfig) -> RunRecord:
    record = folder.begin(settings, initialisation(0))
    folder.rewrite(settings, record, lambda vector: {"all": vector})
    return record


def begin(folder: Path, url: str, rounds: int = ROUNDS) -> RunRecord:
    settings = settings_of(folder, url)
    with open_run(folder, at(settings)) as opened:
        record = begun(opened, settings)
        for number in range(1, rounds + 1):
            do_round(opened, record, number)
    return record


def test_r23_6_a_folder_finds_its_run_in_the_database(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "run"
    record = begin(folder, url)
    assert not (folder / "run.sqlite").exists()
    summary = read_run(folder)
    assert (summary["run"], summary["status"], summary["rounds_done"]) == (record.run, "finished", ROUNDS)
    assert summary["updates"] == dict.fromkeys(DEVICES, ROUNDS)
    assert holds_run(folder, at(settings_of(folder, url)))


def test_r23_6_a_run_goes_on_from_another_machine(tmp_path: Path, url: str) -> None:
    """In an empty folder: the database is the truth, and every file is written from it."""
    begin(tmp_path / "run", url, rounds=3)
    settings = settings_of(tmp_path / "elsewhere", url)
    with open_run(settings.run.directory, at(settings)) as folder:
        record = folder.resume(settings)
        assert record is not None
        folder.rewrite(settings, record, lambda vector: {"all": vector})
        do_round(folder, record, 4)
    assert read_run(settings.run.directory)["rounds_done"] == 4
    assert len((settings.run.directory / "metrics.jsonl").read_text().splitlines()) == 4


def test_r23_6_to_begin_anew_keeps_the_run_in_the_database(tmp_path: Path, url: str) -> None:
    folder, settings = tmp_path / "run", settings_of(tmp_path / "run", url)
    first = begin(folder, url)
    with open_run(folder, at(settings), new=True) as opened:
        assert opened.store.run() is None
        assert opened.note == f"what was in {folder} is kept in earlier-1; {url} keeps the run {first.run}"
        second = begun(opened, settings)
    assert second.run != first.run
    assert read_run(folder)["rounds_done"] == 0
    assert (read_run(folder / "earlier-1")["run"], read_run(folder / "earlier-1")["rounds_done"]) == (first.run, ROUNDS)


def test_r23_6_to_begin_anew_without_the_database_changes_nothing(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "run"
    begin(folder, url)
    away = settings_of(folder, "postgresql:///db?host=/nowhere")
    with pytest.raises(StoreError, match="No such file or directory"):
        open_run(folder, at(away), new=True)
    assert read_run(folder)["rounds_done"] == ROUNDS
    with open_run(folder, at(settings_of(folder, url))):  # it was let go of
        pass


def test_r23_6_a_run_stays_in_its_kind_of_store(tmp_path: Path, url: str) -> None:
    folder, settings = tmp_path / "run", settings_of(tmp_path / "run", url)
    begin(folder, url)
    with pytest.raises(ConfigurationError, match=r"is kept in postgresql://.*, and no store\.url is given"):
        open_run(folder)
    other = tmp_path / "other"
    open_run(other).close()
    with pytest.raises(ConfigurationError, match=r"is kept in its run\.sqlite, not in postgresql://"):
        open_run(other, at(settings))


def test_r16_5_a_database_that_was_restored_from_a_backup_is_noticed(tmp_path: Path, url: str) -> None:
    folder, settings = tmp_path / "run", settings_of(tmp_path / "run", url)
    record = begin(folder, url)
    for table, column in (("initialisations", "rounds_done"), ("updates", "round"), ("assignments", "round")):
        cut(url, f"DELETE FROM {table} WHERE {column} > 3")
    cut(url, "DELETE FROM rounds WHERE round > 3")
    for opening in (lambda: open_run(folder, at(settings)), lambda: read_run(folder)):
        with pytest.raises(
            LostRunError, match=r"knows 3 rounds, but .* tells of 8 rounds: rounds 4 to 8 are lost"
        ) as e:
            opening()
        assert "restore a newer backup of that database" in e.value.hint
    with open_run(folder, at(settings), redo_lost=True) as opened:
        assert "rounds 4 to 8 are lost, and done again" in opened.note
        for number in range(4, ROUNDS + 1):
            do_round(opened, record, number)
    assert read_run(folder)["rounds_done"] == ROUNDS


def test_r16_5_another_database_is_noticed(tmp_path: Path, url: str, postgres: PostgresServer) -> None:
    folder = tmp_path / "run"
    begin(folder, url)
    empty = settings_of(folder, postgres.new_database())
    with pytest.raises(LostRunError, match=r"holds no run, but run\.json tells of 8 rounds"):
        open_run(folder, at(empty))
    begin(tmp_path / "another", empty.store.url)
    with pytest.raises(LostRunError, match=r"is of the run lost-.*, but run\.json tells of 8 rounds of the run lost-"):
        open_run(folder, at(empty))


def test_g7_the_folder_keeps_no_password(tmp_path: Path, url: str) -> None:
    with_password = url.replace("jaragua@", "jaragua:s3cret@")
    begin(tmp_path / "run", with_password)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert b"s3cret" not in kept
    with Store(at(settings_of(tmp_path / "run", url)), read_only=True) as store:
        record = store.run()
    assert record is not None
    assert "s3cret" not in json.dumps(record.settings)


def test_an_unreadable_database_is_said_by_who_reads_the_folder(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "run"
    begin(folder, url)
    moved = folder.with_name("moved")
    shutil.copytree(folder, moved)
    text = (moved / "config.toml").read_text()
    (moved / "config.toml").write_text(text.replace(url, "postgresql:///db?host=/nowhere"))
    with pytest.raises(StoreError, match="No such file or directory"):
        read_run(moved)


def cut(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("SET search_path = jaragua")
        database.execute(statement)
