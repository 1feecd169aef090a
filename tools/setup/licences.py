"""Licences of the Python packages of this environment against licences.toml (`make lint`).

usage: licences.py, with the Python of the environment. Exit code 1: a package whose licence is not on the list and has
no exception with a reason, or an exception that no package needs any longer. An exception with `metadata` is for a
package that names another licence than it has; it is needed as long as the package does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from license_expression import LicenseExpression, get_spdx_licensing

RULES = Path(__file__).with_name("licences.toml")

_UNKNOWN = "UNKNOWN"
_SPDX = get_spdx_licensing()
#: Classifiers below `License ::` that say how free a licence is and name none.
_NO_LICENCES = ("DFSG approved",)


def expression_of(package: dict[str, str], names: dict[str, str]) -> str:
    """A package's licence as an SPDX expression, from what pip-licenses says; "" if it cannot be told.

    The first that is there counts: the expression of its metadata, its classifiers (of several, all hold), its text.
    """
    if package.get("License-Expression", _UNKNOWN) != _UNKNOWN:
        return package["License-Expression"]
    classifiers, text = package["License-Classifier"], package["License-Metadata"]
    if classifiers == _UNKNOWN:
        return _known(text, names)
    found = [_known(one, names) for one in classifiers.split("; ") if one not in _NO_LICENCES]
    return " AND ".join(found) if found and all(found) else ""


def _known(text: str, names: dict[str, str]) -> str:
    if text in names:
        return names[text]
    try:
        return str(_SPDX.parse(text, validate=True))
    except Exception:  # noqa: BLE001 - of a library that raises many kinds: free text is no expression
        return ""


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Whether a licence is on the list: of `A OR B` one, of `A AND B` both."""
    return _holds(_SPDX.parse(expression), allowed)


def _holds(parsed: LicenseExpression, allowed: set[str]) -> bool:
    if not parsed.args:
        return str(parsed) in allowed
    parts = [_holds(part, allowed) for part in parsed.args]
    return any(parts) if parsed.operator.strip() == "OR" else all(parts)


def problems(packages: list[dict[str, str]], rules: dict[str, Any]) -> list[str]:
    """What is wrong with the licences, a line for each package."""
    allowed, exceptions, found = set(rules["allowed"]), rules["exceptions"], []
    for package in packages:
        name, expression = package["Name"], expression_of(package, rules["names"])
        fine = bool(expression) and is_allowed(expression, allowed)
        misnamed = exceptions.get(name, {}).get("metadata")
        if misnamed is not None:
            if misnamed not in package.values():
                found.append(f"{name}: its metadata say {misnamed!r} no longer; look at its exception again")
        elif fine and name in exceptions:
            found.append(f"{name}: its licence {expression} is on the list; its exception can go")
        elif not fine and name not in exceptions:
            said = expression or " / ".join(sorted({package["License-Classifier"], package["License-Metadata"][:60]}))
            found.append(
                f"{name}: its licence ({said}) is not on the list of licences.toml, and it has no exception there"
            )
    return found


def main() -> int:
    """Check this environment."""
    folder = Path(sys.executable).parent
    command = [folder / "pip-licenses", "--from=all", "--format=json", "--with-system"]
    done = subprocess.run([*command, f"--python={sys.executable}"], capture_output=True, encoding="utf-8", check=True)
    packages = json.loads(done.stdout)
    found = problems(packages, tomllib.loads(RULES.read_text(encoding="utf-8")))
    print("\n".join([*found, f"licences: {len(packages)} packages, {len(found)} problems"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
