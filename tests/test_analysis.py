"""Statements, exclusions and arcs of a cell's text."""

from __future__ import annotations

import pytest
from coverage.exceptions import NotPython

from ipycov.analysis import CELL, CellAnalysis, Exclusions

PLAIN = Exclusions(r"#\s*pragma: no cover", r"#\s*pragma: no branch")


def analysed(text: str, exclusions: Exclusions = PLAIN) -> CellAnalysis:
    return CellAnalysis(text, "In[1]", exclusions)


#: a text, and the lines of its statements
STATEMENTS = [
    ("", set()),
    ("# a comment", set()),
    ("x = 1\n\ny = 2", {1, 3}),
    ("'''doc'''\nx = 1", {2}),
    ("x = (1,\n  2)\ny = 3", {1, 3}),
    ("if x:\n    y = 1\nelse:\n    y = 2", {1, 2, 4}),
    ("@d\n@e\ndef f():\n    '''doc'''\n    return 1", {1, 2, 3, 5}),
    ("await f()", {1}),
    ("async for x in y:\n    z = 1", {1, 2}),
    ("async with x as y:\n    z = 1\nw = await z", {1, 2, 3}),
    ("x = [await y async for y in z]\nw = f'{await x}'", {1, 2}),
    ("async def f():\n    await x\nawait f()", {1, 2, 3}),
    ("x = 'await async'\nawait f()", {1, 2}),
]


@pytest.mark.parametrize(("text", "lines"), STATEMENTS)
def test_statements(text: str, lines: set[int]) -> None:
    """The statements of a cell are those of a module, and those that await."""
    assert analysed(text).statements == lines


def test_exclusions() -> None:
    """An excluded line takes its block along, and a partial line need not take all branches."""
    found = analysed(
        "def f():  # pragma: no cover\n    return 1\nif x:  # pragma: no branch\n    y = 1\n"
    )
    assert found.excluded == {1, 2}
    assert found.statements == {3, 4}
    assert found.no_branch == {3}


def test_exclusions_of_the_users() -> None:
    """The patterns are regexes that are given."""
    found = analysed("x = 1\nif DEBUG:\n    y = 1", Exclusions("if DEBUG", ""))
    assert found.excluded == {2, 3}
    assert found.no_branch == set()


#: a text, the arcs that IPython's statements run, and those of a module with the text
ARCS = [
    ("x = 1\ny = 2", [(-1, 1), (1, CELL), (CELL, 2), (2, CELL)], {(-1, 1), (1, 2), (2, -1)}),
    (
        "if x:\n    y = 1\nz = 2",
        [(CELL, 1), (1, CELL), (CELL, 3), (3, CELL)],
        {(-1, 1), (1, 3), (-1, 3), (3, -1)},
    ),
    (
        "for i in x:\n    y = i\n\n# then\nz = 2",
        [(CELL, 1), (1, 2), (2, 1), (1, CELL), (CELL, 5), (5, CELL)],
        {(-1, 1), (1, 2), (2, 1), (1, 5), (-1, 5), (5, -1)},
    ),
    (
        "x = 1\nfor i in x:\n    y = i\nz = 2",
        [(CELL, 1), (1, CELL), (CELL, 2), (2, CELL)],
        {(-1, 1), (1, 2), (-1, 2), (2, -1)},
    ),
    (
        "def f(): return 1\nf()",
        [(CELL, 1), (1, CELL), (-1, 1), (1, -1), (CELL, 2), (2, CELL)],
        {(-1, 1), (1, 2), (1, -1), (-1, 2), (2, -1)},
    ),
]


@pytest.mark.parametrize(("text", "ran", "module"), ARCS)
def test_arcs_are_those_of_a_module(
    text: str, ran: list[tuple[int, int]], module: set[tuple[int, int]]
) -> None:
    """A top-level statement that is left goes on to the next one, unless it has failed."""
    branches = {arc for arc in analysed(text).module_arcs(ran, 1) if arc[0] > 0}
    assert branches == {arc for arc in module if arc[0] > 0}


@pytest.mark.parametrize("text", ["x =", "def f(:", "\x00", "  x\n y", "x = await", "return = 1"])
def test_what_is_no_python(text: str) -> None:
    """A text that can't be parsed is refused as coverage.py refuses a file."""
    with pytest.raises(NotPython, match=r"In\[1\]"):
        analysed(text)


def test_what_loads_ipycov_ran_before() -> None:
    """The magics of a cell that load ipycov and set it up ran, though nothing measured them."""
    magics = ("load_ext', 'ipycov", "config', 'IPyCov.branch = True", "config', 'Other.x = 1")
    text = "\n".join(f"get_ipython().run_line_magic('{magic}')" for magic in magics)
    assert analysed(text).ran_before(lambda name: True) == {1, 2}
