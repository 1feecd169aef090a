"""A mosquitto of our own: configuration, start, stop. `with Broker() as broker: broker.url`."""

from jaragua_broker.broker import Broker, find_mosquitto
from jaragua_broker.configuration import Endpoint, Limits, Secured, render
from jaragua_broker.errors import MissingError, StartError
from jaragua_broker.ports import USUAL_PORT
from jaragua_broker.probe import accepts_mqtt

__all__ = [
    "USUAL_PORT",
    "Broker",
    "Endpoint",
    "Limits",
    "MissingError",
    "Secured",
    "StartError",
    "accepts_mqtt",
    "find_mosquitto",
    "render",
]
