"""How this machine's pip reaches its index, for a system made on it. `python -m common.pip_reach FILE` writes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: The certificates of a Debian system, below its root.
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
_KEYS = ("index-url", "proxy", "trusted-host", "timeout")


def pip_configuration() -> str:
    """Text of a pip.conf, with the certificates where Debian has them."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    said = dict(line.partition("=")[::2] for line in listed.stdout.splitlines())
    found = {name.partition(".")[2]: value.strip("'\"") for name, value in said.items()}
    kept = {name: found[name] for name in _KEYS if name in found} | {"cert": f"/{CERTIFICATES}"}
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in kept.items())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(pip_configuration(), encoding="utf-8")
