"""The list of numbered rules without a test; `make lint` runs it on this repository."""

from __future__ import annotations

from pathlib import Path

from jaragua_documents import rules

PAGE = """# Arithmetic

Rule A9.9 is mentioned here and defined elsewhere.

## A1 Rounding
- **A1.1** `rshift`. See A1.2.
- **A1.2** `sats`.

## Q2 One thing
Without sub-rules.

### R10 One coordinator

1. It asks.
2. It waits.

1. Another list of the same section would define R10.1 again.

### What is not numbered

1. A list.

**B2 Equal accuracy.** A paragraph.

```sh
- **A7.7** a line of code
```
- **Z9's promise** is no definition.
"""
NAME = "page.md"
TEST = '''"""A1.1 and the emulated Cortex-M4, on M0+ too."""

# A1.2: both ends
def test_r10_1_it_asks() -> None:
    text = "Q2 in a string names nothing"
    value = 3  # see FOO-B2 and B2x


class Case:
    """F16.5"""
'''


def test_a_page_defines_what_its_lines_begin_with() -> None:
    found = rules.rules_of(Path("page.md"), PAGE)
    assert [one.number for one in found] == ["A1", "A1.1", "A1.2", "Q2", "R10", "R10.1", "R10.2", "R10.1", "B2"]
    assert [(one.number, one.line) for one in found][:2] == [("A1", 5), ("A1.1", 6)]
    assert [one.number for one in rules.testable(found)] == ["A1.1", "A1.2", "Q2", "R10.1", "R10.2", "R10.1", "B2"]


def test_a_test_names_rules_in_names_docstrings_and_comments() -> None:
    assert rules.named_in(TEST) == {"A1.1", "A1.2", "R10.1", "F16.5"}
    assert rules.named_in_c('/* L3.9 and\n * L3.7 */ int x = 1; // P1\nconst char *y = "L4.4";') == {
        "L3.9",
        "L3.7",
        "P1",
    }


def test_each_rule_without_a_test_and_each_that_is_defined_twice_is_a_problem(tmp_path: Path) -> None:
    for name, text in ((f"docs/{NAME}", PAGE), ("tests/room/test_it.py", TEST), ("tests/room/helper.py", '"""B2."""')):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert rules.problems(tmp_path) == [
        f"docs/{NAME}:17: R10.1 is defined in docs/{NAME}:14, too",
        f"docs/{NAME}:9: no test names Q2",
        f"docs/{NAME}:15: no test names R10.2",
        f"docs/{NAME}:23: no test names B2",
    ]
