"""From a run's settings, or its folder, to the database: credentials and TLS (G18)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from jaragua.bases.value import Value
from jaragua.config.store_url import StoreUrl, parse_store_url
from jaragua.errors import StoreError
from jaragua.settings import StoreSettings
from jaragua.trust import private_files

PASSWORD_VARIABLE: Final = "JARAGUA_STORE_PASSWORD"
_CHECKED: Final = "verify-full"
#: libpq's own place for authorities, relative to the user's home.
_LIBPQ_AUTHORITIES: Final = Path(".postgresql/root.crt")


class PostgresAddress(Value):
    """A run in a PostgreSQL database. name: the run's; run: its identifier, for readers, "" for the newest.

    parameters: of libpq, beside those of the address.
    """

    url: StoreUrl
    name: str
    run: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.url.public


def address_of(settings: StoreSettings, name: str, environment: Mapping[str, str]) -> PostgresAddress | None:
    """None if the run is kept in its folder. Raises: StoreError."""
    if not settings.url:
        return None
    url = parse_store_url(settings.url)
    return PostgresAddress(
        url,
        name,
        parameters=_tls(url, settings, environment),
        password=_password(settings, environment) or url.password,
    )


def address_in(configuration: Path, run: str, environment: Mapping[str, str]) -> PostgresAddress | None:
    """What a `config.toml` in the folder of a run says. run: identifier. None if there is none, or it names none."""
    try:
        found = tomllib.loads(configuration.read_text(encoding="utf-8"))
        table, name = found.get("store", {}), str(found["run"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    address = address_of(_settings(table), name, environment)
    return None if address is None else PostgresAddress(address.url, name, run, address.parameters, address.password)


def _settings(table: Any) -> StoreSettings:
    """Of a file that this program wrote: what does not fit was changed by somebody, and counts as not there."""
    known = {name: type(value) for name, value in vars(StoreSettings()).items()}
    said = table.items() if isinstance(table, dict) else ()
    fitting: dict[str, Any] = {key: value for key, value in said if isinstance(value, known.get(key, ()))}
    return StoreSettings(**fitting)


def _password(settings: StoreSettings, environment: Mapping[str, str]) -> str | None:
    if not settings.password_file:
        return environment.get(PASSWORD_VARIABLE)
    return private_files.read_password(Path(settings.password_file), StoreError)


def _tls(url: StoreUrl, settings: StoreSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """G18: beyond this machine the server has to prove its name."""
    authority = {"sslrootcert": settings.ca} if settings.ca else {}
    if settings.insecure or url.is_local(environment):
        return authority
    mode = url.options.get("sslmode") or environment.get("PGSSLMODE") or _CHECKED
    if mode != _CHECKED:
        raise StoreError(
            f"{url.public} is beyond this machine, and sslmode={mode} does not check who answers",
            f"leave sslmode out, or use {_CHECKED}; store.insecure does without",
        )
    named = "sslrootcert" in url.options or "PGSSLROOTCERT" in environment or authority
    if not named and not (Path(environment.get("HOME", "/")) / _LIBPQ_AUTHORITIES).is_file():
        authority = {"sslrootcert": "system"}
    return {"sslmode": _CHECKED, "gssencmode": "disable"} | authority
