"""Where a run's database is: `postgresql://[user[:password]@][host[:port]]/database[?key=value]`, as libpq reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Final
from urllib.parse import parse_qsl, unquote

from jaragua.bases.value import Value
from jaragua.errors import StoreError
from jaragua.trust.reach import is_loopback

_SCHEMES: Final = ("postgresql", "postgres")
_FORM: Final = "write it as postgresql://[user@][host[:port]]/database"
_HOST: Final = re.compile(r"([\w.%-]*|\[[0-9a-fA-F:.]+\])(:\d{1,5})?")


class StoreUrl(Value):
    """Address of a PostgreSQL database. `public` is fit for messages and files; the password is not in it.

    options: parameters of libpq after the `?`. hosts: names, addresses and folders of sockets; () for libpq's default.
    """

    public: str
    hosts: tuple[str, ...]
    options: Mapping[str, str]
    password: str | None = field(default=None, repr=False)

    def is_local(self, environment: Mapping[str, str]) -> bool:
        """Whether every host is of this machine. environment: what libpq takes where the address names none."""
        hosts = self.hosts or _listed(environment.get("PGHOSTADDR") or environment.get("PGHOST", ""))
        return all(not host or host[0] in "/@" or is_loopback(host) for host in hosts)


def parse_store_url(text: str) -> StoreUrl:
    """Raises: StoreError, which never repeats the text: a password may be in it."""
    scheme, _, rest = text.partition("://")
    if scheme not in _SCHEMES:
        raise StoreError("the address of the store does not begin with postgresql://", _FORM)
    rest, _, query = rest.partition("?")
    place, _, database = rest.partition("/")
    owner, at, hosts = place.rpartition("@")
    user, _, password = owner.partition(":")
    if not all(_HOST.fullmatch(host) for host in hosts.split(",")) or "@" in database or "/" in database:
        raise StoreError("the address of the store cannot be read", f"{_FORM}; write / : @ in a name as %2F %3A %40")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if "password" in options:
        raise StoreError("the address of the store has a password after the ?", "give store.password_file instead")
    return StoreUrl(
        public=f"{scheme}://{user}{at}{hosts}/{database}{'?' if query else ''}{query}",
        hosts=_hosts(hosts, options),
        options=options,
        password=unquote(password) or None,
    )


def _hosts(text: str, options: Mapping[str, str]) -> tuple[str, ...]:
    """libpq connects to `hostaddr` where it is given, and takes an option before the same part of the address."""
    named = options.get("hostaddr") or options.get("host")
    if named is not None:
        return _listed(named)
    return tuple(_name_of(host) for host in text.split(",")) if text else ()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _name_of(host: str) -> str:
    """Without the port and the brackets of IPv6."""
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return unquote(name)
