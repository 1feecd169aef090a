"""A task from files of one's own, described in a TOML file: docs/reference/own-data.md."""

from jaragua_models.own_data.model import device_statistics, from_toml, from_toml_with, statistics_of

__all__ = ["device_statistics", "from_toml", "from_toml_with", "statistics_of"]
