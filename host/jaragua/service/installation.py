"""Writes units and files of options, and tells systemd; asks it how a service is."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jaragua.errors import StoreError, ToolError
from jaragua.reasons import reason_of
from jaragua.service.places import Places, check_program
from jaragua.service.unit import SYSTEM_USERS, Role, default_options, options_text, unit_text
from jaragua.trust import private_files

_RUNNING: Final = Path("/run/systemd/system")
_USERS_FILE: Final = Path("/etc/sysusers.d/jaragua.conf")
_USER: Final = "jaragua"
_SECONDS: Final = 120.0
_PROPERTIES: Final = ("LoadState", "UnitFileState", "ActiveState", "SubState", "NRestarts")


@dataclass(frozen=True)
class Installed:
    """What was written, and the commands that are left to the user."""

    unit: Path
    options: Path
    kept_options: bool
    next: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """One service: its unit, and what systemd says of it ("" if it does not run here)."""

    role: Role
    unit: Path
    is_installed: bool
    enabled: str = ""
    active: str = ""
    restarts: str = ""


def unit_name(role: Role) -> str:
    """Of the unit's file."""
    return f"jaragua-{role}.service"


def install(role: Role, found: Places, program: Path, options: list[str] | None) -> Installed:
    """Write the unit and, where there is none or options are given, the file of options; enable the unit.

    Raises: UsageError, StoreError, ToolError.
    """
    check_program(program, found)
    unit, settings = found.units / unit_name(role), found.config / f"{role}.env"
    words = default_options(role, found.config, found.state).split() if options is None else options
    text = unit_text(role, program, settings, is_system=found.is_system)
    kept = options is None and found.now(settings).exists()
    try:
        _make_folders(found)
        if not kept:
            private_files.write(found.now(settings), options_text(words).encode())
        private_files.write(found.now(unit), text.encode(), private_files.PUBLIC_MODE)
    except OSError as error:
        raise StoreError(f"{found.now(unit)} cannot be written: {reason_of(error)}", _rights_hint(found)) from None
    return Installed(found.now(unit), found.now(settings), kept, _enable(role, found))


def uninstall(role: Role, found: Places) -> list[Path]:
    """Stop and disable a service and remove its unit; options and state stay. Returns what was removed."""
    unit = found.now(found.units / unit_name(role))
    if not unit.exists():
        return []
    if _is_running():
        _systemctl(found, "disable", "--now", unit_name(role))
    elif shutil.which("systemctl"):
        _systemctl(found, "disable", unit_name(role))
    try:
        unit.unlink()
    except OSError as error:
        raise StoreError(f"{unit} cannot be removed: {reason_of(error)}", _rights_hint(found)) from None
    if _is_running():
        _systemctl(found, "daemon-reload")
    return [unit]


def state_of(role: Role, found: Places) -> State:
    """Whether it is installed and, where systemd runs, whether it works."""
    unit = found.now(found.units / unit_name(role))
    if not (_is_running() and found.root == Path("/")):
        return State(role, unit, unit.exists())
    said = _systemctl(found, "show", unit_name(role), *(f"--property={name}" for name in _PROPERTIES))
    values = dict(line.partition("=")[::2] for line in said.splitlines())
    active = f"{values.get('ActiveState', '')} ({values.get('SubState', '')})"
    return State(role, unit, unit.exists(), values.get("UnitFileState", ""), active, values.get("NRestarts", ""))


def _make_folders(found: Places) -> None:
    """The service's user owns what is configured, as private keys are for it alone."""
    found.now(found.units).mkdir(parents=True, exist_ok=True)
    config = private_files.private_folder(found.now(found.config))
    if not found.is_system:
        return
    users = found.now(_USERS_FILE)
    users.parent.mkdir(parents=True, exist_ok=True)
    users.write_text(SYSTEM_USERS, encoding="utf-8")
    _run([_program("systemd-sysusers"), f"--root={found.root}", str(users)])
    owner = _owner(found)
    if owner is not None and os.geteuid() == 0:
        os.chown(config, *owner)


def _owner(found: Places) -> tuple[int, int] | None:
    """User and group of the service, by the root's own files."""
    try:
        lines = found.now(Path("/etc/passwd")).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    fields = next((line.split(":") for line in lines if line.startswith(f"{_USER}:")), None)
    return None if fields is None else (int(fields[2]), int(fields[3]))


def _enable(role: Role, found: Places) -> tuple[str, ...]:
    """Enabled for the next start; the user starts it when its options are right. Returns the commands for that."""
    name, user = unit_name(role), "" if found.is_system else " --user"
    if found.root != Path("/") or not _is_running():
        if found.is_system:
            _systemctl(found, "enable", name)
            return ()
        return (f"systemctl{user} enable --now {name}",)
    _systemctl(found, "daemon-reload")
    _systemctl(found, "enable", name)
    lingering = () if found.is_system else ("loginctl enable-linger",)
    return (f"systemctl{user} restart {name}", *lingering)


def _is_running() -> bool:
    """Whether this machine was started with systemd."""
    return _RUNNING.is_dir()


def _systemctl(found: Places, *words: str) -> str:
    scope = ["--user"] if not found.is_system else [f"--root={found.root}"] if not _is_running() else []
    return _run([_program("systemctl"), *scope, *words])


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/sbin:/sbin:/bin")
    if path is None:
        raise ToolError(
            f"this machine has no {name}, a part of systemd", "start the programs with your own init system"
        )
    return path


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=_SECONDS, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise ToolError(f"`{' '.join(command)}` failed: {said[-1]}", "services of the system need root: sudo")
    return done.stdout


def _rights_hint(found: Places) -> str:
    return "services of the system need root: sudo" if found.is_system else "check the rights of the folder"
