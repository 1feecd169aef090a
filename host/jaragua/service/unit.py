"""The text of a unit: what is started, what restarts it, and what it may do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Template
from typing import Final

from jaragua.errors import ConfigurationError, DataError, ModelError, UsageError


class Role(StrEnum):
    """What can be a service."""

    GATEWAY = "gateway"
    CLIENT = "client"
    BROKER = "broker"
    COORDINATOR = "coordinator"


@dataclass(frozen=True)
class _Work:
    """Of a role. words: behind `jaragua`; options: what they are until the user says otherwise."""

    title: str
    words: str
    options: str
    after: str = ""


#: %E, %S: folders of configuration and state, of the system or of the user (systemd.unit).
_WORK: Final = {
    Role.GATEWAY: _Work("gateway of boards", "gateway --data-dir %S/jaragua/gateway", "--identity $config/identity"),
    Role.CLIENT: _Work("client", "client --data-dir %S/jaragua/client", "--identity $config/identity"),
    Role.BROKER: _Work("MQTT broker", "broker start --data %S/jaragua/broker", ""),
    Role.COORDINATOR: _Work("coordinator", "run", "$state/run.toml", after=" jaragua-broker.service"),
}

#: What no restart mends: the file of options, or what it names, has to be changed first.
_NOT_MENDED: Final = sorted({error.exit_code for error in (UsageError, ConfigurationError, ModelError, DataError)})

_UNIT: Final = Template("""\
# Written by `jaragua service install $role`. Options are in $options_file.
[Unit]
Description=Jaragua $title
Documentation=man:systemd.service(5)
After=network-online.target$after
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
EnvironmentFile=$options_file
ExecStart=$program $words $$JARAGUA_OPTIONS
Restart=$restart
RestartSec=5
RestartPreventExitStatus=$not_mended
KillSignal=SIGTERM
TimeoutStopSec=60
UMask=0077
$place$rights
[Install]
WantedBy=$target
""")

_SYSTEM_PLACE: Final = """\
User=jaragua
Group=jaragua
StateDirectory=jaragua
StateDirectoryMode=0700
CacheDirectory=jaragua
RuntimeDirectory=jaragua
RuntimeDirectoryPreserve=yes
WorkingDirectory=%S/jaragua
Environment=HOME=%S/jaragua XDG_STATE_HOME=%S XDG_CACHE_HOME=%C XDG_RUNTIME_DIR=%t
"""

#: Of a service of the system; each is described in systemd.exec(5).
_SYSTEM_RIGHTS: Final = """\
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
PrivateTmp=yes
RemoveIPC=yes
KeyringMode=private
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""

#: A gateway opens serial ports, and no other device.
_SERIAL_PORTS: Final = """\
SupplementaryGroups=dialout
DevicePolicy=closed
DeviceAllow=char-ttyACM rw
DeviceAllow=char-ttyUSB rw
DeviceAllow=char-ttyAMA rw
DeviceAllow=char-ttyS rw
"""

#: Of a service of a user: what needs neither root nor a namespace.
_USER_RIGHTS: Final = """\
NoNewPrivileges=yes
RestrictRealtime=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
"""

#: A coordinator keeps the generation of its signing key beside the key (G11). Its identity is in the first folder on a
#: machine without the authority, else in the second. Hyphen: a folder that is not there is no error.
_SIGNING_KEY: Final = Template("ReadWritePaths=-$config/identity -$config/trust/identities/coordinator\n")

_OPTIONS: Final = """\
# Options of the service: see `jaragua VERB --help`. No passwords: name files.
JARAGUA_OPTIONS={options}
"""

SYSTEM_USERS: Final = 'u jaragua - "Jaragua" /var/lib/jaragua\n'


def unit_text(role: Role, program: Path, options_file: Path, *, is_system: bool) -> str:
    """The unit of a role. program: `jaragua`, with its whole path; options_file: where JARAGUA_OPTIONS is set."""
    work = _WORK[role]
    return _UNIT.substitute(
        role=role,
        title=work.title,
        after=work.after,
        options_file=_escaped(options_file),
        program=_escaped(program),
        words=work.words,
        restart="on-failure" if role is Role.COORDINATOR else "always",
        not_mended=" ".join(map(str, _NOT_MENDED)),
        place=_SYSTEM_PLACE if is_system else "",
        rights=_rights(role, options_file.parent) if is_system else _USER_RIGHTS,
        target="multi-user.target" if is_system else "default.target",
    )


def default_options(role: Role, config: Path, state: Path) -> str:
    """Options of a role until the user gives others; files of the folders of configuration and state."""
    return Template(_WORK[role].options).substitute(config=config, state=state)


def options_text(options: list[str]) -> str:
    """The file of options. Raises: UsageError for a word that systemd would take apart."""
    for word in options:
        if not word or any(sign.isspace() or sign in "\"'\\$%" for sign in word):
            raise UsageError(
                f"the option {word!r} cannot be given to a service", "leave out spaces, quotes, $, % and \\; use a path"
            )
    return _OPTIONS.format(options=" ".join(options))


def _rights(role: Role, config: Path) -> str:
    devices = _SERIAL_PORTS if role is Role.GATEWAY else "PrivateDevices=yes\n"
    written = _SIGNING_KEY.substitute(config=_escaped(config)) if role is Role.COORDINATOR else ""
    return _SYSTEM_RIGHTS + devices + written


def _escaped(path: Path) -> str:
    """Raises: UsageError for a path that a unit cannot hold."""
    text = str(path)
    if any(sign.isspace() or sign in "\"'\\" for sign in text):
        raise UsageError(
            f"{text} has a space or a quote in it", "install Jaragua in a folder without, like /opt/jaragua"
        )
    return text.replace("%", "%%").replace("$", "$$")
