"""Make ``jrg_version.h``: the version of this package, and a hash of the sources that an image is built from.

``python -m jaragua.wire.codegen.version FOLDER FIRMWARE [FILE]`` writes the header into FOLDER; FIRMWARE is the folder
of the firmware's sources, FILE the coordinator's public key if the image has one (G32). A clone and an installed
package of the same sources have the same hash.
"""

from __future__ import annotations

import hashlib
import sys
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Final

from jaragua import __version__
from jaragua.wire.codegen.key import key_in

HEADER_NAME: Final = "jrg_version.h"
_HASHED: Final = {".c", ".h", ".cpp", ".ld", ".toml", ".cddl", ".py"}
#: The firmware as the wheel carries it, inside the compiler's package.
_CARRIED: Final = "_firmware"


def build_hash(firmware: Path, key: bytes | None = None) -> str:
    """Eight bytes, in hex, that name the sources of an image: firmware, definitions and compiler, and its key (G32)."""
    digest = hashlib.sha256(b"" if key is None else b"key\0" + key)
    for place, path in sorted(_sources(firmware)):
        digest.update(str(place).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def header_text(firmware: Path, key: bytes | None = None) -> str:
    """The two things an image says about its origin."""
    digest = build_hash(firmware, key)
    numbers = ", ".join(f"0x{digest[i : i + 2]}" for i in range(0, 16, 2))
    return f'#define JRG_FIRMWARE_VERSION "{__version__}"\n#define JRG_FIRMWARE_BUILD {{{numbers}}}\n'


def main(folder: Path, firmware: Path, key: bytes | None = None) -> None:
    """Write the header, unless it is there: a newer file would be compiled again."""
    path, text = folder / HEADER_NAME, header_text(firmware, key)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _sources(firmware: Path) -> list[tuple[PurePosixPath, Path]]:
    """Files, and where they lie in a clone."""
    rooms = {
        "firmware": firmware,
        "host/jaragua/wire": Path(str(files("jaragua"))) / "wire",
        "tools/jaragua_compiler": Path(str(files("jaragua_compiler"))),
    }
    return [
        (PurePosixPath(place) / path.relative_to(room).as_posix(), path)
        for place, room in rooms.items()
        for path in room.rglob("*")
        if path.suffix in _HASHED and path.relative_to(room).parts[0] != _CARRIED
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), key_in(Path(sys.argv[3])) if len(sys.argv) > 3 else None)
