"""A task from files of one's own, described in a TOML file: docs/reference/tasks.md, "Your own data"."""

from jaragua_models.own_data.model import from_toml

__all__ = ["from_toml"]
