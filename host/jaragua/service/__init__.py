"""Units of systemd for gateway, client, broker and coordinator ([services](docs/how-to/run-at-boot.md))."""

from jaragua.service.installation import Installed, State, install, state_of, uninstall
from jaragua.service.places import Places, places
from jaragua.service.unit import Role, unit_text

__all__ = ["Installed", "Places", "Role", "State", "install", "places", "state_of", "uninstall", "unit_text"]
