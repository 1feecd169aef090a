"""What a node is connected to: serial ports, and the broker."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jaragua.doctor.check import Check
from jaragua.errors import JaraguaError
from jaragua.node.connection.access import Access, address_of
from jaragua.trust.expiry import endings

_PATTERNS = ("ttyACM*", "ttyUSB*", "ttyAMA*")
#: Groups that own serial ports: of Debian, of Arch, and of some boards' udev rules.
_GROUPS = ("dialout", "uucp", "plugdev")
USUAL_BROKER = "mqtt://127.0.0.1:1883"
_CERTIFIES: Final = "says to the broker who this is"


def check_ports() -> Check:
    """Boards that are plugged in; they may be later, or be reached by socket://."""
    ports = ports_there()
    mend = "plug a board in (ls /dev/ttyACM* /dev/ttyUSB*), or give the gateway a socket://host:port"
    found = ", ".join(map(str, ports)) or "no board is plugged in"
    return Check("serial ports", "connect boards", bool(ports), False, found, mend)


def check_rights(*, needed: bool) -> Check:
    """Whether the ports that are there can be opened or, if there are none, whether they could be."""
    closed = [port for port in ports_there() if not os.access(port, os.R_OK | os.W_OK)]
    group = _group_of(closed[0]) if closed else "dialout"
    may = not closed and (bool(ports_there()) or may_open_ports())
    found = f"may not open {', '.join(map(str, closed))}" if closed else "" if may else f"not in the group {group}"
    return Check("serial rights", "open serial ports", may, needed, found or "may open serial ports", _mend(group))


def may_open_ports() -> bool:
    """Root, or a member of a group that owns serial ports."""
    own = {_name_of_group(number) for number in os.getgroups()}
    return os.geteuid() == 0 or bool(own & set(_GROUPS))


def ports_there() -> list[Path]:
    """Devices that boards have when they are plugged in."""
    return sorted(port for pattern in _PATTERNS for port in Path("/dev").glob(pattern))


def check_broker(access: Access | None) -> Check:
    """access: what the user said, and so has to answer; None: the usual one, which is there or not."""
    mend = "jaragua broker start" if access is None else "start a broker there, or check --broker and who connects"
    works, found = _answers(access or Access(url=USUAL_BROKER))
    return Check("broker", "carries messages between programs", works, access is not None, found, mend)


def check_certificates(access: Access) -> Iterator[Check]:
    """G19: those of an identity, or that an option names."""
    mend = "jaragua pki renew NODE on the machine of the authority, then take its certificate.crt here"
    try:
        files = address_of(access, os.environ).files
        named = [file for file in (files.certificate, files.authority) if file is not None]
        found = endings(named)
    except (JaraguaError, ImportError) as error:
        message = error.message if isinstance(error, JaraguaError) else f"not read: {error}"
        yield Check("certificate", _CERTIFIES, False, True, message, mend)
        return
    now = datetime.now(UTC)
    for one in found:
        name = "authority" if one.is_authority else "certificate"
        yield Check(name, _CERTIFIES, not one.is_soon(now), one.end <= now, one.in_words(now), mend)


def _answers(access: Access) -> tuple[bool, str]:
    import asyncio

    try:
        from jaragua.node.connection.check import check_broker as ask

        address = address_of(access, os.environ)
        milliseconds = asyncio.run(ask(address))
    except JaraguaError as error:
        return False, error.message
    except ImportError as error:  # the check of the packages names all that are missing
        return False, f"not asked: {error}"
    return True, f"{address.public} answers after {milliseconds:.1f} ms"


def _mend(group: str) -> str:
    """A member of a group has its rights from the next login on."""
    if group and _user() in _members(group):
        return f"log out and in again: {_user()} is in the group {group} since then"
    return f"sudo usermod -a -G {group or 'dialout'} $USER, then log out and in again"


def _group_of(port: Path) -> str:
    try:
        return _name_of_group(port.stat().st_gid)
    except OSError:
        return ""


def _name_of_group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""


def _members(group: str) -> list[str]:
    try:
        return grp.getgrnam(group).gr_mem
    except KeyError:
        return []


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
