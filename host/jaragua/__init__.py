"""Federated meta-learning for microcontrollers: the host package."""

__version__ = "0.1.0"
