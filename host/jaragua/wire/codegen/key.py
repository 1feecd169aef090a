"""Make ``jrg_key.h``: whether an image verifies the coordinator's signatures, and with which key (G32).

``python -m jaragua.wire.codegen.key FOLDER [FILE]`` writes the header into FOLDER; FILE is the coordinator's public key
as ``jaragua broker init`` writes it (Ed25519, PEM). Without it the image verifies nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from pathlib import Path
from typing import Final

HEADER_NAME: Final = "jrg_key.h"
#: What precedes the 32 bytes of a public key of Ed25519 in DER (RFC 8410, 4).
_DER_HEAD: Final = bytes.fromhex("302a300506032b6570032100")
_KEY_BYTES: Final = 32
_PEM: Final = re.compile(r"-----BEGIN PUBLIC KEY-----\s+(.+?)\s+-----END PUBLIC KEY-----", re.DOTALL)


def key_in(path: Path) -> bytes:
    """The 32 bytes of the public key in a PEM file. Raises: ValueError, a sentence; OSError."""
    found = _PEM.search(path.read_text(encoding="utf-8", errors="replace"))
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True) if found else b""
    except binascii.Error:
        der = b""
    if der[: len(_DER_HEAD)] != _DER_HEAD or len(der) != len(_DER_HEAD) + _KEY_BYTES:
        raise ValueError(f"{path} does not hold a public key of Ed25519 in PEM")
    return der[len(_DER_HEAD) :]


def header_text(key: bytes | None) -> str:
    """The header for an image with this key; None: for one that verifies nothing."""
    if key is None:
        return "#ifndef JRG_KEY_H\n#define JRG_KEY_H\n#define JRG_NODE_VERIFIES 0\n#endif\n"
    numbers = ", ".join(f"0x{byte:02x}" for byte in key)
    return (
        "#ifndef JRG_KEY_H\n#define JRG_KEY_H\n#define JRG_NODE_VERIFIES 1\n"
        f"#define JRG_NODE_PUBLIC_KEY {{{numbers}}}\n#endif\n"
    )


def write_header(folder: Path, key: bytes | None = None) -> None:
    """Write the header, unless it is there: a newer file would be compiled again."""
    path, text = folder / HEADER_NAME, header_text(key)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_header(Path(sys.argv[1]), key_in(Path(sys.argv[2])) if len(sys.argv) > 2 else None)
