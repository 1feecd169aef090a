"""Nodes and runs are those of the room beside it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "over_mqtt"))
