"""Each descriptor of an operator agrees with itself, with the kernels of C and with the pages."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.operators.descriptor import Activation, Format
from jaragua_compiler.operators.registry import ACTIVATIONS, KINDS, UNWEIGHTED, activations_of

ROOT = Path(__file__).parents[3]
FORM = Format(input_exponent=10, output_exponent=12, output_width=15, slope=round(0.1 * 2**15))
SLOPE = 0.1


def form_of(function: Activation) -> Format:
    """Exponents that the activation allows, with room for values of -8..8."""
    return FORM._replace(output_exponent=FORM.input_exponent) if function.properties.keeps_scale else FORM


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_integers_are_the_function_on_floats(name: str) -> None:
    function, form = ACTIVATIONS[name], form_of(ACTIVATIONS[name])
    x = np.arange(-8192, 8192, 7)
    y = function.forward(x, form) * 2.0**-form.output_exponent
    wanted = function.float_forward(x * 2.0**-form.input_exponent, SLOPE)
    assert np.abs(y - wanted).max() < 2e-3


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_way_back_is_the_one_on_floats(name: str) -> None:
    function, form = ACTIVATIONS[name], form_of(ACTIVATIONS[name])
    x = np.arange(-8190, 8192, 7)
    x = x[x != 0]
    error = np.where(x % 2 == 0, 20000, -30000)
    output = function.float_forward(x * 2.0**-form.input_exponent, SLOPE)
    wanted = function.float_backward(error * 1.0, output, SLOPE)
    back = function.backward(error, x, form)
    rectified = name == "relu"  # its error is masked by what reads it (A5.7)
    difference = np.abs(np.where(x > 0, back, 0) - wanted if rectified else back - wanted)
    assert difference.max() < 2e-3 * 30000


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_is_that_of_finite_differences(name: str) -> None:
    function = ACTIVATIONS[name]
    x = np.linspace(-5.03, 5.01, 101)
    step = 1e-6
    upper, lower = (function.float_forward(x + sign * step, SLOPE) for sign in (1, -1))
    slopes = function.float_backward(np.ones_like(x), function.float_forward(x, SLOPE), SLOPE)
    assert slopes == pytest.approx((upper - lower) / (2 * step), abs=1e-6)


def test_the_kinds_of_layers_are_the_activations_there_are() -> None:
    assert ("linear", *ACTIVATIONS) == KINDS


class ArrayTensorFlow:
    """The few functions of TensorFlow that a traced activation calls, on arrays."""

    float32 = np.float32
    nn = SimpleNamespace(relu=lambda x: np.maximum(x, 0), relu6=lambda x: np.clip(x, 0, 6))
    tanh, maximum, minimum, greater, greater_equal, less = (
        staticmethod(one) for one in (np.tanh, np.maximum, np.minimum, np.greater, np.greater_equal, np.less)
    )

    @staticmethod
    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    @staticmethod
    def cast(x: np.ndarray, dtype: type[np.float32]) -> np.ndarray:
        return x.astype(dtype)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_traced_function_is_the_one_on_floats(name: str) -> None:
    function, tf = ACTIVATIONS[name], ArrayTensorFlow()
    x = np.linspace(-7, 7, 100).astype(np.float32)
    y, error = function.float_forward(x, SLOPE), np.cos(3 * x)
    assert function.traced_forward(tf, x, SLOPE) == pytest.approx(y, abs=1e-6)
    back = function.float_backward(error, y, SLOPE)
    assert function.traced_backward(tf, error, y, SLOPE) == pytest.approx(back, abs=1e-6)


def test_front_ends_know_an_activation_by_its_own_name() -> None:
    assert activations_of("keras") == {kind: kind for kind in KINDS[1:]}
    assert activations_of("onnx") == {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
    assert activations_of("litert")["LOGISTIC"] == "sigmoid"


def enumeration(path: Path, prefix: str) -> list[str]:
    """The names of an enumeration of C that have a prefix, in their order."""
    found = next(body for body in re.findall(r"enum \{(.*?)\}", path.read_text(), re.DOTALL) if prefix in body)
    return [name for name in re.findall(r"\w+", found) if name.startswith(prefix)]


def test_the_kernels_have_a_case_for_each_activation() -> None:
    names = enumeration(kernel_folder() / "unweighted" / "jrg_nn_activate.h", "JRG_NN_")
    assert sorted(names) == sorted(function.c_name for function in ACTIVATIONS.values())


def test_the_simulation_numbers_the_activations_alike() -> None:
    source = ROOT / "host" / "jaragua" / "simulation" / "native" / "float_clients.c"
    names = enumeration(source, "JRG_FLOAT_LINEAR")
    found = next(body for body in re.findall(r"enum \{(.*?)\}", source.read_text(), re.DOTALL) if names[0] in body)
    assert re.findall(r"\w+", found) == [f"JRG_FLOAT_{kind.upper()}" for kind in KINDS]


@pytest.mark.parametrize("name", [one.name for one in UNWEIGHTED])
def test_header_and_rule_of_a_descriptor_exist(name: str) -> None:
    found = next(one for one in UNWEIGHTED if one.name == name)
    assert found.kernel.symbol in (kernel_folder() / found.kernel.header).read_text()
    assert f"- **{found.rule}**" in (ROOT / "docs" / "reference" / "arithmetic.md").read_text()
