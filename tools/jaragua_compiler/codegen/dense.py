"""C of a dense layer: calls of jrg_nn's kernels with constant dimensions, from which GCC makes a kernel of its own."""

from __future__ import annotations

from dataclasses import dataclass

from jaragua_compiler.codegen import weighted
from jaragua_compiler.codegen.names import call
from jaragua_compiler.planning.memory import needs_own_list
from jaragua_compiler.planning.operators import DensePlan
from jaragua_compiler.planning.plan import Plan


@dataclass(frozen=True)
class DenseEmitter(weighted.WeightedEmitter):
    """The kernels of one format of weights: statements, templates with the fields of `layer_fields`.

    rows: makes the list of rows with an error, of which `count` is the length; update_down: learns and passes down.
    """

    wide_forward: tuple[str, ...]
    declarations: tuple[str, ...]
    rows: str
    update: str
    update_down: str
    sum: str
    pass_down: str

    def forward_code(self, layer: DensePlan, plan: Plan) -> str:
        """The function `jrg_model_step<step>_forward`: reads the input's tensor, writes the output's."""
        return weighted.forward_function(
            self.wide_forward if layer.wide else self.forward, weighted.layer_fields(layer, plan, "")
        )

    def backward_code(self, layer: DensePlan, plan: Plan, below: str) -> str:
        """The function `jrg_model_step<step>_backward`: learns, and leaves the errors of its inputs in `below`."""
        down = layer.passes_error[0] or needs_own_list(plan.graph, layer)
        learn = [self.update_down, weighted.EXPONENT_BELOW] if down else [self.update]
        return self._learning_code(layer, plan, "backward", learn, weighted.layer_fields(layer, plan, below))

    def sum_code(self, layer: DensePlan, plan: Plan, below: str) -> str:
        """The function `jrg_model_step<step>_sum`: as the one above, but the steps go into sums (A11.1)."""
        fields = weighted.sum_fields(layer, plan, below)
        down = [self.pass_down, weighted.EXPONENT_BELOW] if layer.passes_error[0] else []
        return self._learning_code(layer, plan, "sum", [self.sum, *down], fields)

    def _learning_code(self, layer: DensePlan, plan: Plan, verb: str, learn: list[str], fields: weighted.Fields) -> str:
        give = weighted.RETURN_BELOW if weighted.EXPONENT_BELOW in learn else weighted.NO_ERROR
        statements = [
            *self.declarations,
            *weighted.taken(layer, plan),
            self.rows,
            *learn,
            *weighted.spread(layer, plan),
            give,
        ]
        return weighted.backward_function(verb, statements, fields)


_BELOW = "jrg_nn_error below = "
_LAYER_W8 = "const jrg_nn_dense_w8 layer = {layer};"

DENSE = DenseEmitter(
    INCLUDES=(
        ("dense/jrg_nn_dense_forward.h", "jrg_nn_dense_forward"),
        ("core/jrg_nn_wide.h", "jrg_nn_wide_forward"),
        ("weighted/jrg_nn_active_rows.h", "jrg_nn_active_rows"),
        ("dense/jrg_nn_dense_update.h", "jrg_nn_dense_update"),
        ("dense/jrg_nn_dense_backward.h", "jrg_nn_dense_backward"),
        ("weighted/jrg_nn_errors.h", "jrg_nn_spread_errors"),
    ),
    SUM_INCLUDES=(
        ("dense/jrg_nn_dense_sum.h", "jrg_nn_dense_sum"),
        ("dense/jrg_nn_dense_pass.h", "jrg_nn_dense_pass"),
    ),
    forward=(
        call(
            "jrg_nn_dense_forward",
            "{x}, {weights}, {biases}, {y},",
            "{inputs}u, {outputs}u, (uint32_t)jrg_model_exponents[{index}].forward_shift,",
            "{output_width}u, {relu}",
        ),
    ),
    wide_forward=(
        call(
            "jrg_nn_wide_forward",
            "{x}, {weights}, {biases}, {y},",
            "{inputs}u, {outputs}u, jrg_nn_wide_part({input_width}u),",
            "(uint32_t)jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu}",
        ),
    ),
    declarations=(
        "const jrg_nn_dense layer = {layer};",
        "jrg_nn_active_row *const rows = JRG_MODEL_ROWS({list});",
        "const uint32_t key = {key};",
    ),
    rows=call(
        "jrg_nn_active_rows",
        "&layer, jrg_model_exponents[{index}], jrg_model_rate, key,",
        "{list}, &error, rows",
        result="const uint32_t count = ",
    ),
    update=call("jrg_nn_dense_update", "&layer, rows, count, {x}, key"),
    update_down=call(
        "jrg_nn_dense_backward", "&layer, rows, count, {x},", "{input_rectified}, key, {down}", result=_BELOW
    ),
    sum=call("jrg_nn_dense_sum", "&layer, rows, count, {x}, {sums}"),
    pass_down=call("jrg_nn_dense_pass", "&layer, rows, count, {x}, {input_rectified}, {down}", result=_BELOW),
)

_ROWS_W8 = "&layer, jrg_model_rows_w8, count, {x},"
_FORWARD_W8 = (
    _LAYER_W8,
    "jrg_nn_dense_forward_w8(&layer, {x}, {y}, jrg_model_exponents[{index}].forward_shift, {output_width}u, {relu});",
)
DENSE_W8 = DenseEmitter(
    (
        ("dense_w8/jrg_nn_dense_forward_w8.h", "jrg_nn_dense_forward_w8"),
        ("weighted/jrg_nn_active_rows_w8.h", "jrg_nn_active_rows_w8"),
        ("dense_w8/jrg_nn_dense_update_w8.h", "jrg_nn_dense_update_w8"),
        ("dense_w8/jrg_nn_dense_backward_w8.h", "jrg_nn_dense_backward_w8"),
        ("weighted/jrg_nn_errors.h", "jrg_nn_spread_errors"),
    ),
    (
        ("dense_w8/jrg_nn_dense_sum_w8.h", "jrg_nn_dense_sum_w8"),
        ("dense_w8/jrg_nn_dense_pass_w8.h", "jrg_nn_dense_pass_w8"),
    ),
    forward=_FORWARD_W8,
    wide_forward=_FORWARD_W8,
    declarations=(_LAYER_W8,),
    rows=call(
        "jrg_nn_active_rows_w8",
        "&layer, jrg_model_exponents[{index}], jrg_model_rate,",
        "{key},",
        "{list}, &error, jrg_model_rows_w8",
        result="const uint32_t count = ",
    ),
    update=f"jrg_nn_dense_update_w8({_ROWS_W8.rstrip(',')});",
    update_down=call("jrg_nn_dense_backward_w8", _ROWS_W8, "{input_rectified}, {down}", result=_BELOW),
    sum=f"jrg_nn_dense_sum_w8({_ROWS_W8} {{sums}});",
    pass_down=f"{_BELOW}jrg_nn_dense_pass_w8({_ROWS_W8} {{input_rectified}}, {{down}});",
)
