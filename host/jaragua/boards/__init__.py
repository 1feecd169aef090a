"""The boards that Jaragua's firmware is built for, one entry for each environment of platformio.ini."""

from jaragua.boards.environments import BoardKind, Environment, Region, environment, environments, find_by_usb, kind_of

__all__ = ["BoardKind", "Environment", "Region", "environment", "environments", "find_by_usb", "kind_of"]
