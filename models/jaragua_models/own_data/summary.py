"""What is in the data of a task, before anything is trained. Pure but for reading the files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaragua_compiler.errors import CompileError
from jaragua_models.base import Defaults
from jaragua_models.data.drawing import Rows
from jaragua_models.keywords.tables import WORD_ROWS
from jaragua_models.own_data import description as told
from jaragua_models.own_data import remarks
from jaragua_models.own_data.description import Description
from jaragua_models.own_data.devices import name_of
from jaragua_models.own_data.model import held_out_of
from jaragua_models.own_data.reading import files
from jaragua_models.own_data.samples import Table, counted
from jaragua_models.own_data.settings import default_settings
from jaragua_models.own_data.statistics import Statistics
from jaragua_models.own_data.tasks import DeviceTasks

CLIPPED = 0.001
"""Of a recording's samples at the ends of the range: more are said."""
MANY_LONG = 0.1
"""Of the recordings, with more sound than F13 takes: more are said."""
QUIET_DB = -50.0
WIDE_DB = 20.0
"""Loudness between the quietest and the loudest tenth of the recordings: more is said."""
NAMED = 6


@dataclass(frozen=True)
class DeviceSummary:
    """A device of the data. name: in a fleet (N1); counts: samples of each class."""

    device: str
    name: str
    samples: int
    held_out: bool
    counts: dict[str, int]


@dataclass(frozen=True)
class FeatureSummary:
    """A column, over the rows of devices that train."""

    name: str
    low: float
    high: float
    mean: float
    deviation: float
    constant: bool


@dataclass(frozen=True)
class SoundSummary:
    """Recordings as they were. Loudness in dB of full scale: of the quietest, the median, the loudest."""

    recordings: int
    rates_hz: tuple[int, ...]
    shortest_s: float
    longest_s: float
    cut: int
    padded: int
    loudness_db: tuple[float, float, float]
    clipped: int


@dataclass(frozen=True)
class Warning:
    """Something to look at. code: one word for programs."""

    code: str
    text: str


@dataclass(frozen=True)
class Summary:
    """All that `jaragua data` shows."""

    name: str
    kind: str
    path: str
    samples: int
    inputs: int
    classes: dict[str, int]
    devices: tuple[DeviceSummary, ...]
    held_out: tuple[str, ...]
    features: tuple[FeatureSummary, ...]
    sound: SoundSummary | None
    warnings: tuple[Warning, ...]


@dataclass(frozen=True)
class _Data:
    """What checks look at. training: rows that train; asked: samples of a class that a held-out device must have."""

    description: Description
    table: Table
    held_out: tuple[str, ...]
    training: Rows
    needs: Defaults
    asked: int


def summary_of(path: str | Path) -> Summary:
    """Of a TOML file's data. Raises: ModelError, with the place, for what keeps the data from being read."""
    description = told.read(Path(path))
    table = files.read(description)
    table.require_rows()
    kept = held_out_of(description, table)
    settings = default_settings(description, table, kept)
    side = np.array([table.classes[label] for label in table.labels]) if description.kind == "images" else table.devices
    training = np.flatnonzero(~np.isin(side, kept))
    asked = settings.shots + -(-settings.queries // settings.ways)
    data = _Data(description, table, kept, training, settings, asked)
    return Summary(
        name=description.name,
        kind=description.kind,
        path=str(description.path),
        samples=len(table.x),
        inputs=table.x.shape[1],
        classes=_counts(table, np.arange(len(table.x))),
        devices=_devices(data),
        held_out=kept,
        features=_features(data),
        sound=_sound(table),
        warnings=tuple(Warning(code, text) for code, check in _CHECKS for text in check(data)),
    )


def _counts(table: Table, rows: Rows) -> dict[str, int]:
    counts = np.bincount(table.labels[rows], minlength=len(table.classes))
    return dict(zip(table.classes, counts.tolist(), strict=True))


def _devices(data: _Data) -> tuple[DeviceSummary, ...]:
    table, found = data.table, []
    for device in () if data.description.kind == "images" else np.unique(table.devices).tolist():
        rows = np.flatnonzero(table.devices == device)
        found.append(DeviceSummary(device, name_of(device), len(rows), device in data.held_out, _counts(table, rows)))
    return tuple(found)


def _features(data: _Data) -> tuple[FeatureSummary, ...]:
    """Of a table; of windows of raw rows by column."""
    table = data.table
    if not table.columns or not len(data.training):
        return ()
    x = table.x[data.training].reshape(-1, len(table.columns)).astype(np.float64)
    columns = zip(table.columns, x.min(axis=0), x.max(axis=0), x.mean(axis=0), x.std(axis=0), strict=True)
    return tuple(
        FeatureSummary(name, float(low), float(high), float(mean), float(deviation), bool(low == high))
        for name, low, high, mean, deviation in columns
    )


def _sound(table: Table) -> SoundSummary | None:
    if not table.sounds:
        return None
    seconds = [sound.seconds for sound in table.sounds]
    loudness = np.array([sound.loudness_db for sound in table.sounds])
    return SoundSummary(
        recordings=len(seconds),
        rates_hz=tuple(sorted({sound.rate_hz for sound in table.sounds})),
        shortest_s=min(seconds),
        longest_s=max(seconds),
        cut=sum(one > 1 for one in seconds),
        padded=sum(one < 1 for one in seconds),
        loudness_db=(float(loudness.min()), float(np.median(loudness)), float(loudness.max())),
        clipped=sum(sound.clipped > CLIPPED for sound in table.sounds),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _constant(data: _Data) -> Iterator[str]:
    names = [one.name for one in _features(data) if one.constant]
    if names:
        yield f"constant in all rows that train, so of no use: {_some(names)}"


def _row_numbers(data: _Data) -> Iterator[str]:
    """A column that counts the rows tells the row, not the class."""
    table = data.table
    if data.description.window or not table.columns or len(table.x) < 3:
        return
    steps = np.diff(table.x, axis=0)
    names = [
        name for name, step in zip(table.columns, steps.T, strict=True) if step[0] != 0 and (step == step[0]).all()
    ]
    if names:
        yield f"counts the rows, so it tells the row and not the class (leave it out of features): {_some(names)}"


def _neighbours(data: _Data) -> Iterator[str]:
    yield from remarks.neighbours(data.table)


def _rare(data: _Data) -> Iterator[str]:
    """Classes that a device cannot be asked for, or trained on."""
    table, needs = data.table, data.needs
    if data.description.kind == "images":
        counts = _counts(table, np.arange(len(table.x)))
        for kept in (False, True):
            few = {name: count for name, count in counts.items() if (name in data.held_out) == kept}
            yield from remarks.rare_images(few, data.asked if kept else needs.shots_of_a_round)
        return
    tasks = DeviceTasks(data.description.name, table, data.held_out, data.description.naming)
    if set(table.devices.tolist()) & set(data.held_out):
        found = tasks.remarks(needs.ways, needs.shots, needs.shots_of_a_round, needs.queries)
        yield from (text for text in found if text not in remarks.neighbours(table))


def _unfit(data: _Data) -> Iterator[str]:
    """Devices of which no task can be drawn: training and evaluation refuse them."""
    if data.description.kind == "images":
        return
    table = data.table
    for held_out in (False, True):
        needed, unfit = data.asked if held_out else data.needs.shots_of_a_round, []
        for device in np.unique(table.devices).tolist():
            counts = _counts(table, np.flatnonzero(table.devices == device)).values()
            if (device in data.held_out) == held_out and sum(count >= needed for count in counts) < 2:
                unfit.append(device)
        if unfit:
            what = "be evaluated" if held_out else "train"
            help_ = "take their rows out, or set fewer shots"
            yield f"cannot {what}, as less than 2 of their classes have {needed} samples ({help_}): {_some(unfit)}"


def _absent(data: _Data) -> Iterator[str]:
    """Classes that nobody who trains has."""
    of_training = _counts(data.table, data.training)
    missing = [repr(name) for name, count in of_training.items() if not count]
    if missing and data.description.kind != "images":
        yield f"no device that trains has samples of: {_some(missing)}"


def _held_out(data: _Data) -> Iterator[str]:
    """What the file says of devices that are not in these data."""
    if data.description.kind == "images":
        return
    there = set(data.table.devices.tolist())
    absent = [name for name in data.held_out if name not in there]
    if absent:
        yield f"held_out names devices without a row here: {_some(absent)}"
    if len(absent) == len(data.held_out):
        yield "no row is of a held-out device: nothing can be evaluated with this file alone"
    if not there - set(data.held_out):
        yield "no row is of a device that trains: this file alone trains nothing"


def _names(data: _Data) -> Iterator[str]:
    """N1: two values that become one name."""
    devices = [] if data.description.kind == "images" else np.unique(data.table.devices).tolist()
    names = [name_of(device) for device in devices]
    for name in sorted({name for name in names if names.count(name) > 1}):
        same = [repr(device) for device in devices if name_of(device) == name]
        yield f"nodes cannot tell apart {_some(same)}: both are {name!r} in a fleet"


def _repeated(data: _Data) -> Iterator[str]:
    """The same sample twice may be learned and asked."""
    table = data.table
    rows = [x.tobytes() + device.encode() for x, device in zip(table.x, table.devices, strict=True)]
    twice = len(rows) - len(set(rows))
    if twice:
        yield f"{counted(twice, 'sample repeats', 'samples repeat')} another of its device: it may be learned and asked"


def _wide(data: _Data) -> Iterator[str]:
    """I1: readings that a board's integers do not hold."""
    table = data.table
    if not table.columns or not len(data.training):
        return
    try:
        rows = table.x[data.training].astype(np.float64).reshape(-1, len(table.columns))
        Statistics.of(table.columns, rows).format(check_changes=False)
    except (CompileError, OverflowError) as error:
        reason = error.message if isinstance(error, CompileError) else "a column changes too little."
        yield f"no scaling in integers, so none is published in a fleet: {reason}"


def _clipped(data: _Data) -> Iterator[str]:
    sounds = data.table.sounds
    clipped = [sound for sound in sounds if sound.clipped > CLIPPED]
    if clipped:
        worst = max(clipped, key=lambda sound: sound.clipped)
        most = f"{worst.clipped:.1%} of the samples of {worst.name}"
        yield f"{counted(len(clipped), 'recording is', 'recordings are')} clipped, up to {most}: record more quietly"


def _loudness(data: _Data) -> Iterator[str]:
    loudness = np.array([sound.loudness_db for sound in data.table.sounds])
    if not len(loudness):
        return
    quiet = [sound.name for sound in data.table.sounds if sound.loudness_db < QUIET_DB]
    if quiet:
        yield f"{counted(len(quiet), 'recording is', 'recordings are')} below {QUIET_DB:g} dB: {_some(quiet)}"
    low, high = np.percentile(loudness, [10, 90])
    if high - low > WIDE_DB:
        yield f"loudness differs by {high - low:.0f} dB between the quietest and the loudest tenth"


def _cut(data: _Data) -> Iterator[str]:
    cut = [sound.name for sound in data.table.sounds if sound.seconds > 1]
    if cut:
        yield f"{counted(len(cut), 'recording is', 'recordings are')} longer than a second, and cut (D4): {_some(cut)}"


def _long(data: _Data) -> Iterator[str]:
    """F13 takes so many rows, whatever the sound has."""
    if data.description.sound.pooling != "word":
        return
    long = [sound.name for sound in data.table.sounds if sound.rows > WORD_ROWS]
    if len(long) > MANY_LONG * len(data.table.sounds):
        some = f"{counted(len(long), 'recording has', 'recordings have')} more than 0.65 s of sound: {_some(long)}"
        yield f'{some}; pooling = "time" or "none" takes all of it (F13)'


_CHECKS: tuple[tuple[str, Callable[[_Data], Iterator[str]]], ...] = (
    ("held-out", _held_out),
    ("names", _names),
    ("constant", _constant),
    ("row-number", _row_numbers),
    ("neighbours", _neighbours),
    ("rare", _rare),
    ("unfit", _unfit),
    ("absent", _absent),
    ("repeated", _repeated),
    ("scaling", _wide),
    ("clipped", _clipped),
    ("loudness", _loudness),
    ("cut", _cut),
    ("long", _long),
)
