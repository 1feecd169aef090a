"""Before PlatformIO builds: make the C that is never committed, as libraries in <build folder>/generated.

jrg_defs (numbers of the protocol, version, key), jrg_messages (zcbor's C of messages.cddl), jrg_generated (network).
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

Import("env")  # noqa: F821  (SCons puts it, and env, here)

PROJECT = Path(env.subst("$PROJECT_DIR"))  # noqa: F821


def python() -> str:
    """The project's own interpreter knows the compiler, whoever started PlatformIO."""
    local = PROJECT / ".venv" / "bin" / "python"
    return str(local) if local.exists() else env.subst("$PYTHONEXE")  # noqa: F821


def run(*arguments: str) -> None:
    """Run a Python module of the project; end the build with its last words if it fails."""
    done = subprocess.run([python(), "-m", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout + done.stderr)
        env.Exit(f"Error: `python -m {' '.join(arguments)}` failed (above). Run `make setup-demo` and try again.")  # noqa: F821


def uploads_only() -> bool:
    """JARAGUA_UPLOAD=1: a finished image lies in its own folder, and nothing is built (jaragua.emulate.image)."""
    return os.environ.get("JARAGUA_UPLOAD", "0") not in ("", "0")


def choose_model() -> str:
    """JARAGUA_MODEL overrides custom_jaragua_model; another model, sums, prototypes and a key get a build folder."""
    default = env.GetProjectOption("custom_jaragua_model")  # noqa: F821
    model = os.environ.get("JARAGUA_MODEL") or default
    if model != default or accumulates() or prototypes() or coordinator_key():
        label = re.sub(r"[^A-Za-z0-9._-]", "_", Path(model).stem) if model.endswith(".toml") else model
        folder = f"$PIOENV-{label}" + ("-sums" if accumulates() else "")
        folder += f"-prototypes{prototypes()}" if prototypes() else ""
        folder += (
            f"-signed-{hashlib.sha256(coordinator_key().read_bytes()).hexdigest()[:8]}" if coordinator_key() else ""
        )
        env.Replace(BUILD_DIR=os.path.join("$PROJECT_BUILD_DIR", folder))  # noqa: F821
    return model


def accumulates() -> bool:
    """JARAGUA_ACCUMULATE=1: the image has sums, so that a step can take several samples (A11.1)."""
    return os.environ.get("JARAGUA_ACCUMULATE", "0") not in ("", "0")


def prototypes() -> int:
    """JARAGUA_PROTOTYPES=N: the image has room to recognise N classes by prototypes (A12)."""
    text = os.environ.get("JARAGUA_PROTOTYPES") or "0"
    if not text.isdecimal() or int(text) > 255:
        env.Exit(f"Error: JARAGUA_PROTOTYPES={text} is not a number of classes, 1 to 255.")  # noqa: F821
    return int(text)


def coordinator_key() -> Path | None:
    """JARAGUA_COORDINATOR_KEY=FILE: the image verifies the coordinator's signatures with this public key (G32)."""
    text = os.environ.get("JARAGUA_COORDINATOR_KEY") or ""
    if text and not Path(text).is_file():
        env.Exit(f"Error: JARAGUA_COORDINATOR_KEY={text} is not a file.")  # noqa: F821
    return Path(text) if text else None


def folder_of(name: str) -> Path:
    """A folder of generated C that PlatformIO takes for a library."""
    folder = Path(env.subst("$BUILD_DIR")) / "generated" / name  # noqa: F821
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def generate() -> None:
    """Make the three libraries and let PlatformIO find them."""
    definitions, messages, network = (folder_of(name) for name in ("jrg_defs", "jrg_messages", "jrg_generated"))
    run("jaragua.wire.codegen.constants", str(definitions))
    key = [str(coordinator_key())] if coordinator_key() else []
    run("jaragua.wire.codegen.version", str(definitions), str(PROJECT / "firmware"), *key)
    run("jaragua.wire.codegen.key", str(definitions), *key)
    run("jaragua.wire.codegen.messages", str(messages))
    options = ["--accumulate"] if accumulates() else []
    options += ["--prototypes", str(prototypes())] if prototypes() else []
    options += ["--prototype-gradients"] if prototypes() and not accumulates() else []
    run("jaragua_models", "emit", "--model", model, "--out", str(network), *options)
    env.Append(LIBSOURCE_DIRS=[str(network.parent)])  # noqa: F821


env.Replace(JARAGUA_PYTHON=python())  # noqa: F821  (upload_command of platformio.ini)
if uploads_only():
    env.Replace(BUILD_DIR=os.path.join("$PROJECT_BUILD_DIR", "$PIOENV-upload"))  # noqa: F821
else:
    model = choose_model()
if not uploads_only() and not env.IsCleanTarget():  # noqa: F821
    generate()
