"""Learning after deployment (online.md): the NumPy reference and the device's own C, built for this machine."""

from jaragua_compiler.online.learner import Learner, Outcome, Report, Settings
from jaragua_compiler.online.native import NativeLearner
from jaragua_compiler.online.reference import ReferenceLearner

__all__ = ["Learner", "NativeLearner", "Outcome", "ReferenceLearner", "Report", "Settings"]
