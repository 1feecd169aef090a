"""All operators without weights. A new activation is a module beside this one and an entry in two places here."""

from __future__ import annotations

from typing import Final, Literal, get_args

from jaragua_compiler.operators.descriptor import Activation, ExponentLimit, Kernel, Unweighted
from jaragua_compiler.operators.leaky_relu import LeakyRelu
from jaragua_compiler.operators.relu import Relu
from jaragua_compiler.operators.relu6 import Relu6
from jaragua_compiler.operators.sigmoid import Sigmoid
from jaragua_compiler.operators.tanh import Tanh

ActivationKind = Literal["linear", "relu", "relu6", "leaky_relu", "tanh", "sigmoid"]
"""What a layer may end in; "linear" is none."""
KINDS: Final[tuple[ActivationKind, ...]] = get_args(ActivationKind)

#: By their names, in the order in which float_clients.c numbers them from 1 on.
ACTIVATIONS: Final[dict[str, Activation]] = {
    function.properties.name: function for function in (Relu(), Relu6(), LeakyRelu(), Tanh(), Sigmoid())
}

_POOL: Final = Kernel("unweighted/jrg_nn_pool.h", "jrg_nn_pool_forward")

#: By the name of their kind in a graph.
POOLS: Final[dict[str, Unweighted]] = {
    kind: Unweighted(
        name=f"{kind}_pool", label=f"{kind} pool", rule="A9.5", bit=f"{kind}_pool", kernel=_POOL, keeps_scale=True
    )
    for kind in ("max", "average")
}

ADD: Final = Unweighted(
    name="add",
    label="sum",
    rule="A9.6",
    bit="add",
    kernel=Kernel("unweighted/jrg_nn_add.h", "jrg_nn_add_forward"),
    keeps_scale=False,
    limits=(ExponentLimit("shift", 0, 30),),
)

UNWEIGHTED: Final[tuple[Unweighted, ...]] = (
    *POOLS.values(),
    ADD,
    *(function.properties for function in ACTIVATIONS.values()),
)


def activations_of(front_end: Literal["keras", "onnx", "litert"]) -> dict[str, ActivationKind]:
    """The activations that a front end knows by a name alone: that name -> kind."""
    names = {kind: getattr(ACTIVATIONS[kind], front_end) for kind in KINDS if kind in ACTIVATIONS}
    return {name: kind for kind, name in names.items() if name is not None}


def fused_activations() -> dict[int, ActivationKind]:
    """The activations inside other LiteRT operators: their numbers -> kind."""
    found: dict[int, ActivationKind] = {0: "linear"}
    for kind in KINDS:
        number = ACTIVATIONS[kind].litert_fused if kind in ACTIVATIONS else None
        if number is not None:
            found[number] = kind
    return found


def labels() -> str:
    """The kinds a user may write, for messages."""
    return f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
