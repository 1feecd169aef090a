"""`jaragua reproduce`: a plan of experiments, their records, and the document and figures that follow from records."""

from jaragua.experiments.reproduce.plan import SCALES, Experiment, Plan, Scale, read_plan
from jaragua.experiments.reproduce.records import Costs, Outcome, Store
from jaragua.experiments.reproduce.run import Progress, run

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
