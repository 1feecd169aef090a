"""What Python needs to import. Imported in a process of its own: a wheel of another processor ends what imports it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

from jaragua.doctor.check import Check

_IMPORT_SECONDS = 120.0
#: Distribution -> module. Those that every role imports.
PACKAGES = {
    "numpy": "numpy",
    "aiomqtt": "aiomqtt",
    "paho-mqtt": "paho.mqtt",
    "pyserial": "serial",
    "cbor2": "cbor2",
    "pydantic": "pydantic",
    "safetensors": "safetensors",
    "rich": "rich",
}
#: Extra -> what it brings.
_PAGES = {"report": ("jinja2", "matplotlib"), "dashboard": ("nicegui",)}
_LITERT = (
    "from jaragua_compiler.errors import CompileError\n"
    "from jaragua_compiler.litert.runtime import runtime_name\n"
    "try:\n"
    "    name = runtime_name()\n"
    "    __import__(name + '.interpreter')\n"
    "    print(name)\n"
    "except CompileError as error:\n"
    "    raise SystemExit(error.message)\n"
)


def check_packages() -> Check:
    """Whether all packages can be imported; those that cannot are named."""
    broken = [] if _run("import " + ", ".join(PACKAGES.values()))[0] else _broken()
    version = f"Python {sys.version.split()[0]}"
    found = f"cannot import {'; '.join(broken)}" if broken else f"{version}, {len(PACKAGES)} packages"
    mend = f"{sys.executable} -m pip install --force-reinstall {' '.join(PACKAGES)}"
    return Check("packages", "are imported by every program", not broken, True, found, mend)


def check_trust() -> Check:
    """What certificates and signatures need: a fleet on a network (docs/design/security.md)."""
    works, said = _run("import cryptography; print('cryptography', cryptography.__version__)")
    mend = f"{sys.executable} -m pip install 'jaragua[trust]'"
    return Check("trust", "makes and checks certificates and signatures", works, False, said, mend)


def check_pages() -> Check:
    """What `jaragua report` and `jaragua dashboard` need; found, not imported, which would take seconds."""
    missing = [extra for extra, modules in _PAGES.items() if not all(map(find_spec, modules))]
    found = f"not installed: {', '.join(missing)}" if missing else "installed: " + ", ".join(_PAGES)
    mend = f"{sys.executable} -m pip install 'jaragua[{','.join(missing or _PAGES)}]'"
    return Check("pages", "make reports and the live page of a fleet", not missing, False, found, mend)


def check_litert(*, needed: bool) -> Check:
    """The runtime of `jaragua client --engine litert`."""
    works, said = _run(_LITERT)
    mend = f"{sys.executable} -m pip install ai-edge-litert"
    return Check("litert", "runs the engine litert of a client", works, needed, said, mend)


def check_builders(*, needed: bool) -> Check:
    """The Python packages that build an image: a PC has them as installed, a Pi with `jaragua[firmware]`."""
    works, said = _run("import platformio, SCons, zcbor; print('PlatformIO', platformio.__version__)")
    mend = f"{sys.executable} -m pip install 'jaragua[firmware]'"
    return Check("pio", "builds and uploads images", works, needed, said, mend)


def _broken() -> list[str]:
    said = ((name, *_run(f"import {module}")) for name, module in PACKAGES.items())
    return [f"{name} ({reason})" for name, works, reason in said if not works]


def _run(code: str) -> tuple[bool, str]:
    """Whether code runs, and the last line that it says."""
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_IMPORT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    if done.returncode < 0:
        return False, f"ended by signal {-done.returncode}: it was built for another processor"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""
