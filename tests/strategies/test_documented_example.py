"""The example of docs/reference/strategies.md works as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "strategies.md"


def test_the_example_simulates(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    code = re.search(r"```python\n# (\w+\.py)\n(.*?)```", text, re.DOTALL)
    command = re.search(r"^    PYTHONPATH=\. jaragua (simulate .*)$", text, re.MULTILINE)
    assert code
    assert command
    (tmp_path / code[1]).write_text(code[2], encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", "jaragua.cli.main", *command[1].split(), "--eval-tasks", "10", "--json"]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    data = json.loads(done.stdout)["data"]
    assert data["strategy"] == "careful:Careful"
    assert data["mse_mean"] < data["mse_before_mean"]


def test_every_strategy_is_in_the_table() -> None:
    from jaragua.strategies import names

    listed = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(names()) <= listed
