"""What counts as left running, whatever the clone's folder is called."""

from pathlib import Path

import pytest

from common.processes import own_programs

ROOT = Path("/home/ana/jaragua")


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (f"{ROOT}/.venv/bin/python -m jaragua.cli.main client", True),
        (f"{ROOT}/.venv/bin/jaragua run", True),
        ("qemu-system-arm -M mps2-an386", True),
        ("/usr/sbin/mosquitto -c broker.conf", True),
        (f"{ROOT}/.venv/bin/python -c from multiprocessing.resource_tracker import main;main(18)", False),
        (f"{ROOT}/.venv/bin/python -m http.server", False),
    ],
)
def test_programs_of_this_project_are_told_from_python_in_a_clone_of_its_name(command: str, own: bool) -> None:
    assert own_programs([command], ROOT) == [command] * own
