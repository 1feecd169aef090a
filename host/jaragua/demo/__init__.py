"""The demonstration: a fleet of emulated boards on this machine, from the broker to the figures."""

from jaragua.demo.demo import Demonstration, DemoResult, DemoSettings, HeldOut, Phase

__all__ = ["DemoResult", "DemoSettings", "Demonstration", "HeldOut", "Phase"]
