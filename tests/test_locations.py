"""Code objects marked with the first line 0."""

from __future__ import annotations

import dis
from types import CodeType

import pytest

from ipycov.locations import holds_code_at, starting_at_zero

PROGRAMS = [
    "x = 1",
    "f = lambda: 1\ny = 2",
    "def f(a):\n    return a\n",
    "class C:\n    def f(self): return 1\n",
    "\n" * 300 + "x = 1\ny = 2",
    "x = [i for i in range(3)]\n" * 40,
    "x = 1; " + " " * 200 + "y = 2",
    "if x:\n    y = 1\nelse:\n    y = 2\nz = (1 +\n     2 +\n 3)",
    "try:\n    x\nexcept* ValueError:\n    y\nfinally:\n    z",
    "async def f():\n    async with a as b:\n        await b\n",
    "x" * 2000 + " = 1",
]


def code_of(text: str) -> CodeType:
    return compile(text, "a.py", "exec")


@pytest.mark.parametrize("text", PROGRAMS)
def test_only_the_first_line_changes(text: str) -> None:
    """Every instruction keeps its line and columns; only the first line becomes 0."""
    code = code_of(text)
    marked = starting_at_zero(code)
    assert marked.co_firstlineno == 0
    assert list(marked.co_lines()) == list(code.co_lines())
    assert [i.positions for i in dis.get_instructions(marked)] == [
        i.positions for i in dis.get_instructions(code)
    ]


def test_marked_code_runs() -> None:
    """Marked code does what it did."""
    space: dict[str, int] = {}
    exec(starting_at_zero(code_of("f = lambda: 3\nx = f()")), space)
    assert space["x"] == 3


#: a text, a line, and whether code starts on that line inside the text's own
HELD = [
    ("x = 1", 1, False),
    ("f = lambda: 1", 1, True),
    ("x = 1\nf = lambda: 1", 1, False),
    ("x = 1\nf = lambda: 1", 2, True),
    ("class C:\n  f = lambda: 1", 2, True),
    ("@d\ndef f(): pass", 1, True),
    ("def f():\n  def g():\n    return lambda: 1", 3, True),
]


@pytest.mark.parametrize(("text", "line", "held"), HELD)
def test_code_that_starts_on_a_line(text: str, line: int, held: bool) -> None:
    """Functions, classes and lambdas are found where they start, however deep."""
    assert holds_code_at(code_of(text), line) is held
