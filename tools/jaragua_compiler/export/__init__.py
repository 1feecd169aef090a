"""`jaragua compile`: a network as a folder of C that builds on its own, in anyone's firmware (compile.md).

`load_file` reads a model file of another tool, `Choice` says how it is to be trained, `compile_model` makes the files
and their figures (pure but for reading), `write_folder` puts them on disk, whole or not at all.
"""

from jaragua_compiler.export.choice import Choice
from jaragua_compiler.export.compile import Compiled, compile_model
from jaragua_compiler.export.component import Component
from jaragua_compiler.export.fit import Attempt, check_fits, choose_layers, resolved
from jaragua_compiler.export.folder import check_replaceable, write_folder
from jaragua_compiler.export.inputs.input_format import InputColumn, InputFormat, fitted_format
from jaragua_compiler.export.inputs.model_files import LoadedModel, load_file
from jaragua_compiler.export.inputs.samples import read_samples, shaped_samples
from jaragua_compiler.export.inputs.source import Source
from jaragua_compiler.export.inputs.weights_file import named_weights, read_weights
from jaragua_compiler.export.memory import Figures, Row
from jaragua_compiler.export.rejection import Calibrate, Rejection

__all__ = [
    "Attempt",
    "Calibrate",
    "Choice",
    "Compiled",
    "Component",
    "Figures",
    "InputColumn",
    "InputFormat",
    "LoadedModel",
    "Rejection",
    "Row",
    "Source",
    "check_fits",
    "check_replaceable",
    "choose_layers",
    "compile_model",
    "fitted_format",
    "load_file",
    "named_weights",
    "read_samples",
    "read_weights",
    "resolved",
    "shaped_samples",
    "write_folder",
]
