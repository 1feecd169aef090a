"""`jaragua reproduce`: a plan of experiments, their records, and the document and figures that follow from records."""

from jaragua.reproduce.plan import SCALES, Experiment, Plan, Scale, read_plan
from jaragua.reproduce.records import Costs, Outcome, Store
from jaragua.reproduce.run import Progress, run

__all__ = [
    "SCALES",
    "Costs",
    "Experiment",
    "Outcome",
    "Plan",
    "Progress",
    "Scale",
    "Store",
    "read_plan",
    "run",
]
