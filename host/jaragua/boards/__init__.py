"""The boards that Jaragua's firmware is built for, one entry for each environment of platformio.ini."""

from jaragua.boards.environments import Environment, Region, environment, environments, find_by_usb

__all__ = ["Environment", "Region", "environment", "environments", "find_by_usb"]
