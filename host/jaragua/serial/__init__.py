"""Boards on a port: transports by URL, a driver that runs the link over one, and `Board`, the API of requests."""

from jaragua.serial.board import (
    Board,
    BoardEvent,
    BoardRefused,
    BoardRestarted,
    BoardSilent,
    BoardVersionError,
    LogLine,
    SessionEnded,
    samples_of,
)
from jaragua.serial.link_driver import LinkDriver, LinkInterrupted
from jaragua.serial.transport import Transport, open_transport

__all__ = [
    "Board",
    "BoardEvent",
    "BoardRefused",
    "BoardRestarted",
    "BoardSilent",
    "BoardVersionError",
    "LinkDriver",
    "LinkInterrupted",
    "LogLine",
    "SessionEnded",
    "Transport",
    "open_transport",
    "samples_of",
]
