"""G15: what `make audit` makes of the answer of pip-audit. The tools are installed by `make audit` itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "setup" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found"}
VULNERABLE = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


def test_g15_a_known_vulnerability_fails(audit: ModuleType) -> None:
    code, text = audit.verdict(audit.found_in({"dependencies": [CLEAN, SKIPPED, VULNERABLE]}))
    assert code == 1
    assert "c 2: CVE-1, mended in 3" in text
    assert "2 packages compared, 1 unknown" in text


def test_g15_without_one_it_passes(audit: ModuleType) -> None:
    assert audit.verdict(audit.found_in({"dependencies": [CLEAN]}))[0] == 0


@pytest.mark.parametrize("answer", [None, {"dependencies": [SKIPPED]}])
def test_g15_nothing_compared_is_said_aloud(audit: ModuleType, answer: dict[str, object] | None) -> None:
    code, text = audit.verdict(None if answer is None else audit.found_in(answer), "no network")
    assert code == 0
    assert "SKIPPED, nothing was compared" in text
