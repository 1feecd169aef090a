"""Boards on a port: transports by URL, a driver that runs the link over one, and `Board`, the API of requests."""

from jaragua.serial.board import Board, BoardEvent
from jaragua.serial.failures import BoardRefused, BoardRestarted, BoardSilent, BoardVersionError
from jaragua.serial.jobs import samples_of
from jaragua.serial.link_driver import LinkDriver, LinkInterrupted
from jaragua.serial.transport import Transport, open_transport
from jaragua.wire.link.link import Logged, SessionEnded

__all__ = [
    "Board",
    "BoardEvent",
    "BoardRefused",
    "BoardRestarted",
    "BoardSilent",
    "BoardVersionError",
    "LinkDriver",
    "LinkInterrupted",
    "Logged",
    "SessionEnded",
    "Transport",
    "open_transport",
    "samples_of",
]
