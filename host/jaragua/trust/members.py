"""Membership: which nodes, and which of their devices, a coordinator listens to (G8, G9)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jaragua.errors import ConfigurationError
from jaragua.reasons import reason_of
from jaragua.trust.registry import ANY_DEVICE
from jaragua.wire.topics import is_id

_SECONDS_BETWEEN_LOOKS: Final = 1.0
_NOTE: Final = """\
# Members of the fleet: nodes, and the devices that each may have ("*": any that is no other node's).
# `jaragua pki` writes this file anew whenever it certifies or revokes a node.
"""


class Members:
    """A list of nodes with their devices. Pure."""

    def __init__(self, nodes: Mapping[str, tuple[str, ...]]) -> None:
        self._nodes = dict(nodes)
        self._owners: dict[str, set[str]] = {}
        """Nodes by the devices that are named with them; a node's own name is its own device's (M1)."""
        for node, devices in nodes.items():
            for device in {node, *devices} - {ANY_DEVICE}:
                self._owners.setdefault(device, set()).add(node)

    def __len__(self) -> int:
        return len(self._nodes)

    def has_node(self, node: str) -> bool:
        """Whether a node is a member."""
        return node in self._nodes

    def names(self, node: str, device: str) -> bool:
        """Whether a device is named with a node, and not only let in by "*"."""
        return node in self._owners.get(device, ())

    def admits(self, node: str, device: str) -> bool:
        """Whether a device may be at a node."""
        devices = self._nodes.get(node)
        if devices is None:
            return False
        owners = self._owners.get(device)
        return node in owners if owners else ANY_DEVICE in devices


class MembersFile:
    """Members from a file that may change while a run lasts. now_s: a clock that never goes back."""

    def __init__(self, path: Path, now_s: Callable[[], float]) -> None:
        self._path = path
        self._now_s = now_s
        self._stamp = self._stamp_now()
        self._members = read(path)
        self._looked_at = now_s()

    @property
    def members(self) -> Members:
        """As the file has them now; as they were if it cannot be read."""
        now = self._now_s()
        if now - self._looked_at >= _SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            self._read_if_changed()
        return self._members

    def _read_if_changed(self) -> None:
        try:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._members, self._stamp = read(self._path), stamp
        except (ConfigurationError, OSError):
            return  # it is being written, or the user's editor has it

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino


def read(path: Path) -> Members:
    """The members of a file. Raises: ConfigurationError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the list of members {path} cannot be read: {reason_of(error)}", "check devices.members"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"the list of members {path} is not TOML: {error}", "correct that line") from error
    return Members(_checked(path, document))


def written(nodes: Mapping[str, tuple[str, ...]]) -> str:
    """The file of a list of members."""
    lines = [
        f"{node} = [{', '.join(f'{chr(34)}{one}{chr(34)}' for one in devices)}]" for node, devices in nodes.items()
    ]
    return _NOTE + "\n[nodes]\n" + "".join(f"{line}\n" for line in lines)


def _checked(path: Path, document: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    nodes = document.get("nodes")
    if not isinstance(nodes, dict) or set(document) != {"nodes"}:
        raise ConfigurationError(
            f"the list of members {path} has no section [nodes] alone", 'write pi-1 = ["pi-1"] in it'
        )
    problems = [f"{path}: {node}: {why}" for node, devices in nodes.items() if (why := _problem(node, devices))]
    if problems:
        raise ConfigurationError("\n".join(problems), 'a line is gateway-1 = ["board-1", "board-2"], or ["*"] for any')
    return {node: tuple(devices) for node, devices in nodes.items()}


def _problem(node: str, devices: Any) -> str:
    if not is_id(node):
        return "is not a name: a-z, 0-9 and -, 1 to 32 characters"
    if not isinstance(devices, list) or not devices:
        return "must have a list of devices"
    bad = [one for one in devices if one != ANY_DEVICE and not (isinstance(one, str) and is_id(one))]
    return f"{bad[0]!r} is not the name of a device" if bad else ""
