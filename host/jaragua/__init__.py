"""Federated meta-learning for microcontrollers: the host package.

    import jaragua

    result = jaragua.simulate("digits", rounds=50)

The names below are loaded when they are first used: `import jaragua` alone imports neither NumPy nor asyncio.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaragua.api.board import ConnectedBoard, Inference, Recognised, connect
    from jaragua.api.compiling import CompiledNetwork, compile_network
    from jaragua.api.result import Result
    from jaragua.api.simulating import simulate
    from jaragua.api.tasks import LearningTask, load_task
    from jaragua.errors import JaraguaError
    from jaragua.strategies import ClientUpdate, ClientWork, Strategy

__version__ = "0.1.0"

__all__ = [
    "ClientUpdate",
    "ClientWork",
    "CompiledNetwork",
    "ConnectedBoard",
    "Inference",
    "JaraguaError",
    "LearningTask",
    "Recognised",
    "Result",
    "Strategy",
    "__version__",
    "compile_network",
    "connect",
    "load_task",
    "simulate",
]

#: Where each name is defined. A test holds it to the imports above.
_PLACES = {
    "ClientUpdate": "strategies",
    "ClientWork": "strategies",
    "CompiledNetwork": "api.compiling",
    "ConnectedBoard": "api.board",
    "Inference": "api.board",
    "JaraguaError": "errors",
    "LearningTask": "api.tasks",
    "Recognised": "api.board",
    "Result": "api.result",
    "Strategy": "strategies",
    "compile_network": "api.compiling",
    "connect": "api.board",
    "load_task": "api.tasks",
    "simulate": "api.simulating",
}


def __getattr__(name: str) -> Any:
    """The module attribute of that name, loaded now (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
