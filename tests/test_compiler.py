"""The compiler of a shell, watched: a shell that is a compiler and nothing else."""

from __future__ import annotations

import ast
import linecache
from types import CodeType
from typing import Any

import pytest
from IPython.core.compilerop import CachingCompiler

from ipycov.cells import Cell, CellBook
from ipycov.compiler import TIMED, CellCompiler, Run, relocate


class Shell:
    """An IPython compiler under watch."""

    def __init__(self) -> None:
        self.book = CellBook()
        self.told: list[Cell] = []
        self.watcher = CellCompiler(self.book, self.told.append)
        self.compile: Any = CachingCompiler()
        self.watcher.install(self.compile)

    def code(self, typed: str, id: str | None = None, compiled: str | None = None) -> CodeType:
        """The code of a cell, as IPython compiles each."""
        self.watcher.expected = Run(typed, id)
        text = typed if compiled is None else compiled
        name = self.compile.cache(text, len(self.told) + 1, typed)
        code: CodeType = self.compile(self.compile.ast_parse(text, name), name, "exec")
        return code


@pytest.fixture
def shell() -> Shell:
    return Shell()


def test_cells_are_learnt_as_they_are_compiled(shell: Shell) -> None:
    """A cell that is compiled is in the book, under the name in its code."""
    code = shell.code("x = 1")
    [cell] = shell.book
    assert shell.told == [cell]
    assert code.co_filename.endswith(".py")
    assert not code.co_filename.startswith("<"), "coverage.py measures no such name"
    assert cell.typed == "x = 1"


def test_what_is_no_cell_is_left_alone(shell: Shell) -> None:
    """Text that is compiled while no cell is expected keeps IPython's name for it."""
    name = shell.compile.cache("x = 1", 1, "x = 1")
    assert list(shell.book) == []
    assert name == CachingCompiler().get_code_name("x = 1", "x = 1", 1)


def test_the_same_text_under_two_ids(shell: Shell) -> None:
    """The code of two cells with the same text has two names, and each has its source."""
    one, two = shell.code("x = 1", "a"), shell.code("x = 1", "b")
    assert one.co_filename != two.co_filename
    assert shell.code("x = 1", "a").co_filename == one.co_filename
    for code in (one, two):
        assert linecache.getline(code.co_filename, 1).rstrip() == "x = 1"


#: a text, and whether its code has to be told from what is in it
MARKED = [
    ("x = 1", False),
    ("f = lambda: 1", True),
    ("class C: pass", True),
    ("x = 1\nf = lambda: 1", False),
]


@pytest.mark.parametrize(("text", "marked"), MARKED)
def test_the_exit_of_a_cell(shell: Shell, text: str, marked: bool) -> None:
    """Code on line 1 is marked where a function starts on the same line, and only there."""
    assert (shell.code(text).co_firstlineno == 0) is marked


def test_uninstalling(shell: Shell) -> None:
    """The compiler is what it was once the watch is taken off."""
    shell.code("x = 1")
    shell.watcher.uninstall(shell.compile)
    assert type(shell.compile) is CachingCompiler
    assert "_ipycov" not in vars(shell.compile)
    assert shell.compile.cache("y = 1", 1, "y = 1")
    shell.watcher.uninstall(shell.compile)
    assert [cell.typed for cell in shell.book] == ["x = 1"]


def test_installing_twice(shell: Shell) -> None:
    """The watch is put on once, and another takes its place."""
    other = CellCompiler(CellBook(), lambda cell: None)
    other.install(shell.compile)
    other.uninstall(shell.compile)
    assert type(shell.compile) is CachingCompiler


def test_a_compiler_that_another_tool_made(shell: Shell) -> None:
    """A subclass that another tool put on the compiler stays on it."""

    class Other(type(shell.compile)):  # type: ignore[misc]
        pass

    shell.compile.__class__ = Other
    shell.code("x = 1")
    shell.watcher.uninstall(shell.compile)
    assert type(shell.compile) is Other
    assert shell.compile.cache("y = 1", 1, "y = 1")
    assert [cell.typed for cell in shell.book] == ["x = 1"]


@pytest.mark.parametrize("name", sorted(TIMED))
def test_timed_code_outside_of_cells(shell: Shell, name: str) -> None:
    """What %time compiles while no cell runs keeps its name."""
    code = shell.compile(ast.parse("x = 1"), name, "exec")
    assert code.co_filename == name


def test_timed_code_in_a_cell(shell: Shell) -> None:
    """What %time compiles while a cell runs gets the cell's name and line."""
    code = shell.code("x = 1\nmade = compile_it()")
    space: dict[str, Any] = {
        "compile_it": lambda: shell.compile(ast.parse("y = 1\nz = 2"), "<timed exec>", "exec")
    }
    exec(code, space)
    made: CodeType = space["made"]
    assert made.co_filename == code.co_filename
    assert {line for _, _, line in made.co_lines() if line} == {2}


def test_relocate() -> None:
    """Every node gets the lines that are given for its own; ends are never before starts."""
    tree = ast.parse("x = [1,\n  2]\ny = f(\n1)")
    relocate(tree, lambda line: {1: 10, 2: 12, 3: 20, 4: 20}[line])
    compile(tree, "a", "exec")
    first, second = tree.body
    assert (first.lineno, first.end_lineno) == (10, 12)
    assert (second.lineno, second.end_lineno) == (20, 20)
