"""Your own data: a table, recordings, images become tasks; what is wrong is named with its place."""

import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaragua_models import ChecksDevices, DataError, KnowsClasses, Model, ModelError, NamesDevices, Task, from_toml
from jaragua_models.own_data.devices import name_of

TABLE_TOML = """
[task]
name = "valves"
kind = "table"
path = "valves.csv"
label = "state"
device = "machine"
"""
IMAGES_TOML = '[task]\nname = "shapes"\nkind = "images"\npath = "shapes"\nside = 16\n'
AUDIO_TOML = '[task]\nname = "orders"\nkind = "audio"\npath = "orders"\n'


def write(folder: Path, text: str, name: str = "task.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def valves(machines: int = 6, samples: int = 24) -> str:
    """A pressure that tells open from shut, and a number that tells the row."""
    lines = ["machine,pressure,row,state"]
    for machine in range(machines):
        for number in range(samples):
            state = ("open", "shut")[number % 2]
            lines.append(f"m{machine},{5 + number % 2 + number / 100},{machine * samples + number},{state}")
    return "\n".join(lines) + "\n"


def wav(path: Path, hertz: float, seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate) * channels) / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone.astype("<i2").tobytes())


def png(path: Path, pixels: np.ndarray, colour: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write(tmp_path, valves(), "valves.csv")
    return write(tmp_path, TABLE_TOML)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for kind in range(12):
        for number in range(12):
            png(tmp_path / "shapes" / f"kind{kind:02}" / f"{number}.png", random.integers(0, 20, (20, 24)) + 20 * kind)
    return write(tmp_path, IMAGES_TOML)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    for speaker in range(5):
        for place, word in enumerate(("low", "middle", "high")):
            for take in range(12):
                pitch = 400 * (place + 1) + 10 * speaker + take
                wav(tmp_path / "orders" / f"speaker{speaker}" / word / f"{take}.wav", pitch)
    return write(tmp_path, AUDIO_TOML)


def drawn(model: Model) -> tuple[Task, Task]:
    """One task of either side with the model's own defaults, checked against what every model promises."""
    defaults = model.defaults
    train = model.tasks.train_task("device-1", 1, defaults.ways, defaults.shots)
    held_out = model.tasks.held_out_task(1, defaults.ways, defaults.shots, defaults.queries)
    for samples in (train.support, held_out.support, held_out.query):
        assert samples.x.dtype == np.float32
        assert samples.x.shape[1] == model.network.input_size
        assert np.abs(samples.x).max() <= 1
        assert 0 <= samples.y.min() <= samples.y.max() < model.network.outputs
    assert len(train.support) == len(held_out.support) == defaults.ways * defaults.shots
    assert len(held_out.query) == defaults.queries
    assert not {x.tobytes() for x in held_out.support.x} & {x.tobytes() for x in held_out.query.x}
    assert model.tasks.calibration().shape[1] == model.network.input_size
    return train, held_out


def test_a_table_becomes_tasks_of_its_devices(table: Path) -> None:
    model = from_toml(table)
    train, held_out = drawn(model)
    assert (model.name, model.network.inputs, model.network.outputs) == ("valves", 2, 2)
    for task in (train, held_out):
        high = task.support.x[:, 0] > 0
        assert np.array_equal(high, task.support.y == 1)  # fixed names: open is 0 and shut is 1 in every task


def test_a_held_out_device_never_trains_and_does_not_count_for_scaling(tmp_path: Path) -> None:
    text = valves().replace("m5,", "m9,").replace(",120,", ",99999,")
    write(tmp_path, text, "valves.csv")
    model = from_toml(write(tmp_path, TABLE_TOML + 'held_out = ["m9"]\nfeatures = ["row"]\n'))
    trained = {
        float(x[0])
        for seed in range(60)
        for task in [model.tasks.train_task(f"device-{seed + 1}", seed, 2, 5)]
        for x in (*task.support.x, *task.query.x)
    }
    evaluated = model.tasks.held_out_task(1, 2, 5, 2)
    assert max(trained) < 0.5  # +- 1.7 deviations of evenly spread rows, of four
    assert not trained & {float(x[0]) for x in (*evaluated.support.x, *evaluated.query.x)}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Room 1", "room-1"),
        ("m1", "m1"),
        ("Halle/Süd_2", "halle-s-d-2"),
        ("A" * 40, "a" * 32),
        ("x" * 31 + "  y", "x" * 31),
    ],
)
def test_n1_a_device_is_named_after_its_value_in_lower_case(written: str, name: str) -> None:
    found = name_of(written)
    assert found.rstrip("-") == name
    assert len(found) <= 32


def test_n2_a_device_is_named_or_numbered(table: Path) -> None:
    write(table.parent, valves().replace("m1,", "Room 1,"), "valves.csv")
    tasks = from_toml(write(table.parent, TABLE_TOML + 'held_out = ["m5", "m9"]\n')).tasks
    named, numbered = (tasks.train_task(name, 3, 2, 5).support.x for name in ("room-1", "device-1"))
    table_of = from_toml(table).tasks.table  # type: ignore[attr-defined]
    own = {x.tobytes() for x in table_of.x[table_of.devices == "Room 1"]}
    assert {x.tobytes() for x in named} <= own
    assert {x.tobytes() for x in numbered} <= own  # the first by name
    for name, words in (
        ("m5", "valves.csv: device 'm5' is held out: it measures what was learned, and never trains."),
        ("m9", "device 'm9' is held out"),
        ("board-1", "no row is of a device 'board-1'."),
    ):
        assert isinstance(tasks, NamesDevices)
        for refused in (lambda name=name: tasks.check_name(name), lambda name=name: tasks.train_task(name, 1, 2, 5)):
            with pytest.raises(DataError) as caught:
                refused()
            assert words in caught.value.message
    assert "m0, m2, m3, m4, room-1" in caught.value.hint or "room-1, m0" in caught.value.hint


def test_images_become_tasks_of_classes(images: Path) -> None:
    model = from_toml(images)
    assert model.network.inputs == (16, 16, 1)
    assert model.network.outputs == model.defaults.ways == 3
    _, held_out = drawn(model)
    kinds = {int(240 * (1 - x.mean()) / 20) for x in held_out.support.x}
    trained = {
        int(240 * (1 - x.mean()) / 20) for seed in range(50) for x in model.tasks.train_task("d", seed, 3, 1).support.x
    }
    assert len(trained | kinds) <= 12
    assert not trained & kinds


def test_the_training_classes_of_images_are_known(images: Path) -> None:
    """Numbered without those that are held out; a picture's brightness tells its class."""
    tasks = from_toml(images).tasks
    assert isinstance(tasks, KnowsClasses)
    brightness: dict[int, set[int]] = {}
    for seed in range(60):
        support = tasks.train_task("a", seed, 3, 4).support
        known = tasks.train_support_by_class("a", seed, 3, 4)
        assert np.array_equal(known.x, support.x)
        assert len(set(zip(support.y.tolist(), known.y.tolist(), strict=True))) == 3
        for row, label in zip(known.x, known.y.tolist(), strict=True):
            brightness.setdefault(label, set()).add(round(float(255 * (1 - row.mean()) - 30) / 20))
    assert sorted(brightness) == list(range(tasks.training_classes()))
    assert all(len(kinds) == 1 for kinds in brightness.values())
    assert sorted(brightness, key=lambda label: max(brightness[label])) == sorted(brightness)


def test_recordings_become_tasks_of_speakers(audio: Path) -> None:
    model = from_toml(audio)
    assert (model.network.inputs, model.network.outputs) == (208, 3)
    drawn(model)


@pytest.mark.parametrize(
    ("features", "pooling", "inputs"),
    [("mel", "none", 650), ("mfcc", "none", 325), ("mel", "time", 208), ("mfcc", "time", 104), ("mel", "word", 416)],
)
def test_f9_to_f13_a_recording_becomes_what_the_task_says(
    tmp_path: Path, audio: Path, features: str, pooling: str, inputs: int
) -> None:
    options = f'loudness = "fixed"\nfeatures = "{features}"\npooling = "{pooling}"\n'
    model = from_toml(write(tmp_path, AUDIO_TOML + options))
    assert (model.network.inputs, model.network.outputs) == (inputs, 3)
    assert model.interface is not None
    chosen = [model.interface.front_end[name] for name in ("loudness", "pooling", "features")]
    assert chosen == ["fixed", pooling, features]
    frames = [model.interface.front_end[name] for name in ("hop_samples", "frames")]
    assert frames == ([640, 25] if pooling == "none" else [320, 49])
    drawn(model)


def test_f9_recordings_are_normalised_unless_a_task_says_otherwise(tmp_path: Path, audio: Path) -> None:
    first, second = (
        from_toml(write(tmp_path, AUDIO_TOML + more)).tasks.calibration() for more in ("", 'loudness = "fixed"\n')
    )
    assert first.shape == second.shape
    assert not np.array_equal(first, second)


def test_a_front_end_that_there_is_not_is_named(tmp_path: Path, audio: Path) -> None:
    for key, word in (("loudness", "loud"), ("pooling", "max"), ("features", "mfc")):
        with pytest.raises(ModelError, match=rf"\[task\] {key}: '{word}' is none"):
            from_toml(write(tmp_path, f'{AUDIO_TOML}{key} = "{word}"\n'))


def test_names_are_shuffled_if_asked(tmp_path: Path, audio: Path) -> None:
    shuffled = from_toml(write(tmp_path, AUDIO_TOML + 'naming = "shuffled"\n[defaults]\nways = 2\nrounds = 7\n'))
    assert (shuffled.defaults.ways, shuffled.defaults.rounds, shuffled.network.outputs) == (2, 7, 2)
    assert shuffled.own_labels
    assert not from_toml(write(tmp_path, AUDIO_TOML)).own_labels
    drawn(shuffled)
    first, second = (shuffled.tasks.train_task("device-1", seed, 2, 2).support for seed in (0, 1))
    assert not np.array_equal(first.x, second.x)


def test_d12_a_task_has_the_settings_of_its_kind_of_data(tmp_path: Path, table: Path, audio: Path) -> None:
    """Strategy, passes of a round, passes and rate of a new device."""

    def told(text: str, strategy: str | None = None) -> tuple[str, int, int, float]:
        found = from_toml(write(tmp_path, text)).defaults_of(strategy)
        return found.strategy, found.training_passes, found.passes, found.adapt_learning_rate

    assert told(TABLE_TOML) == ("tinyreptile", 4, 16, 0.0)
    assert told(TABLE_TOML + "time = []\n") == ("tinyreptile", 4, 16, 0.0)
    by_time = TABLE_TOML + 'features = ["pressure"]\ntime = "row"\n'
    assert told(by_time) == ("tinyreptile", 4, 4, 0.00667)
    assert told(by_time + "[defaults]\nlearning_rate = 0.3\npasses = 2\n") == ("tinyreptile", 4, 2, 0.1)
    assert told(AUDIO_TOML) == ("tinyreptile", 4, 64, 0.06)
    assert told(AUDIO_TOML + "[defaults]\nlearning_rate = 0.3\n")[3] == 0.5
    shuffled = AUDIO_TOML + 'naming = "shuffled"\n'
    assert told(shuffled)[:2] == ("protoreptile", 1)
    assert told(shuffled, "tinyreptile") == ("tinyreptile", 4, 16, 0.0)
    for words in ('[defaults]\nstrategy = "tinyreptile"\n', "[network]\nhidden = []\n"):
        assert told(shuffled + words) == ("tinyreptile", 4, 16, 0.0)


def test_d12_episodes_have_settings_that_the_file_can_change(tmp_path: Path, audio: Path) -> None:
    shuffled = AUDIO_TOML + 'naming = "shuffled"\n[defaults]\nshots = 1\n'

    def told(text: str) -> tuple[int, float, int, int, float]:
        found = from_toml(write(tmp_path, text)).defaults_of(None)
        episode = found.shots_of_a_round, found.temperature, found.episode_queries
        return (*episode, found.refine_passes, found.adapt_learning_rate)

    assert told(shuffled) == (3, 0.3, 2, 16, 0.06)
    changed = "training_shots = 4\ntemperature = 0.1\nepisode_queries = 0\nrefine_passes = 0\nlearning_rate = 0.01\n"
    assert told(shuffled + changed) == (4, 0.1, 0, 0, 0.03)


def test_d12_images_learn_features_for_prototypes(images: Path) -> None:
    """As many episodes of three as each training class has images for, three at most."""

    def told(text: str = "") -> tuple[str, int, int, int, float]:
        found = from_toml(write(images.parent, IMAGES_TOML + text)).defaults_of(None)
        return found.strategy, found.shots_of_a_round, found.episode_queries, found.refine_passes, found.temperature

    assert told() == ("protoreptile", 9, 2, 0, 0.3)
    assert told("[defaults]\ntraining_shots = 6\ntemperature = 0.1\n") == ("protoreptile", 6, 2, 0, 0.1)
    assert told('[defaults]\nstrategy = "tinyreptile"\n')[:3] == ("tinyreptile", 5, 0)
    trains, kept = "kind00", 'held_out = ["kind10", "kind11", "kind09"]\n'
    few = sorted((images.parent / "shapes" / trains).iterdir())
    for path in few[8:]:
        path.unlink()
    assert told(kept)[:2] == ("protoreptile", 6)
    for path in few[2:8]:
        path.unlink()
    assert told(kept)[:2] == ("tinyreptile", 5)
    assert told(kept.replace("kind09", trains))[:2] == ("protoreptile", 9)


def test_refinement_and_episodes_may_be_none(tmp_path: Path, table: Path) -> None:
    """`jaragua tune` writes 0 over what an earlier search found."""
    model = from_toml(write(tmp_path, TABLE_TOML + "[defaults]\nrefine_passes = 0\nepisode_queries = 0\n"))
    assert (model.defaults.refine_passes, model.defaults.episode_queries) == (0, 0)


def test_network_and_defaults_are_taken_from_the_file(tmp_path: Path, table: Path) -> None:
    extra = "[network]\nhidden = [12, 6]\n[defaults]\nlearning_rate = 0.1\nshots = 3\nalpha = 1\n"
    model = from_toml(write(tmp_path, TABLE_TOML + extra))
    assert model.network.shapes == ((2,), (12,), (6,), (2,))
    assert (model.defaults.learning_rate, model.defaults.shots, model.defaults.queries) == (0.1, 3, 10)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (lambda text: text + "[", "task.toml: it is not TOML", "line"),
        (lambda text: text.replace("[task]", "[tasks]"), "[tasks]: there is no such section", "'task'"),
        (lambda text: text.replace("label", "lable"), "[task] lable: nothing of that name", "'label'"),
        (lambda text: text.replace('label = "state"', ""), "[task] label: it is missing", 'label = "..."'),
        (lambda text: text.replace('"table"', '"tabel"'), "[task] kind: 'tabel' is none", "table, audio, images"),
        (lambda text: text.replace('"state"', "7"), "[task] label: 7 is not text", ""),
        (lambda text: text.replace('"state"', '"stat"'), "valves.csv: there is no column 'stat'", "'state'"),
        (lambda text: text.replace('"machine"', '"device"'), "there is no column 'device'", "pressure"),
        (lambda text: text.replace("valves.csv", "other.csv"), "other.csv: cannot be read: No such file", "Check path"),
        (lambda text: text + "[defaults]\nalpha = 5", "[defaults] alpha: 5 is too large", "at most 1"),
        (lambda text: text + "[defaults]\nlearning_rate = 1.0", "[defaults] learning_rate: 1.0 is too large", ""),
        (lambda text: text + "[defaults]\nlearning_rate = nan", "[defaults] learning_rate: nan is too large", ""),
        (lambda text: text + 'held_out = "m1"', "[task] held_out: 'm1' is not a list", ""),
        (lambda text: text + "held_out = [1]", "[task] held_out: [1] is not a list of text", ""),
        (
            lambda text: text + 'held_out = ["m0","m1","m2","m3","m4","m5"]',
            "no row is of a device that trains, so there is no scaling",
            "--scaling",
        ),
        (lambda text: text + 'naming = "random"', "[task] naming: 'random' is none", "fixed, shuffled"),
        (lambda text: text + "side = 9", "[task] side: nothing of that name", ""),
        (
            lambda text: text + 'features = ["state"]',
            "column 'state' is the label, and in features, too",
            "Take it out",
        ),
        (lambda text: text + 'features = ["machine"]', "column 'machine': 'm0' is not a number", ""),
        (lambda text: text + 'features = ["row", "row"]', "column 'row' is in features twice", ""),
        (lambda text: text.replace('"machine"', '"state"'), "label and device are both column 'state'", "two columns"),
        (lambda text: text + 'held_out = ["m1", "m1"]', "device 'm1' is in held_out twice", ""),
        (lambda text: text.replace("valves.csv", ""), "[task] path: '' is none", ""),
        (lambda text: text.replace("valves.csv", "a\\u0000"), "[task] path: 'a\\x00' is none", ""),
        (lambda text: text + "[network]\nfilters = [8]", "[network] filters: nothing of that name", "hidden"),
        (lambda text: text + "[network]\nhidden = [0]", "[network]", ""),
        (
            lambda text: text + '[network]\nhidden = "metrik"',
            "[network] hidden: 'metrik' is none",
            '"metric"',
        ),
        (lambda text: text + "[defaults]\nround = 3", "[defaults] round: nothing of that name", "'rounds'"),
        (lambda text: text + "[defaults]\nrounds = 0", "[defaults] rounds: 0 is not above 0", ""),
        (lambda text: text + "[defaults]\nrefine_passes = -1", "[defaults] refine_passes: -1 is not 0 or more", ""),
        (lambda text: text + "[defaults]\nrounds = 2.5", "[defaults] rounds: 2.5 is not a whole number", ""),
        (lambda text: text.replace('"valves"', '"My Valves"'), "[task] name: 'My Valves' is not an identifier", "a-z"),
        (lambda text: text.replace('"valves"', '""'), "[task] name: '' is not an identifier", "a-z"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_place(
    tmp_path: Path, table: Path, change: Callable[[str], str], message: str, hint: str
) -> None:
    with pytest.raises(ModelError) as caught:
        from_toml(write(tmp_path, change(TABLE_TOML)))
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_without_a_name_a_task_is_called_like_its_file_made_fit(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "My Valves, 2.toml"
    path.write_text("\n".join(line for line in TABLE_TOML.splitlines() if not line.startswith("name")))
    assert from_toml(path).network.name == from_toml(path).name == "my-valves-2"


def test_missing_or_damaged_data_are_an_error_of_data_and_a_bad_description_is_not(tmp_path: Path, table: Path) -> None:
    with pytest.raises(ModelError) as caught:
        from_toml(tmp_path / "none.toml")
    assert not isinstance(caught.value, DataError)
    (tmp_path / "valves.csv").write_text("machine,pressure\n")
    with pytest.raises(DataError):
        from_toml(table)
    (tmp_path / "valves.csv").unlink()
    with pytest.raises(DataError, match=r"valves\.csv: cannot be read"):
        from_toml(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("m1,5.0,", "m1,,"), "line 26, column 'pressure': the cell is empty."),
        (lambda text: text.replace("m1,5.0,", "m1,2026-01-31,"), "line 26, column 'pressure': '2026-01-31' is not a"),
        (lambda text: text.replace("m1,5.0,", "m1,inf,"), "line 26, column 'pressure': 'inf' is not a number"),
        (lambda text: text.replace("m1,5.0,", "m1,"), "line 26: it does not have as many cells"),
        (lambda text: text.replace("m1,5.0,", "\n\nm1,,"), "line 28, column 'pressure': the cell is empty"),
        (lambda text: text.replace("m1,5.0,", "m1,nan,"), "line 26, column 'pressure': 'nan' is not a number"),
        (lambda text: text.replace("m1,5.0,", "m1,1e300,"), "line 26, column 'pressure': 1e300 is larger than 1e+15"),
        (lambda text: text.replace("m1,5.0,", ",5.0,"), "line 26, column 'machine': the cell is empty."),
        (lambda text: text.replace("m1,", " ,"), "line 26, column 'machine': the cell is empty, and 23 more."),
        (lambda text: text.replace("shut", ""), "line 3, column 'state': the cell is empty, and 71 more."),
        (lambda text: text.replace("pressure,row", "row,row"), "two columns are called 'row'"),
        (lambda text: text.replace("open", "shut"), "there is 1 class: shut"),
        (lambda text: "machine,pressure,state\n" + "".join(f"m{n},1,{n}\n" for n in range(65)), "there are 65 classes"),
        (lambda text: text.split("\n")[0], "it has no rows"),
        (lambda text: "", "it has no rows"),
        (lambda text: text.replace(",", ";"), "its cells are parted by ';', not by commas"),
        (lambda text: text.replace(",", ";").replace(".", ","), "its cells are parted by ';', not by commas"),
        (lambda text: text.replace(",", "\t"), "its cells are parted by '\\t', not by commas"),
        (lambda text: text.replace("m1,5.0", "m1,5\0"), "line 26: there is a zero byte: it is UTF-16, or no text"),
        (lambda text: text.replace("m1,5.0,", '"m1,5.0,'), "it is not CSV: unexpected end of data"),
        (lambda text: text.replace("pressure", ""), "column 2 has no name"),
        (lambda text: text.replace("open", "1").replace("shut", "1.0"), "'1' and '1.0' would be two classes"),
        (
            lambda text: "\n".join(line[: line.find(",")] + ",5,7" + line[-5:] for line in text.split("\n")[1:-1]).join(
                ("machine,pressure,row,state\n", "\n")
            ),
            "no feature changes: each has one value in all rows of the devices that train",
        ),
        (
            lambda text: "\n".join(text.split("\n")[:25]),
            "there is 1 device, of which 1 held out; at least 1 must be held out, and 1 left",
        ),
    ],
)
def test_what_is_wrong_in_the_table_is_named_with_its_line(
    tmp_path: Path, table: Path, change: Callable[[str], str], message: str
) -> None:
    write(tmp_path, change(valves()), "valves.csv")
    with pytest.raises(ModelError) as caught:
        from_toml(table)
    assert "valves.csv" in caught.value.message
    assert message in caught.value.message


def test_a_recording_that_does_not_fit_is_named(tmp_path: Path, audio: Path) -> None:
    bad = tmp_path / "orders" / "speaker3" / "low" / "99.wav"
    for change, reason in (
        ({"rate": 900}, "900 samples a second"),
        ({"seconds": 0.0}, "no samples"),
    ):
        wav(bad, 500, **change)
        with pytest.raises(ModelError, match=reason) as caught:
            from_toml(audio)
        assert "speaker3/low/99.wav" in caught.value.message
    whole = bad.read_bytes()
    longer_than_the_file = whole[:16] + b"\xff\xff\xff\xff" + whole[20:]
    for content in (b"", whole[:30], whole[:50], whole[:999], b"hello", longer_than_the_file):
        bad.write_bytes(content)
        with pytest.raises(ModelError, match=r"99\.wav"):
            from_toml(audio)


def test_a_class_without_a_file_is_named(audio: Path, images: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "shapes" / "kind03").iterdir():
        path.rename(path.with_suffix(".gif"))
    with pytest.raises(
        ModelError, match=r"shapes/kind03: there is no \.png or \.jpg or \.jpeg file in it \(but \.gif\)\."
    ):
        from_toml(write(tmp_path, IMAGES_TOML))
    for path in (tmp_path / "orders" / "speaker2" / "high").iterdir():
        path.unlink()
    with pytest.raises(ModelError, match=r"speaker2/high: there is no \.wav or \.flac or \.ogg file in it\."):
        from_toml(write(tmp_path, AUDIO_TOML))


def test_what_programs_leave_beside_the_data_is_no_data(images: Path, tmp_path: Path) -> None:
    (tmp_path / "shapes" / ".ipynb_checkpoints").mkdir()
    for place in (".ipynb_checkpoints/0.png", "kind03/._0.png", ".DS_Store"):
        (tmp_path / "shapes" / place).write_text("no image")
    from_toml(images)


def test_blanks_around_the_cells_of_a_table_change_nothing(table: Path, tmp_path: Path) -> None:
    plain = from_toml(table).tasks.held_out_task(1, 2, 3, 4)
    write(tmp_path, valves().replace(",", ", ").replace("open", "open ").replace("m1,", "m1 ,"), "valves.csv")
    blanks = from_toml(table).tasks.held_out_task(1, 2, 3, 4)
    np.testing.assert_array_equal(plain.query.x, blanks.query.x)
    np.testing.assert_array_equal(plain.query.y, blanks.query.y)


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, images: Path) -> None:
    bad = tmp_path / "shapes" / "kind03" / "bad.jpg"
    for content in (b"", b"hello", b"\xff\xd8\xff\xe0 no more", b"\x89PNG\r\n\x1a\n and no more"):
        bad.write_bytes(content)
        with pytest.raises(ModelError, match=r"kind03/bad\.jpg: it is"):
            from_toml(images)


@pytest.mark.parametrize("toml", [AUDIO_TOML, IMAGES_TOML])
def test_a_folder_that_is_missing_or_empty_is_named(tmp_path: Path, toml: str) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        from_toml(write(tmp_path, toml))
    for name in ("orders", "shapes"):
        (tmp_path / name).mkdir()
    with pytest.raises(ModelError, match="there is no file <"):
        from_toml(write(tmp_path, toml))


def test_samples_that_do_not_reach_are_said_when_a_task_is_drawn(table: Path) -> None:
    tasks = from_toml(table).tasks
    with pytest.raises(ModelError, match="0 classes with 13 samples"):
        tasks.train_task("device-1", 1, 2, 13)
    with pytest.raises(ModelError, match="not 3"):
        tasks.held_out_task(1, 3, 1, 3)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", "line 1: it is not text in UTF-8"),
        ("utf-16-le", "line 1: there is a zero byte"),
        ("latin-1", "line 2: it is not text in UTF-8"),
    ],
)
def test_a_table_in_another_encoding_is_named(table: Path, encoding: str, words: str) -> None:
    text = valves() if encoding == "utf-16-le" else valves().replace("open", "ouvert\xe9")
    (table.parent / "valves.csv").write_bytes(text.encode(encoding))
    with pytest.raises(ModelError, match=words) as caught:
        from_toml(table)
    assert "UTF-8" in caught.value.hint


def test_what_windows_writes_is_read(table: Path) -> None:
    """A byte order mark before either file, line ends of two bytes, blanks after the names of columns."""
    plain = from_toml(table).tasks.held_out_task(1, 2, 3, 4)
    table.write_bytes(b"\xef\xbb\xbf" + TABLE_TOML.replace("\n", "\r\n").encode())
    text = valves().replace("pressure,row,state", "pressure , row ,state ").replace("\n", "\r\n")
    (table.parent / "valves.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    np.testing.assert_array_equal(from_toml(table).tasks.held_out_task(1, 2, 3, 4).support.x, plain.support.x)
    table.write_bytes(TABLE_TOML.encode("utf-16"))
    with pytest.raises(ModelError, match="not UTF-8 text") as caught:
        from_toml(table)
    assert caught.value.hint == "Save it as UTF-8."


#: Of a pressure that tells open from shut: where it is, and how much it changes.
@pytest.mark.parametrize(
    ("offset", "change"), [(1e5, 1), (1e9, 1), (1.7e9, 0.25), (1e15 - 1, 0.125), (0, 1e-30), (0, 1e-310), (1, 1e-9)]
)
def test_a_number_that_changes_little_tells_the_classes_apart(table: Path, offset: float, change: float) -> None:
    """In float32 a billion and one is a billion."""
    lines = [
        f"m{machine},{offset + change * (number % 2)!r},{('open', 'shut')[number % 2]}"
        for machine in range(6)
        for number in range(24)
    ]
    write(table.parent, "machine,pressure,state\n" + "\n".join(lines) + "\n", "valves.csv")
    tasks = from_toml(table).tasks
    for task in (tasks.train_task("device-1", 1, 2, 5), tasks.held_out_task(1, 2, 5, 4)):
        assert np.array_equal(task.support.x[:, 0], np.where(task.support.y == 1, 0.25, -0.25).astype(np.float32))


def test_numbers_are_scaled_by_mean_and_four_deviations_of_the_devices_that_train(table: Path) -> None:
    tasks = from_toml(write(table.parent, TABLE_TOML + 'held_out = ["m5"]\n')).tasks
    rows = [line.split(",")[1:3] for line in valves().split("\n")[1:] if line and not line.startswith("m5")]
    x = np.array(rows, np.float64).astype(np.float32)
    wanted = np.clip((x - x.mean(axis=0)) / (4 * x.std(axis=0)), -1, 1)
    np.testing.assert_allclose(tasks.training_samples().x, wanted, atol=2.0**-20)


def test_what_lacks_samples_is_named_before_it_trains(table: Path, images: Path) -> None:
    lines = [line for n, line in enumerate(valves().split("\n")) if not (line.startswith("m2,") and n % 4)]
    write(table.parent, "\n".join(lines), "valves.csv")
    tasks = from_toml(write(table.parent, TABLE_TOML + 'held_out = ["m1"]\n')).tasks
    assert isinstance(tasks, ChecksDevices)
    tasks.check_devices(["device-1", "m0"], 2, 5)
    words = r"device 'm2' has 1 class with 5 samples \(shots and queries\), and a task takes 2: of 'open' there are 0\."
    with pytest.raises(ModelError, match=words):
        tasks.check_devices([f"device-{number}" for number in range(1, 6)], 2, 5)
    classes = from_toml(write(images.parent, IMAGES_TOML)).tasks
    words = r"there are 0 training classes with 13 samples \(shots and queries\), and a task takes 2: of 'kind"
    with pytest.raises(ModelError, match=words):
        classes.train_task("a", 1, 2, 13)


def test_a_recording_that_is_not_taken_is_named(audio: Path, tmp_path: Path) -> None:
    speaker = tmp_path / "orders" / "speaker3"
    (speaker / "low" / "99.wav").symlink_to("nowhere")
    with pytest.raises(ModelError, match=r"99\.wav: cannot be read: No such file or directory\."):
        from_toml(audio)
    (speaker / "low" / "99.wav").unlink()
    wav(tmp_path / "orders" / "speaker9" / "loose.wav", 500)
    with pytest.raises(ModelError, match="speaker9: there is no folder of a word in it"):
        from_toml(audio)
