"""`jaragua doctor`: is this machine fit for its role, and what mends what is missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaragua.cli import completions, output
from jaragua.cli.broker_options import BrokerOptions
from jaragua.cli.options import from_fields
from jaragua.errors import ToolError, UsageError

if TYPE_CHECKING:
    from jaragua.doctor import Check, Role, Wanted
    from jaragua.store import PostgresAddress

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(BrokerOptions):
    """The options of `jaragua doctor`; a broker or store that is named must answer."""

    role: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="client, gateway, coordinator, flash, demo, any; default: demo in a clone, else any.",
            autocompletion=completions.roles,
        ),
    ] = None
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the outbox; default: ~/.local/state/jaragua.")] = None
    run_dir: Annotated[Path | None, typer.Option(help="Folder of runs; default: runs.")] = None
    store: Annotated[str | None, typer.Option(help="PostgreSQL database for runs that must answer.")] = None
    store_password_file: Annotated[
        Path | None, typer.Option(help="File with its password; or the variable JARAGUA_STORE_PASSWORD.")
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False

    def wanted(self) -> Wanted:
        """What must answer, and where. Raises: UsageError for a password on the command line (G7), StoreError."""
        from jaragua.doctor import Wanted

        named = self.broker is not None or self.identity is not None
        return Wanted(self.access if named else None, self.data_dir, self.run_dir, self._database())

    def _database(self) -> PostgresAddress | None:
        from jaragua.node.connection.access import refuse_password
        from jaragua.settings import StoreSettings
        from jaragua.store.postgres.address import PASSWORD_VARIABLE, address_of

        refuse_password(self.store or "", "--store-password-file FILE", PASSWORD_VARIABLE)
        file = "" if self.store_password_file is None else str(self.store_password_file)
        settings = StoreSettings(url=self.store or "", password_file=file, insecure=self.insecure)
        return address_of(settings, "doctor", os.environ)


@app.command()
@from_fields(DoctorOptions)
def doctor(options: DoctorOptions) -> None:
    """Check that this machine has what its role needs, and say how to install what is missing.

    What is needed comes first, then what is optional. The exit code is 10 if a requirement is missing. The last line
    is one command for all Debian packages that are needed and missing.
    """
    from jaragua.doctor import checks_of, default_role, install_command, missing_packages

    wanted = options.wanted()
    wanted_role = default_role() if options.role is None else _role(options.role)
    checks = list(checks_of(wanted_role, wanted))
    missing = [check for check in checks if check.is_missing]
    if options.json:
        found = [asdict(check) for check in checks]
        command = install_command(missing_packages(checks))
        output.print_result({"role": wanted_role.value, "ready": not missing, "checks": found, "install": command})
    else:
        output.show("\n".join(_lines(checks, wanted_role)))
    if missing:
        raise typer.Exit(ToolError.exit_code)


def _role(name: str) -> Role:
    from jaragua.doctor import Role

    try:
        return Role(name)
    except ValueError:
        raise UsageError(f"--for has no role '{name}'", f"use one of: {', '.join(Role)}") from None


def _lines(checks: Sequence[Check], role: Role) -> list[str]:
    from jaragua.doctor import install_command, missing_packages

    width = max(len(check.name) for check in checks)
    lines = []
    for title, part in (
        ("needed", [check for check in checks if check.needed]),
        ("optional", [check for check in checks if not check.needed]),
    ):
        lines += [f"{title}:", *(line for check in part for line in _of_check(check, width))] if part else []
    missing = [check.name for check in checks if check.is_missing]
    verdict = f"not ready, missing: {', '.join(missing)}" if missing else "ready"
    command = install_command(missing_packages(checks))
    return [*lines, f"for {role.value}: {verdict}", *([command] if command else [])]


def _of_check(check: Check, width: int) -> list[str]:
    mark = "ok" if check.ok else "missing" if check.needed else "note"
    lines = [f"  {mark:7} {check.name:{width}} {check.found or (check.purpose if check.ok else 'not found')}"]
    return lines if check.ok else [*lines, f"          {check.purpose}; fix it with: {check.mend}"]
