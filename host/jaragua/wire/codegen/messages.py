"""Make the board's C of ``host/jaragua/wire/messages.cddl`` with zcbor: bounds-checked; zcbor's own sources come along.

``python -m jaragua.wire.codegen.messages FOLDER`` writes into FOLDER, which it then makes a PlatformIO library.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

from jaragua.errors import ToolError
from jaragua.wire.codegen.constants import load_definitions

# zcbor's code and its warnings are not ours. Canonical: arrays of known length only, one way to write a message.
COMPILER_FLAGS = ["-w", "-DZCBOR_CANONICAL"]

_STAMP = "messages.sha256"
_LIBRARY = {"name": "jrg_messages", "version": "1.0.0", "build": {"flags": COMPILER_FLAGS}}


def write_messages(folder: Path) -> None:
    """Write the C into ``folder`` (made if missing), unless it holds that of the same definition already."""
    source = files("jaragua") / "wire" / "messages.cddl"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    stamp = folder / _STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(source) as cddl:
        _run_zcbor(cddl, folder)
    (folder / "library.json").write_text(json.dumps(_LIBRARY), encoding="utf-8")
    stamp.write_text(digest, encoding="utf-8")


def _run_zcbor(cddl: Path, folder: Path) -> None:
    if importlib.util.find_spec("zcbor") is None:
        raise ToolError(
            "zcbor is not installed, which makes a board's C of the messages.",
            "Install it with: pip install 'zcbor<0.10'",
        )
    most = str(load_definitions()["limits"]["prediction_outputs"])
    what = ["--decode", "--encode", "-t", "request", "response", "--default-max-qty", most, "--copy-sources"]
    where = ["--oc", str(folder / "jrg_messages.c"), "--oh", str(folder / "jrg_messages.h")]
    command = [sys.executable, "-m", "zcbor.zcbor.zcbor", "code", "-c", str(cddl), *what, *where]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ToolError(f"zcbor could not make C from {cddl.name}: {lines[-1] if lines else 'no reason given'}")


if __name__ == "__main__":
    write_messages(Path(sys.argv[1]))
