"""How long a test waits for what must happen: far longer than it takes, also on a machine that is ten times slower."""

from __future__ import annotations

from typing import Final

#: Seconds. Only a test that fails waits so long.
GENEROUS_S: Final = 300.0
