"""The Arduino library: its layout is the specification's, and its example compiles and works on stubs of the core."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from jaragua_compiler import Network, initial_weights
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.arduino import arduino_zip, with_arduino
from jaragua_compiler.export.choice import Choice
from jaragua_compiler.export.compile import Compiled, compile_model
from jaragua_compiler.export.folder import write_folder
from jaragua_compiler.graph import layers as kinds
from jaragua_compiler.planning.boards import find_board
from strict_c import STRICT

ROOT = Path(__file__).parents[3]
NETWORK = Network("gestures", 6, (kinds.Dense(12, "relu"), kinds.Dense(3)))
#: What the sensor of the test reads while each command is worked off; the loop recognises it once a second.
CONVERSATION = """
setup
loop 1000
read 1.0
send e0
read -1.0
send e1
loop 2000
read 1.0
loop 3000
send e9
send f
loop 4000
"""
EXPECTED = [
    "no class is enrolled yet: send e0",
    "class 0: samples 1",
    "class 1: samples 1",
    "class 1",
    "class 0",
    "there is no room for this class",
    "no class is enrolled yet: send e0",
]


def compiled(prototypes: int | None) -> Compiled:
    choice = Choice(prototypes=prototypes)
    return compile_model(NETWORK, initial_weights(NETWORK, 1), find_board("bbcmicrobit_v2"), choice)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked as the Arduino IDE does."""
    name, data = arduino_zip(compiled(4), "1.2.3")
    folder = tmp_path_factory.mktemp("libraries")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    return folder / Path(name).stem


def test_the_layout_is_that_of_the_specification(library: Path) -> None:
    """docs.arduino.cc/arduino-cli/library-specification."""
    lines = (library / "library.properties").read_text(encoding="utf-8").splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    wanted = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert wanted <= set(properties)
    assert (properties["name"], properties["version"]) == ("Jaragua_gestures", "1.2.3")
    assert (library / "src" / properties["includes"]).is_file()
    sketches = list(library.glob("examples/*/*.ino"))
    assert [sketch.parent.name for sketch in sketches] == [sketch.stem for sketch in sketches]
    assert "jrg_" not in sketches[0].read_text(encoding="utf-8")


def test_the_same_network_gives_the_same_archive() -> None:
    assert arduino_zip(compiled(4), "1.2.3") == arduino_zip(compiled(4), "1.2.3")


def test_without_room_for_classes_there_is_no_example() -> None:
    with pytest.raises(CompileError) as caught:
        arduino_zip(compiled(None), "1.2.3")
    assert "--prototypes" in caught.value.hint


def test_the_archive_is_a_file_of_the_folder(tmp_path: Path) -> None:
    """A second run knows it as its own and replaces it."""
    made = with_arduino(compiled(4), "1.2.3")
    for _ in range(2):
        write_folder(made.files, tmp_path / "out", force=False)
    assert zipfile.is_zipfile(tmp_path / "out" / "Jaragua_gestures.zip")


@pytest.mark.parametrize("compiler", [("gcc", "g++"), ("clang", "clang++")], ids=["gcc", "clang"])
def test_the_example_enrols_and_recognises(library: Path, tmp_path: Path, compiler: tuple[str, str]) -> None:
    """The sketch and the library on a computer, with the calls of the core that it uses in sketch_stubs."""
    if not all(map(shutil.which, compiler)):
        pytest.skip(f"{' AND '.join(compiler).upper()} ARE NOT INSTALLED; tools/setup/setup.sh clang installs them")
    sketch = next(library.glob("examples/*/*.ino"))
    stubs = ROOT / "firmware" / "test" / "sketch_stubs"
    warnings = ["-Wall", "-Wextra", *STRICT]
    includes = [f"-I{library / 'src'}", f"-I{stubs}"]
    objects = []
    for source in sorted(library.glob("src/*.c")):
        objects.append(str(tmp_path / f"{source.stem}.o"))
        subprocess.run([compiler[0], "-O1", *warnings, *includes, "-c", str(source), "-o", objects[-1]], check=True)
    arduino = [
        "-x",
        "c++",
        "-include",
        str(stubs / "Arduino.h"),
        str(sketch),
        str(stubs / "sketch_main.cpp"),
        "-x",
        "none",
    ]
    program = tmp_path / "sketch"
    subprocess.run(
        [compiler[1], "-std=gnu++14", *warnings, *includes, *arduino, *objects, "-o", str(program)], check=True
    )
    done = subprocess.run([program], input=CONVERSATION, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == EXPECTED
