"""The zoo: what there is to learn. `names()` lists it, `get(name)` gives a model with its tasks and defaults.

`from_toml(path)` makes a model of files of one's own.

A model is one folder of this package; docs/reference/tasks.md tells how to add one.
"""

from jaragua_models.base import (
    ChecksDevices,
    Defaults,
    DrawsMany,
    HasColumns,
    HasOwners,
    HasRows,
    HasValidation,
    KnowsClasses,
    KnowsTrainingSamples,
    LeavesOneOut,
    Metric,
    Model,
    NamesDevices,
    NaturalTasks,
    Remarks,
    Samples,
    ShiftsPictures,
    Task,
    TaskSource,
)
from jaragua_models.catalogue import get, names
from jaragua_models.errors import DataError, ModelError
from jaragua_models.own_data import from_toml

__all__ = [
    "ChecksDevices",
    "DataError",
    "Defaults",
    "DrawsMany",
    "HasColumns",
    "HasOwners",
    "HasRows",
    "HasValidation",
    "KnowsClasses",
    "KnowsTrainingSamples",
    "LeavesOneOut",
    "Metric",
    "Model",
    "ModelError",
    "NamesDevices",
    "NaturalTasks",
    "Remarks",
    "Samples",
    "ShiftsPictures",
    "Task",
    "TaskSource",
    "from_toml",
    "get",
    "names",
]
