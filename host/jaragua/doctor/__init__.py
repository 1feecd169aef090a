"""Is this machine fit for its role in a fleet? What is looked at, what was found, and the command that mends it."""

from jaragua.doctor.check import Check, install_command, missing_packages
from jaragua.doctor.roles import Role, Wanted, checks_of, default_role, needed_by_demo

__all__ = [
    "Check",
    "Role",
    "Wanted",
    "checks_of",
    "default_role",
    "install_command",
    "missing_packages",
    "needed_by_demo",
]
