"""What a shell offers after Tab: verbs and options by typer, and the values of some options by the functions here.

The script of `jaragua completion SHELL` calls `jaragua` with the words typed so far in its environment. Names come from
the tables that the verbs read, and are loaded when they are asked for.
"""

from __future__ import annotations

import os
from typing import Final

#: typer's, made of the program's name: what the shell's script asks for.
VARIABLE: Final = "_JARAGUA_COMPLETE"
SHELLS: Final = ("bash", "zsh", "fish")
#: Where typer's scripts put the words typed so far.
_WORDS: Final = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")


def is_asked() -> bool:
    """Whether a shell asks, rather than a user."""
    return bool(os.environ.get(VARIABLE))


def typed() -> list[str]:
    """The words behind the program's name, the last one perhaps unfinished."""
    line = next((os.environ[name] for name in _WORDS if name in os.environ), "")
    return line.split()[1:]


def models() -> list[str]:
    """Models of the zoo."""
    from jaragua_models import names

    return list(names())


def strategies() -> list[str]:
    """Strategies that are part of the package."""
    from jaragua.strategies import registry

    return registry.names()


def boards() -> list[str]:
    """Boards that a network can be compiled for."""
    from jaragua_compiler.planning.boards import boards as known

    return [board.name for board in known()]


def emulated() -> list[str]:
    """Environments whose image runs on an emulator or as a process."""
    from jaragua.boards import environments

    return [one.name for one in environments() if one.is_emulated]


def roles() -> list[str]:
    """Roles of `jaragua doctor`."""
    from jaragua.doctor import Role

    return [role.value for role in Role]


def shells() -> list[str]:
    """Shells of `jaragua completion`."""
    return list(SHELLS)


def services() -> list[str]:
    """Roles of `jaragua service`."""
    from jaragua.service import Role

    return [role.value for role in Role]
