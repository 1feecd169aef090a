"""The headers of jrg_nn that a generated source needs, as the text of one header, and the licence they come under."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from jaragua_compiler.engines.native import kernel_folder
from jaragua_compiler.errors import CompileError

_INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')
_GUARD = re.compile(r"^#ifndef (JRG_\w+_H)\n#define \1\n", re.MULTILINE)
_LAST_ENDIF = re.compile(r"#endif\s*\Z")
_EMPTY_BLOCK = re.compile(r"^#if[^\n]*\n(?:#el[^\n]*\n)*#endif\n", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class _Header:
    """One header without its guard and its own includes, and what it includes: (place, condition, "" if always)."""

    body: str
    includes: tuple[tuple[str, str], ...]


def amalgamated(places: Iterable[str], known: Collection[str] = ()) -> str:
    """The headers at `places` (below firmware/lib/jrg_nn) and all that they include, each once, after what it needs.

    Both paths of a kernel (portable, DSP) are taken: the core decides which one is compiled. `known` are there already.
    """
    found: dict[str, _Header] = {}
    roots = list(places)
    for place in roots:
        _collect(place, known, found)
    conditions = _conditions(roots, found)
    return "\n".join(_conditional(header.body, conditions[place]) for place, header in found.items())


def included(source: str) -> tuple[str, ...]:
    """The headers that a source includes in quotation marks, in their order."""
    return tuple(found[1] for found in map(_INCLUDE.match, source.splitlines()) if found)


def licence_text() -> str:
    """The Apache License, from the repository or the installed package."""
    firmware = kernel_folder().parents[1]
    for path in (firmware / "LICENSE", firmware.parent / "LICENSE"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CompileError("the licence (LICENSE) is missing beside the kernels.", "Install the package again.")


def _collect(place: str, known: Collection[str], found: dict[str, _Header]) -> None:
    """Adds a header behind all that it includes."""
    if place in found or place in known:
        return
    header = _read((kernel_folder() / place).read_text(encoding="utf-8"), known)
    for other, _ in header.includes:
        _collect(other, known, found)
    found[place] = header


def _read(text: str, known: Collection[str]) -> _Header:
    text = _LAST_ENDIF.sub("", _GUARD.sub("", text, count=1))
    lines, includes = [], []
    open_blocks: list[str] = []
    for line in text.splitlines():
        include = _INCLUDE.match(line)
        if include is None:
            lines.append(line)
            _enter(line, open_blocks)
        elif include[1] not in known:
            includes.append((include[1], _all(open_blocks)))
    body = _EMPTY_BLOCK.sub("", "\n".join(lines) + "\n")
    return _Header(_BLANK_LINES.sub("\n\n", body).strip("\n") + "\n", tuple(includes))


def _all(conditions: Iterable[str]) -> str:
    """A condition that holds where all of these do; "" stands for one that always does."""
    some = [condition for condition in conditions if condition]
    return " && ".join(f"({condition})" for condition in some) if len(some) > 1 else "".join(some)


def _enter(line: str, open_blocks: list[str]) -> None:
    """What a preprocessor line makes of the conditions that hold behind it."""
    directive, _, rest = line.partition("//")[0].strip().partition(" ")
    words = {"#if": rest, "#ifdef": f"defined({rest})", "#ifndef": f"!defined({rest})"}
    if directive in words:
        open_blocks.append(words[directive].strip())
    elif directive in ("#elif", "#else"):
        otherwise = f"!({open_blocks.pop()})"
        open_blocks.append(otherwise if directive == "#else" else f"{otherwise} && ({rest.strip()})")
    elif directive == "#endif":
        open_blocks.pop()


def _conditions(places: Iterable[str], found: Mapping[str, _Header]) -> dict[str, list[str]]:
    """Under which conditions a header is included, those of its includers with them; [""]: always."""
    conditions: dict[str, list[str]] = {place: [] for place in found}
    conditions |= {place: [""] for place in places if place in found}
    for place in reversed(list(found)):  # who includes comes before what is included
        conditions[place] = [""] if "" in conditions[place] else list(dict.fromkeys(conditions[place]))
        for other, own in found[place].includes:
            conditions[other] += [_all((one, own)) for one in conditions[place]]
    return conditions


def _conditional(body: str, conditions: list[str]) -> str:
    return body if conditions == [""] else f"#if {' || '.join(conditions)}\n{body}#endif\n"
