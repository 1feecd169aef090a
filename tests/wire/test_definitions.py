"""`definitions.toml` is the one place of the protocol's numbers; the Python names must be the file's."""

import tomllib
from enum import IntEnum
from importlib.resources import files

import pytest

from jaragua.wire import definitions
from jaragua.wire.definitions import SEQUENCED, STATUS_TEXTS, FrameType

TABLES = tomllib.loads((files("jaragua.wire") / "definitions.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (definitions.FrameType, "frame_types"),
        (definitions.LogLevel, "log_levels"),
        (definitions.JobKind, "job_kinds"),
        (definitions.JobPhase, "job_states"),
        (definitions.ResetCause, "reset_causes"),
    ],
)
def test_every_name_of_a_table_is_there(kind: type[IntEnum], table: str) -> None:
    assert {member.name.lower(): member.value for member in kind} == TABLES[table]


def test_l4_9_every_status_has_a_meaning_and_a_number_of_its_own() -> None:
    assert len(STATUS_TEXTS) == len(TABLES["status"])
    assert all(text.meaning and (text.remedy or text.name == "ok") for text in STATUS_TEXTS.values())
    assert {status.name.lower() for status in definitions.Status} <= {text.name for text in STATUS_TEXTS.values()}


def test_a_status_of_a_later_version_has_a_text_too() -> None:
    assert "250" in definitions.status_text(250).name


def test_l1_2_which_types_are_sequenced() -> None:
    assert {FrameType.MSG, FrameType.DATA, FrameType.SAMPLE} == SEQUENCED
