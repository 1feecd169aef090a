"""A compiled network as a library for the Arduino IDE: a ZIP file for "Add .ZIP Library", with an example."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from importlib.resources import files
from typing import Final

from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.compile import Compiled
from jaragua_compiler.export.files.prefix import renamed
from jaragua_compiler.export.folder import MANIFEST, with_manifest

#: The same for every archive, so that the same network gives the same bytes.
_DATE: Final = (2026, 1, 1, 0, 0, 0)
_ROOT_FILES: Final = ("README.md", "LICENSE")


def with_arduino(compiled: Compiled, version: str) -> Compiled:
    """The same with the archive among its files. `version`: of the library. Raises CompileError as arduino_zip does."""
    facts = json.loads(compiled.files[MANIFEST])
    for made_anew in ("made_by", "files"):
        del facts[made_anew]
    name, content = arduino_zip(compiled, version)
    files = {one: compiled.files[one] for one in compiled.files if one != MANIFEST}
    return replace(compiled, files=with_manifest({**files, name: content}, facts))


def arduino_zip(compiled: Compiled, version: str) -> tuple[str, bytes]:
    """Name and bytes of the archive. Raises CompileError if the example could not enrol anything."""
    if not compiled.plan.prototypes:
        raise CompileError(
            "the Arduino example enrols classes, for which the C has no room.", "Say how many with --prototypes."
        )
    library = f"Jaragua_{compiled.prefix}"
    return f"{library}.zip", _archive({f"{library}/{name}": text for name, text in _files(compiled, version).items()})


def _files(compiled: Compiled, version: str) -> dict[str, bytes]:
    prefix = compiled.prefix
    sketch = f"{prefix}_enrol_and_recognise"
    code = {
        f"src/{name}": content
        for name, content in compiled.files.items()
        if name.endswith((".c", ".h")) and not name.endswith("_selftest.c")
    }
    return {
        "library.properties": _properties(prefix, compiled.plan.network.name, version).encode(),
        f"examples/{sketch}/{sketch}.ino": _sketch(prefix).encode(),
        **code,
        **{name: compiled.files[name] for name in _ROOT_FILES},
    }


def _properties(prefix: str, network: str, version: str) -> str:
    values = {
        "name": f"Jaragua_{prefix}",
        "version": version,
        "author": "Jaragua",
        "maintainer": "Jaragua",
        "sentence": f"The network {network}: learns and recognises on the board, in integers.",
        "paragraph": "Made by jaragua compile. Allocates nothing and needs no FPU.",
        "category": "Data Processing",
        "url": "https://docs.arduino.cc/arduino-cli/library-specification/",
        "architectures": "*",
        "includes": f"{prefix}.h",
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _sketch(prefix: str) -> str:
    """The example, in which `jrg_model` stands for the prefix."""
    text = files("jaragua_compiler.export.files").joinpath("arduino_sketch.txt").read_text(encoding="utf-8")
    return renamed(text, prefix)


def _archive(contents: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(contents.items()):
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
