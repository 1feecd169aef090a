"""The headers of jrg_nn a generated source needs, in one flat folder, and the licence they come under."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.errors import CompileError
from jaragua_compiler.export.files.c_text import LICENCE_LINE

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)

NOTICE = """\
This folder holds C of Jaragua: the kernels (jrg_nn_*.h), the interface (jrg_model.h), the self-test
(selftest.c, selftest.h), and code that its compiler generated. All of it is licensed under the
Apache License, Version 2.0, which is in the file LICENSE.
"""


def needed_headers(source: str, generated: set[str]) -> dict[str, str]:
    """Headers a source includes, and theirs in turn: name -> text, licensed, flat. `generated` come from elsewhere.

    Both paths of a kernel (portable, DSP) are taken: which one is compiled is decided by the core.
    """
    folder = kernel_folder()
    found: dict[str, str] = {}
    wanted = _INCLUDE.findall(source)
    while wanted:
        place = wanted.pop()
        name = PurePosixPath(place).name
        if name in found or name in generated:
            continue
        text = (folder / place).read_text(encoding="utf-8")
        found[name] = LICENCE_LINE + flat(text)
        wanted += _INCLUDE.findall(text)
    return found


def flat(source: str) -> str:
    """A source whose headers lie beside it, not in the folders of jrg_nn."""
    return _INCLUDE.sub(lambda found: found[0].replace(found[1], PurePosixPath(found[1]).name), source)


def licence_text() -> str:
    """The Apache License, from the repository or the installed package."""
    firmware = kernel_folder().parents[1]
    for path in (firmware / "LICENSE", firmware.parent / "LICENSE"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CompileError("the licence (LICENSE) is missing beside the kernels.", "Install the package again.")
