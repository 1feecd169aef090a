"""The names of a folder's C: each begins with a prefix of the user's choice, so that several models do not clash."""

from __future__ import annotations

import re

from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.errors import CompileError

LONGEST = 32
_PREFIX = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST - 1}}}")
# A file PREFIX.h of one of these names would be found in the place of the C library's.
_LIBRARY_HEADERS = (
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic"
    " stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar unistd wchar wctype arduino"
)
_NAME = re.compile(r"\b(?:jrg_model|jrg_(?:nn|model)_\w*|JRG_(?:NN|MODEL)_\w*)(?!\w)(?!\.[ch]\b)")
_FILE_NAME = re.compile(r"\bjrg_model(?:_config)?((?:_kernels)?\.[ch])\b")
_ENUMERATOR = re.compile(r"^\s+(JRG_NN_\w+)", re.MULTILINE)
# What a caller of the model meets has short names, "_nn_" is for the kernels.
_PUBLIC = {
    "jrg_model": "{}_model",
    "jrg_model_info": "{}_model_info",
    "jrg_nn_status": "{}_status",
    "jrg_nn_result": "{}_result",
    "jrg_nn_rate": "{}_learning_rate",
    "jrg_nn_match": "{}_match",
    "JRG_NN_MUST_USE": "{}_MUST_USE",
}
_KEPT = frozenset({"JRG_NN_PORTABLE"})  # a choice for a whole firmware


def prefix_of(wanted: str | None, network: str) -> str:
    """The prefix a user chose, or one made of the network's name. Raises CompileError for one that C cannot have."""
    if wanted is None:
        name = network.replace("-", "_")
        return name if _PREFIX.fullmatch(name) and not _is_library_header(name) else f"net_{name}"[:LONGEST]
    if not _PREFIX.fullmatch(wanted):
        raise CompileError(
            f"{wanted!r} is no prefix of C names.", f"Use 1 to {LONGEST} of a-z, 0-9 and '_', a letter first."
        )
    if _is_library_header(wanted):
        raise CompileError(
            f"{wanted!r} cannot be the prefix: {wanted}.h is a header of the C library.",
            f"Use another, as --prefix my_{wanted}.",
        )
    return wanted


def renamed(text: str, prefix: str) -> str:
    """C, or words about it, with the prefix in the place of `jrg_model` and `jrg_nn`."""
    public = _PUBLIC | {name: name.replace("JRG_NN", "{}") for name in _statuses()}

    def own(found: re.Match[str]) -> str:
        name = found[0]
        if name in _KEPT:
            return name
        case = prefix if name[0] == "j" else prefix.upper()
        if name in public:
            return public[name].format(case)
        _, kind, rest = name.split("_", 2)
        return f"{case}_{rest}" if kind in ("model", "MODEL") else f"{case}_{kind}_{rest}"

    return _NAME.sub(own, _FILE_NAME.sub(rf"{prefix}\1", text))


def _is_library_header(name: str) -> bool:
    return name in _LIBRARY_HEADERS.split()


def _statuses() -> list[str]:
    text = (kernel_folder() / "core/jrg_nn_status.h").read_text(encoding="utf-8")
    return _ENUMERATOR.findall(text)
