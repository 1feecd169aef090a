"""Files that users have: sound of any form, pictures in colour, Parquet, time series; D1 to D8 of own-data.md."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.own_task import TASK, valves, write_valves
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.inputs.interface import ModelInterface
from jaragua_models import DataError, Model, ModelError, from_toml
from jaragua_models.own_data.description import read as described
from jaragua_models.own_data.reading import extras, files
from jaragua_models.own_data.samples import Table

RATE = 16_000
AUDIO = '[task]\nname = "orders"\nkind = "audio"\npath = "orders"\nheld_out = ["s1"]\n'
PICTURES = '[task]\nname = "shapes"\nkind = "images"\npath = "shapes"\nside = 4\n'


def tone(hertz: float, seconds: float, rate: int = RATE, loudness: float = 0.25) -> np.ndarray:
    return loudness * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def wav(signal: np.ndarray, rate: int, bits: int, kind: int = 1) -> bytes:
    """signal float [n, channels], -1..1; kind 1: integers, 3: floating point."""
    whole = np.rint(signal * 2.0 ** (bits - 1)).clip(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    if kind == 3:
        content = signal.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        content = (whole + 128).astype(np.uint8).tobytes()
    elif bits == 24:
        content = whole.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    else:
        content = whole.astype(f"<i{bits // 8}").tobytes()
    width = bits // 8 * signal.shape[1]
    form = struct.pack("<HHIIHH", kind, signal.shape[1], rate, rate * width, width, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def sound_task(folder: Path, **recordings: bytes) -> Path:
    """Two speakers, two words; each recording is a file of the first speaker's first word, FILE_SUFFIX=content."""
    for place in ("s0/high", "s0/low", "s1/high", "s1/low"):
        (folder / "orders" / place).mkdir(parents=True)
        (folder / "orders" / place / "plain.wav").write_bytes(wav(tone(900, 0.5)[:, None], RATE, 16))
    for name, content in recordings.items():
        (folder / "orders" / "s0" / "high" / name.replace("_", ".")).write_bytes(content)
    (folder / "orders.toml").write_text(AUDIO)
    return folder / "orders.toml"


def table_of(task: Path) -> Table:
    return files.read(described(task))


def test_d1_d2_width_and_channels_change_nothing_of_the_sound(tmp_path: Path) -> None:
    mono = np.rint(tone(900, 0.5) * 2**7)[:, None] / 2**7  # what eight bits hold, too
    both = np.repeat(mono, 2, axis=1)
    forms = {f"b{bits}_wav": wav(both if bits == 24 else mono, RATE, bits) for bits in (8, 16, 24, 32)}
    forms |= {f"f{bits}_wav": wav(mono, RATE, bits, 3) for bits in (32, 64)}
    table = table_of(sound_task(tmp_path, **forms))
    own = table.x[(table.devices == "s0") & (table.labels == 0)]
    assert len(own) == 7
    assert all(np.array_equal(own[0], one) for one in own[:-1])  # the last by name is plain.wav
    assert {sound.channels for sound in table.sounds} == {1, 2}


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_d3_another_rate_is_resampled(tmp_path: Path, rate: int) -> None:
    pytest.importorskip("soxr")
    table = table_of(sound_task(tmp_path, other_wav=wav(tone(900, 0.5, rate)[:, None], rate, 16)))
    plain, other = table.x[1], table.x[0]
    assert table.sounds[0].rate_hz == rate
    assert np.abs(other - plain).mean() < 0.05  # of 8 octaves of power; the floor of silent frames is the same


def test_d4_a_longer_recording_is_cut_to_its_loudest_second(tmp_path: Path) -> None:
    word = tone(900, 1.0)
    quiet = 0.001 * np.random.default_rng(1).standard_normal(RATE)
    long = np.concatenate([quiet, word, quiet])[:, None]
    table = table_of(sound_task(tmp_path, long_wav=wav(long, RATE, 16), second_wav=wav(word[:, None], RATE, 16)))
    assert np.array_equal(table.x[0], table.x[2])
    assert table.sounds[0].seconds == 3.0


def test_flac_and_ogg_are_read(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    task = sound_task(tmp_path)
    signal = np.rint(tone(900, 0.5) * 2**15) / 2**15
    for name in ("a.flac", "b.ogg"):
        soundfile.write(tmp_path / "orders" / "s0" / "high" / name, signal, RATE)
    table = table_of(task)
    assert np.array_equal(table.x[0], table.x[2])  # FLAC loses nothing
    assert np.abs(table.x[1] - table.x[2]).mean() < 0.2
    (tmp_path / "orders" / "s0" / "high" / "a.flac").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"a\.flac: cannot be read"):
        table_of(task)


def picture(folder: Path, place: str, pixels: np.ndarray, **how: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    path = folder / "shapes" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(pixels.astype(np.uint8)).save(path, **how)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for kind in range(8):
        pixels = np.full((8, 8, 3), (20 * kind, 100, 200))
        picture(tmp_path, f"k{kind}/a.png", pixels)
        picture(tmp_path, f"k{kind}/b.jpg", pixels, quality=95)
        picture(tmp_path, f"k{kind}/c.png", np.dstack([pixels, np.full((8, 8), 0)]))  # transparent: white
    path = tmp_path / "shapes.toml"
    path.write_text(PICTURES)
    return path


def test_d5_colours_become_grey(pictures: Path) -> None:
    table = table_of(pictures)
    grey = (299 * 60 + 587 * 100 + 114 * 200 + 500) // 1000 / 255
    own = table.x[table.labels == 3]
    np.testing.assert_allclose(own[0], 1 - grey, atol=1e-6)
    np.testing.assert_allclose(own[1], 1 - grey, atol=0.02)
    np.testing.assert_allclose(own[2], 0, atol=1e-6)


def test_d6_colours_are_kept_as_channels(pictures: Path) -> None:
    pictures.write_text(PICTURES + "channels = 3\n")
    model = from_toml(pictures)
    assert model.network.shapes[0] == (4, 4, 3)
    table = table_of(pictures)
    own = table.x[table.labels == 3][0].reshape(4, 4, 3)
    np.testing.assert_allclose(own[2, 2], np.array([60, 100, 200]) / 255, atol=1e-6)
    assert model.interface is not None
    assert model.interface.front_end == {"side": 4, "channels": 3, "dark_on_light": False}


def test_parquet_is_a_table_too(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [line.split(",") for line in valves()[1:]]
    machine, pressure, flow, state = (list(column) for column in zip(*rows, strict=True))
    columns = {"machine": machine, "pressure": list(map(float, pressure)), "flow": list(map(float, flow))}
    csv = write_valves(tmp_path / "csv")
    other = tmp_path / "parquet"
    other.mkdir()
    parquet.write_table(arrow.table(columns | {"state": state}), other / "valves.parquet")
    (other / "valves.toml").write_text(TASK.replace("valves.csv", "valves.parquet"))
    first, second = (from_toml(path) for path in (csv, other / "valves.toml"))
    assert np.array_equal(rows_of(first), rows_of(second))
    assert first.interface == second.interface
    parquet.write_table(arrow.table(columns | {"state": [None, *state[1:]]}), other / "valves.parquet")
    with pytest.raises(DataError, match="line 1, column 'state': the cell is empty"):
        from_toml(other / "valves.toml")
    (other / "valves.parquet").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"valves\.parquet: cannot be read as Parquet"):
        from_toml(other / "valves.toml")


def rows_of(model: Model) -> np.ndarray:
    return model.tasks.rows().x  # type: ignore[attr-defined]


def series(folder: Path, more: str) -> Path:
    """Two channels; of each of four machines 40 rows of `still`, then 40 of `moves`."""
    lines = ["machine,state,x,y"]
    for machine in range(4):
        for row in range(80):
            moves = row >= 40
            lines.append(f"m{machine},{'moves' if moves else 'still'},{machine + moves * (-1) ** row},{row % 40}")
    folder.mkdir(exist_ok=True)
    (folder / "series.csv").write_text("\n".join(lines) + "\n")
    told = '[task]\nkind = "table"\npath = "series.csv"\nlabel = "state"\ndevice = "machine"\nheld_out = ["m3"]\n'
    (folder / "series.toml").write_text(told + more)
    return folder / "series.toml"


def test_d7_d8_windows_become_statistics_of_each_channel(tmp_path: Path) -> None:
    table = table_of(series(tmp_path, "window = 16\nhop = 8\n"))
    assert table.columns[:4] == ("x mean", "y mean", "x deviation", "y deviation")
    assert len(table.x) == 4 * 2 * 4  # windows begin at rows 0, 8, 16 and 24 of each run of 40
    moving = table.x[4]  # m0's first window of `moves`
    assert dict(zip(table.columns, moving, strict=True)) == {
        "x mean": 0,
        "y mean": 7.5,
        "x deviation": 1,
        "y deviation": pytest.approx(np.arange(16).std()),
        "x smallest": -1,
        "y smallest": 0,
        "x largest": 1,
        "y largest": 15,
        "x step": 2,
        "y step": 1,
    }


def test_d7_raw_windows_are_scaled_by_channel(tmp_path: Path) -> None:
    task = series(tmp_path, 'window = 10\nwindows = "raw"\n')
    model = from_toml(task)
    assert model.network.input_size == 20
    assert model.interface is not None
    assert model.interface.columns == ("x", "y")
    assert model.interface.front_end == {"window": 10, "windows": "raw"}
    table = table_of(task)
    assert table.x[0, :4].tolist() == [0, 0, 0, 1]  # row by row, the channels of a row side by side
    inputs = model.interface.inputs
    assert inputs is not None
    assert np.array_equal(rows_of(model), inputs.standardised(table.x))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("window = 41\n", "no device has 41 rows of one class in a row"),
        ("window = 1\n", "[task] window: 1 rows"),
        ("hop = 4\n", "[task] hop: there are no windows"),
        ('window = 8\nwindows = "fft"\n', "[task] windows: 'fft' is none"),
    ],
)
def test_windows_that_cannot_be_are_said(tmp_path: Path, more: str, sentence: str) -> None:
    with pytest.raises(ModelError) as caught:
        from_toml(series(tmp_path, more))
    assert sentence in caught.value.message


def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    sound = sound_task(tmp_path, a_wav=wav(tone(900, 0.5, 8_000)[:, None], 8_000, 16))
    table = write_valves(tmp_path / "p")
    table.write_text(TASK.replace("valves.csv", "valves.parquet"))
    monkeypatch.setattr(extras.importlib, "import_module", missing)
    for task, words, extra in (
        (sound, r"a\.wav: reading it needs the package soxr", "audio"),
        (pictures, r"a\.png: reading it needs the package PIL", "images"),
        (table, r"valves\.parquet: reading it needs the package pyarrow", "parquet"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            from_toml(task)
        assert caught.value.hint == f"Install the extra: pip install 'jaragua[{extra}]'."


def test_what_travels_is_read_as_it_was_written(tmp_path: Path) -> None:
    interface = from_toml(write_valves(tmp_path)).interface
    assert interface is not None
    assert interface.classes == ("closed", "leaking", "open")
    assert ModelInterface.from_json(interface.to_json()) == interface
    assert ModelInterface.from_json(interface.to_json()).to_json() == interface.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "nan",
        '{"kind": "table", "classes": 3, "inputs": null, "front_end": {}}',
        '{"kind": "fire", "classes": [], "inputs": null, "front_end": {}}',
        '{"kind": "audio", "classes": [1], "inputs": null, "front_end": {}}',
        '{"kind": "audio", "classes": [], "inputs": null, "front_end": {"a": []}}',
        '{"kind": "table", "classes": [], "inputs": {"columns": []}, "front_end": {}}',
        '{"kind": "table", "classes": [], "inputs": {"columns": [{"name": "x"}]}, "front_end": {}}',
        "[" * 100_000,
    ],
)
def test_what_a_stranger_writes_is_refused(text: str) -> None:
    with pytest.raises(CompileError):
        ModelInterface.from_json(text)
