"""Names that were retired do not come back: docs and code use the words of the field (the table in CHANGELOG.md)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
#: The changelog says what the names were; this file refuses them.
EXEMPT = {"CHANGELOG.md", "tests/test_names.py"}
#: Written by programs, and long: names of packages with hashes.
LOCKS = ("tools/setup/lock/", "tools/emulators/package-lock.json")


class Retired(NamedTuple):
    """A retired name. pattern: it as identifier, key or option, and not as English; samples: texts that are refused."""

    pattern: str
    better: str
    samples: tuple[str, ...]


RETIRED = (
    Retired(
        r"least[_-]loss|LeastLoss|LEAST_LOSS",
        "loss_threshold",
        ("least_loss = 0.1", "--least-loss", "LARGEST_LEAST_LOSS"),
    ),
    Retired(
        r"--memory\b|\bclient\.memory\b|\b(command|work|simulation|settings|schedule)\.memory\b|\bmemory ?= ?\d"
        r"|\"memory\": \d|\"memory\": uint|\bmemory: (int|Batch)\b",
        "replay_buffer_size",
        ("--memory 4", "memory = 4", "work.memory", '"memory": uint', '"memory": 20', "memory: int = 0"),
    ),
    Retired(r"\bvisits\(|import visits\b", "replay_order", ("visits(5, 2)", "from x import visits")),
    Retired(
        r"\"pull\"|\bpull: int\b|\bpull=|\.pull\b|\bpulled(_floats)?\(|NO_PULL|WHOLE_WAY|node[./]pull\b|_pull\b",
        "proximal_decay",
        ('"pull": 3', "pull: int", "train(pull=3)", "work.pull(8)", "pulled(plan)", "NO_PULL", "node/pull.py"),
    ),
    Retired(
        r"\btold_|\bTold\b|\b_?all_told\b|\btold: (Told|UpdateMask|NDArray)",
        "masked_mean, update_mask",
        ("told_mean", "told: Told"),
    ),
    Retired(
        r"live_row|dead_row|LIVE_ROW|DEAD_ROW|\blive_(elements|entries)\b|[Dd]ead rows?\b|\blive rows?\b|conv_live",
        "active_rows, zero-gradient rows",
        ("jrg_nn_live_rows", "LIVE_ROW_BYTES", "dead_rows", "instructions_no_dead_rows", "a dead row", "live rows"),
    ),
    Retired(r"dense_lanes|DenseLanes", "batched_dense, BatchedDense", ("test_dense_lanes.py", "DenseLanes(plan)")),
    Retired(r"dense_start|DenseStart", "batched_packing, BatchedPacking", ("dense_start.c", "DenseStart(codec)")),
    Retired(
        r"quick_rows?\b|QuickRows|PlainRows|(Learned|Moved)InStep",
        "batched_random, BatchedUpdates",
        ("quick_rows(3)", "QuickRows(cache)", "PlainRows()", "LearnedInStep", "MovedInStep"),
    ),
    Retired(r"class Trust\b|\bTrust\(|UNBELIEVED", "ExclusionCounter", ("class Trust:", "Trust()", "MAX_UNBELIEVED")),
    Retired(
        r"\b(Board|Engine)Student\b|class Student\b|OutOfStep|AsTheyCome",
        "OnlineLearner, OutOfSync, NaturalTasks",
        ("BoardStudent(board)", "class Student(Protocol)", "OutOfStep", "AsTheyCome"),
    ),
    Retired(r"virtual_clients|jrg_virtual_", "integer_clients", ("virtual_clients.c", "jrg_virtual_train")),
    Retired(
        r"\bStarts?\(|\bimport (\w+, )*Starts?\b|(: |-> |\[)Starts?\b(?= *[=,)\]:])|class Starts?\b|\bStartMaker\b"
        r"|\bStoredStart\b|StartDifference|start-difference|(coordinator|node)[./]starts\b|(online|export)[./]start\b|\btrained_start\b"
        r"|\bread_start\b|\bstart_file\b",
        "ModelVersion, ModelPublisher, ModelFetcher, TrainedModel",
        ("Start(blob)", "class Starts:", "from x import Plan, Start", "start: Start,", "list[Start]", "StartMaker"),
    ),
    Retired(r"\b_chain\b|\b_Chain\b", "delta_history", ("self._chain", "_Chain = list")),
    Retired(
        r"\bMoved\b|\b(differences|guarded)\.moved\b|import (\w+, )*moved\b"
        r"|\bmoved\((strategy|self\._strategy|plan|CODEC)",
        "checked_aggregate, PresenceChanged, with_delta",
        (
            "Moved(changes)",
            "differences.moved(",
            "from jaragua.strategies.guarded import Trust, moved",
            "moved(plan, x)",
        ),
    ),
    Retired(r"\b[Hh]appenings?\b", "FleetEvent", ("Happening", "happening: object")),
    Retired(
        r"class Memory\b|\bMemory\(|(: |-> )Memory\b(?= *[=,)])|import (\w+, )*Memory\b|machine\.Memory",
        "ResumeState, SavedArrays",
        ("class Memory:", "Memory(rounds_done=1)", "memory: Memory,", "import Bases, Memory"),
    ),
    Retired(
        r"Office\b|\b_office\b|class Order\b|\bOrder\(|(: |\[)Order\b(?= *[,)\]=])|\b(Train|Adapt)Order\b|Pacer\b",
        "DeviceHost, DeviceJob, Schedule, TelemetryThrottle",
        ("class Office(Protocol)", "order: Order,", "Order(2, 1)", "TrainOrder", "Pacer(publish)", "self._office"),
    ),
    Retired(r"\bblamed\b", "strategy_errors", ("with blamed(strategy)",)),
    Retired(
        r"[Jj]udg(e|ing)|JUDG(E|ING)",
        "evaluate, evaluation; validate",
        ("judge(x)", "judging", "_judge_starts", "UpdateJudged", "Judged", "judge.py", "jrg_float_judge"),
    ),
    Retired(
        r"\b_?School\b|\b_school\b|\bschool\b|\bSCHOOLING\b|\bSchooling\b", "TrainingBackend", ("_School", "school")
    ),
    Retired(r"[Ff]eeder|FEEDER", "TaskSampler", ("Feeder.of", "feeder.py", "_feeder_of")),
    Retired(
        r"\bRest(?= = |\]|,? *\))|: Rest\b|import (\w+, )*Rest\b|encode_with_rest|left_out|left-out:|LeftOut|LEFT_OUT",
        "residual; excluded",
        ("Rest = NDArray", "owed: Rest", "import Rest, decode", "left_out", '"left-out:"', "UpdateLeftOut"),
    ),
    Retired(
        r"--near\b|\bstrategy\.near\b|\bwanted\.near\b|\bnear ?= ?\d|\bnear=|\"near\"|\bnear: (float|Factor)|`near`"
        r"|\bNEAR\b|NearTheFleet|NEVER_FAR|never_far",
        "outlier_factor",
        ("--near 5", "strategy.near", "near = 0.0", "near=3.0", "near: Factor", "`near`", "NearTheFleet(5.0)", "NEAR"),
    ),
    Retired(
        r"--clip\b(?!-)|\bstrategy\.clip\b|\bsimulation\.clip\b|\bclip: (float|Factor)|`clip`, `"
        r"|ClippedToTheMedianNorm",
        "norm_clip_factor",
        ("--clip 2", "strategy.clip", "clip: Factor", "ClippedToTheMedianNorm(2.0)"),
    ),
    Retired(r"most[_-]age\b|MOST_AGE", "max_staleness", ("most_age", "--most-age", "MOST_AGE")),
    Retired(
        r"--staleness\b(?!-)|\bround\.staleness\b|\bstaleness ?= ?\d|\bstaleness: (float|Factor)|\"staleness\"",
        "staleness_exponent",
        ("--staleness 1", "round.staleness", "staleness = 0.5", "staleness: Factor", '"staleness"'),
    ),
    Retired(r"emit_split|_split_w8|_split_rows_w8", "partly_frozen", ("emit_split", "jrg_nn_dense_update_split_w8")),
    Retired(
        r"\b(emit|reference)_plain\b|\bplain_layer\b|_plain_rules\b|jrg_nn_\w*plain",
        "*_unweighted",
        ("emit_plain", "reference_plain.py", "plain_layer(", "_plain_rules"),
    ),
    Retired(r"\bFacts\b|\bfacts_of\b", "ModelProperties", ("Facts(layers=3)", "facts_of(model)")),
    Retired(r"\bTRAVEL\b", "COMMUNICATION_OPTIONS", ("self.TRAVEL",)),
    Retired(
        r"jrg_nn_window|class Window\b|\b(Reference|Traced)?Window(Plan|Emitter|ed)\b|\bReferenceWindow\b"
        r"|\bwindow_(of|code)\b|network\.window\(|\bwindow: Window\b|import (\w+, )*Window\b"
        r"|\bwindow\.(kernel|stride|pads|positions)\b"
        r"|windows_over_a_pixel|apply_window_weights",
        "conv_geometry",
        ("jrg_nn_window.h", "WindowPlan", "window_of(", "network.window(3)", "window.kernel", "window: Window"),
    ),
    Retired(r"serial[./]driver\b", "link_driver", ("jaragua.serial.driver", "serial/driver.py")),
    Retired(
        r"(upload|download|float|slow|head)[_-]share\b|\"shares?\"|\bshare: float\b|(command|wanted)\.share\b"
        r"|`share`|-share\.",
        "*_fraction",
        ("upload_share", "--slow-share", '"share": float', "share: float", "command.share", "results-sine-share.svg"),
    ),
    Retired(
        r"--spread\b|\"spread\"|buffered\.spread\b|\bspread: float\b",
        "compute_time_sigma",
        ("--spread 0.5", '"spread"', "buffered.spread", "spread: float"),
    ),
)
ENGLISH = (
    "The board has little memory near the end of its RAM, so samples are left out and pull nothing.",
    "The sliding window of the link; a window of 3 × 3 pixels; a Hann window.",
    "Start the fleet in the order of the chain; the rest has moved. Starts are fast.",
    "Devices share a clip of sound; plain text spreads. Memory: 2n bytes.",
    "A visit to a sample; the facts are told in a judicious way.",
)


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Path and content of every tracked text file."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if name in EXEMPT or name.startswith(LOCKS) or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            yield name, content.decode("utf-8", errors="replace")


def refused(text: str) -> list[tuple[int, Retired, str]]:
    """Line, retired name and found words of each place in a text."""
    found = []
    for one in RETIRED:
        for match in re.finditer(one.pattern, text):
            found.append((text.count("\n", 0, match.start()) + 1, one, match.group()))
    return found


def test_no_file_has_a_retired_name() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: what is tracked is not known")
    texts = dict(tracked_texts())
    assert len(texts) > 500
    places = [
        f"{name}:{line}: {words!r} is now {one.better}"
        for name, text in texts.items()
        for line, one, words in refused(text)
    ]
    places += [
        f"{name} is named after {words!r}, now {one.better}" for name in texts for _, one, words in refused(name)
    ]
    assert not places, "\n".join(places)


@pytest.mark.parametrize("one", RETIRED, ids=lambda one: one.better)
def test_every_retired_form_is_refused(one: Retired) -> None:
    """The test above can fail."""
    for sample in one.samples:
        for text in (sample, f"# first line\n    {sample}\n"):
            assert any(found.pattern == one.pattern for _, found, _ in refused(text)), sample


@pytest.mark.parametrize("text", ENGLISH)
def test_the_words_themselves_remain_english(text: str) -> None:
    assert refused(text) == []
