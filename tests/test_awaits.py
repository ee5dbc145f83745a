"""Statements under %cov that await."""

from __future__ import annotations

import pytest

from ipycov.awaits import awaited, awaits

#: a statement, and whether it awaits
STATEMENTS = [
    ("f()", False),
    ("await f()", True),
    ("x = [await y for y in z]", True),
    ("x = 'await f()'", False),
    ("async_thing()", False),
    ("async def f(): await x", False),
    ("await", False),
]


@pytest.mark.parametrize(("statement", "does"), STATEMENTS)
def test_statements_that_await(statement: str, does: bool) -> None:
    """A statement awaits where its own code does, not that of functions in it."""
    assert awaits(statement) is does


CALL = "get_ipython().run_line_magic('cov', '{}')"

#: a cell as Python, and what becomes of it
CELLS = [
    (f"x = 1\n{CALL.format('await f()')}\n", f"x = 1\nawait {CALL.format('await f()')}\n"),
    (f"é = {CALL.format('-q await f()')}\n", f"é = await {CALL.format('-q await f()')}\n"),
    (f"x = 1\n{CALL.format('f()')}\nawait y\n", None),
    (f"def f():\n    {CALL.format('await f()')}\n", None),
    (
        f"async def f():\n    {CALL.format('await f()')}\n",
        f"async def f():\n    await {CALL.format('await f()')}\n",
    ),
    (f"x = '''\n{CALL.format('await f()').replace(chr(39), chr(34))}\n'''\n", None),
    (f"x = '''\n{CALL.format('await')}\nawait x", None),
]


@pytest.mark.parametrize(("cell", "becomes"), CELLS)
def test_calls_are_awaited(cell: str, becomes: str | None) -> None:
    """A call of %cov is awaited where its statement awaits and an await may stand."""
    lines = cell.splitlines(keepends=True)
    assert "".join(awaited(lines)) == (becomes or cell)
