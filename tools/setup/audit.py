"""`make audit`: a bill of materials of .venv (CycloneDX), and known vulnerabilities of what is in it (G15).

usage: audit.py VENV FOLDER, with the Python of .venv-audit. Exit code 1: something is known to be vulnerable. Where the
database cannot be reached nothing is compared; that is said, and the exit code is 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

TOOLS = Path(sys.executable).parent


class Found(NamedTuple):
    """What pip-audit found. vulnerable: a line for each; compared, unknown: numbers of packages."""

    vulnerable: list[str]
    compared: int
    unknown: int


def found_in(report: dict[str, Any]) -> Found:
    """From the JSON of pip-audit; a package that the database does not have was not compared."""
    packages = report["dependencies"]
    compared = [one for one in packages if "skip_reason" not in one]
    lines = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in compared
        for flaw in one["vulns"]
    ]
    return Found(lines, len(compared), len(packages) - len(compared))


def verdict(found: Found | None, why: str = "") -> tuple[int, str]:
    """Exit code and what to say. found: None if pip-audit could not compare anything, why: in its words."""
    if found is None or not found.compared:
        reason = why or f"it knows none of the {found.unknown if found else 0} packages"
        return 0, f"audit: SKIPPED, nothing was compared: the database of vulnerabilities does not answer ({reason})"
    unknown = f", {found.unknown} unknown to the database" if found.unknown else ""
    text = f"audit: {found.compared} packages compared{unknown}, {len(found.vulnerable)} known vulnerabilities"
    return int(bool(found.vulnerable)), "\n".join([*found.vulnerable, text])


def write_bill(venv: Path, path: Path) -> int:
    """Write the bill of materials; returns how many packages are in it."""
    command = [TOOLS / "cyclonedx-py", "environment", venv / "bin" / "python", "-o", path, "--of", "JSON"]
    subprocess.run(command, check=True)
    return len(json.loads(path.read_text(encoding="utf-8"))["components"])


def compare(venv: Path) -> tuple[Found | None, str]:
    """What pip-audit says of an environment, or why it says nothing."""
    packages = next((venv / "lib").glob("python3*/site-packages"))
    command = [TOOLS / "pip-audit", "--path", packages, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*command, "--timeout", "15"], capture_output=True, encoding="utf-8", check=False)
    try:
        return found_in(json.loads(done.stdout)), ""
    except ValueError:
        return None, (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]


def main(venv: Path, folder: Path) -> int:
    """Both, in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    count = write_bill(venv, folder / "sbom.json")
    print(f"audit: {folder / 'sbom.json'} lists {count} packages")
    code, text = verdict(*compare(venv))
    print(text)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
