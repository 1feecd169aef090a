"""`python -m jaragua_documents.rules`: the numbered rules of all documents that no test names; `make lint` runs it.

A rule is defined where a line of a page begins with its number: a heading (`### R10 One coordinator`), an entry of a
list or a paragraph whose number is bold (`- **A3.1** …`, `**B2 Equal accuracy.** …`). The entries of a numbered list
under such a heading are its sub-rules (R10.1). A rule with sub-rules is tested by the tests of these. Families of
rules are not listed anywhere: a page that defines a new one is read as the others are.

A test names a rule in the name of its function (`test_a3_1_…`), in a docstring or in a comment of a file `test_*.py`,
or in a comment or the name of a test of a C file of `firmware/test` (`TEST(k3_…)`), which `tests/firmware` runs.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_NUMBER = r"[A-Z]\d+(?:\.\d+)*"
_DEFINITION = re.compile(rf"(?P<heading>#{{1,6}} )?(?:- )?(?P<bold>\*\*)?(?P<rule>{_NUMBER})(?=[ .*:,])(?!\.\d)")
_ENTRY = re.compile(r"(\d+)\. ")
_FENCE = re.compile(r" {0,3}(```|~~~)")
#: "Cortex-M4" names no rule.
_NAMED = re.compile(rf"(?<![\w.-])({_NUMBER})(?!\w|\.\d)")
_NAMED_BY_FUNCTION = re.compile(r"(?<![a-z0-9])([a-z])(\d+(?:_\d+)*)(?![a-z0-9])")
_C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_C_TEST = re.compile(r"^TEST\((\w+)\)", re.MULTILINE)
_PROCESSORS = re.compile(r"Cortex-M\w+\+?(?:(?:,| and| or) (?:on )?M\d\+?)*")


@dataclass(frozen=True)
class Rule:
    """A numbered rule, and where it is defined."""

    number: str
    page: Path
    line: int


def rules_of(page: Path, text: str) -> list[Rule]:
    """The rules that a page defines, in its order."""
    found: list[Rule] = []
    section = ""
    for line, words in _prose(text):
        definition = _DEFINITION.match(words)
        if definition and (definition["heading"] or definition["bold"]):
            found.append(Rule(definition["rule"], page, line))
        if words.startswith("#"):
            section = definition["rule"] if definition else ""
        entry = _ENTRY.match(words)
        if section and entry:
            found.append(Rule(f"{section}.{entry[1]}", page, line))
    return found


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page that are not code."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            in_code = not in_code
        elif not in_code:
            yield number, line


def testable(rules: list[Rule]) -> list[Rule]:
    """The rules without those that only hold their sub-rules together."""
    parents = {one.number.rpartition(".")[0] for one in rules}
    return [one for one in rules if one.number not in parents]


def named_in(source: str) -> set[str]:
    """The numbers that a test file names."""
    found = {number for text in _said(source) for number in _NAMED.findall(_PROCESSORS.sub("", text))}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for family, number in _NAMED_BY_FUNCTION.findall(node.name):
                found.add(family.upper() + number.replace("_", "."))
    return found


def named_in_c(source: str) -> set[str]:
    """The numbers that the comments of a C file name, and the names of its tests."""
    by_comment = {number for comment in _C_COMMENT.findall(source) for number in _NAMED.findall(comment)}
    names = " ".join(_C_TEST.findall(source))
    return by_comment | {
        family.upper() + number.replace("_", ".") for family, number in _NAMED_BY_FUNCTION.findall(names)
    }


def _said(source: str) -> Iterator[str]:
    """Docstrings and comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def problems(root: Path) -> list[str]:
    """A line for each rule that no test names, and for each number that is defined twice."""
    docs = sorted((root / "docs").rglob("*.md"))
    rules = [rule for page in docs for rule in rules_of(page.relative_to(root), page.read_text(encoding="utf-8"))]
    named: set[str] = set()
    for test in sorted((root / "tests").rglob("test_*.py")):
        named |= named_in(test.read_text(encoding="utf-8"))
    for test in sorted((root / "firmware" / "test").rglob("test_*.c")):
        named |= named_in_c(test.read_text(encoding="utf-8"))
    first: dict[str, Rule] = {}
    twice = []
    for rule in rules:
        known = first.setdefault(rule.number, rule)
        if known is not rule:
            twice.append(f"{rule.page}:{rule.line}: {rule.number} is defined in {known.page}:{known.line}, too")
    untested = [one for one in testable(list(first.values())) if one.number not in named]
    return twice + [f"{one.page}:{one.line}: no test names {one.number}" for one in untested]


def main() -> int:
    """Print the problems; 1 if there are any."""
    found = problems(ROOT)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
