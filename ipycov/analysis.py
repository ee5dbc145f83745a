"""Statements, exclusions and arcs of a cell, as coverage.py finds them in a module.

The analysis is coverage.py's own `PythonParser`, given the text rather than a file: it has no
public way in for a source without one. What a cell adds is undone here: IPython compiles each
top-level statement by itself, and lets `await` stand outside functions.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from types import CodeType
from typing import NamedTuple

from coverage.exceptions import NotPython
from coverage.parser import PythonParser

Arc = tuple[int, int]

#: Where an arc leads that enters or leaves the code of a cell's own statements, as
#: `ipycov.compiler` marks it. A function on line 1 leaves to -1, as IPython's unmarked code does.
CELL = 0

#: The statements that IPython makes of the magics which load ipycov and set it up.
_SETS_UP = re.compile(
    r"get_ipython\(\)\.run_line_magic\("
    r"('(re)?load_ext', '\s*ipycov\s*'|'config', '\s*IPyCov\..*')\)"
)

#: The nodes that a compiler can make code objects of.
_WITH_CODE: tuple[type[ast.AST], ...] = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp),
    *(ast.ListComp, ast.SetComp, ast.DictComp),
    *((ast.TypeAlias,) if sys.version_info >= (3, 12) else ()),
)


@dataclass(frozen=True)
class Exclusions:
    """The regexes of lines that are left out, and of lines that need not take all branches."""

    exclude: str
    partial: str


class CellAnalysis:
    """What can run in a cell's text. Lines are 1-based lines of the text.

    `python` is Python with one line for each typed one.

    Raises `coverage.exceptions.NotPython` when the text can't be parsed.
    """

    def __init__(self, python: str, name: str, exclusions: Exclusions) -> None:
        self._python = python
        self._partial = exclusions.partial
        self.parser = _Parser(python or "\n", name, exclusions.exclude)
        try:
            self.parser.parse_source()
        except (
            *(ValueError, RecursionError, MemoryError, OverflowError),
            SystemError,  # what CPython 3.12 makes of a text nested too deeply
        ) as error:
            raise NotPython(f"Couldn't parse {name!r} as Python source: {error}") from error
        self._top_level = [_span(node) for node in self.parser.tree().body]

    @property
    def statements(self) -> set[int]:
        """The lines of statements."""
        return self.parser.statements

    @property
    def excluded(self) -> set[int]:
        """The lines that the exclusion patterns leave out."""
        return self.parser.excluded

    @cached_property
    def no_branch(self) -> set[int]:
        """The lines that need not take all their branches."""
        return self.parser.lines_matching(self._partial) if self._partial else set()

    @cached_property
    def arcs(self) -> set[Arc]:
        """The arcs that a module with this text could run.

        Raises `coverage.exceptions.NotPython` when coverage.py can't tell.
        """
        try:
            arcs: set[Arc] = self.parser.arcs()
        except AssertionError as error:  # such as of a `with` that holds nothing but `global x`
            raise NotPython(f"coverage.py can't analyse its branches: {error}") from error
        return arcs

    @cached_property
    def definitions(self) -> list[tuple[set[int], set[str]]]:
        """Lines that define or import something in any run of the cell, with the names.

        The one that loads ipycov is among them: where a cell has run unmeasured, it has.
        Those of a class body go with the name of the class, and `with` and `try` with what their
        bodies define.
        """
        found = _definitions(self._tree.body)
        return [(lines & self.statements, names) for lines, names in found]

    def ran_before(self, defined: Callable[[str], bool]) -> frozenset[int]:
        """Lines that have run, though nothing measured them: what they define is `defined`."""
        found = [lines for lines, names in self.definitions if all(map(defined, names))]
        return frozenset().union(*found)

    def module_arcs(self, arcs: Iterable[Arc], entry: int) -> set[Arc]:
        """Turn arcs that a cell ran into those that a module with its text runs.

        A top-level statement leaves its code where the module's goes on to the next statement, or
        fails: then nothing of the next one ran.
        `entry` is the line that the cell's code starts on: that of its first statement, or of
        the first magic above it.
        """
        arcs = list(arcs)
        ran = _lines(arcs)
        magics = self._magics(entry)
        leaving = self._leaving(arcs, entry)
        translated = set()
        for start, end in arcs:
            if start == CELL or start in magics:
                translated.add((-1, end))
            elif (start, end) in leaving:
                translated.add((start, self._after(start, ran) or -1))
            else:
                translated.add((start, end))
        return translated

    def failed(self, arcs: Collection[Arc], entry: int) -> set[Arc]:
        """Those of the arcs of one run by which it left a top-level statement that failed."""
        ran = _lines(arcs)
        return {arc for arc in self._leaving(arcs, entry) if self._after(arc[0], ran) is None}

    def _magics(self, entry: int) -> range:
        """The lines of the magics above the first statement."""
        return range(entry, min(self.parser.raw_statements, default=entry))

    def _leaving(self, arcs: Collection[Arc], entry: int) -> set[Arc]:
        """Those of the arcs by which a top-level statement was left."""
        magics = self._magics(entry)
        nested: Collection[int] = ()
        if any(each.nests and each.first == entry for each in self._top_level):
            marked = any(CELL in arc for arc in arcs)
            nested = self._lines_of_marked(entry) if marked else self._lines_of_code_at(entry)
        return {
            (start, end)
            for start, end in arcs
            if start != CELL
            and start not in magics
            and (
                end == CELL
                or (end == -entry and start > 0 and start not in nested)
                or end in magics
            )
        }

    def _lines_of_marked(self, entry: int) -> set[int]:
        """The lines of the top-level statements on line `entry` whose own exits lead to `CELL`."""
        return {
            line
            for each in self._top_level
            if each.first == entry and each.nests
            for line in range(each.first, each.last + 1)
        }

    def _lines_of_code_at(self, entry: int) -> frozenset[int]:
        """The lines of the functions, classes and the like that start on line `entry`."""
        code = compile(
            self._tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
        )
        return frozenset(
            line
            for nested in _nested_codes(code)
            if nested.co_firstlineno == entry
            for _, _, line in nested.co_lines()
            if line
        )

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self._python)

    def _after(self, line: int, ran: set[int]) -> int | None:
        """The line that ran after the top-level statement on `line`, -1 after the last.

        None says that nothing of the next statement ran.
        """
        spans = self._top_level
        for span in spans[bisect_right(spans, line, key=attrgetter("first")) :]:
            lines: list[int] = sorted(
                number for number in self.parser.raw_statements if span.first <= number <= span.last
            )
            if not lines:
                continue  # such as `global x`, which leaves no code
            if ran.isdisjoint(range(span.first, span.last + 1)):
                return None
            start: int = self.parser.first_line(span.first)
            return start if start in self.parser.first_lines(lines) else lines[0]
        return -1


def _lines(arcs: Iterable[Arc]) -> set[int]:
    return {line for arc in arcs for line in arc if line > 0}


class _Span(NamedTuple):
    """First and last line of a top-level statement, decorators included.

    `nests` tells whether a function, class or the like stands in it, which has code of its own.
    """

    first: int
    last: int
    nests: bool


def _span(node: ast.stmt) -> _Span:
    nests = any(isinstance(each, _WITH_CODE) for each in ast.walk(node))
    return _Span(_first_line(node), node.end_lineno or node.lineno, nests)


def _definitions(nodes: Iterable[ast.stmt]) -> Iterable[tuple[set[int], set[str]]]:
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            yield {node.lineno}, bound - {"*"}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield set(_definition_lines(node)), {node.name}
        elif isinstance(node, ast.With | ast.AsyncWith | ast.Try | ast.TryStar):
            for lines, names in _definitions(node.body):
                yield lines | {node.lineno}, names
        elif isinstance(node, ast.Expr) and _SETS_UP.fullmatch(ast.unparse(node)):
            yield {node.lineno}, set()


def _definition_lines(node: ast.AST) -> Iterable[int]:
    """The lines of a `def`, `class` or import, and of simple statements in the body of a class."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node.lineno
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.lineno
        yield from (decorator.lineno for decorator in node.decorator_list)
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            if not hasattr(each, "body"):  # what runs whenever the class is made
                yield each.lineno
            yield from _definition_lines(each)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _nested_codes(code: CodeType) -> Iterable[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield const
            yield from _nested_codes(const)


class _Parser(PythonParser):
    """coverage.py's parser for a text that may `await` outside functions."""

    def __init__(self, python: str, name: str, exclude: str) -> None:
        super().__init__(text=_parseable(python), filename=name, exclude=exclude)
        self._python = python

    def tree(self) -> ast.Module:
        """The syntax tree that coverage.py has made, while it keeps it."""
        tree = self._ast_root
        return tree if isinstance(tree, ast.Module) else ast.parse(self.text)

    def lines_matching(self, regex: str) -> set[int]:
        """The lines of the text, as it was given, that `regex` matches."""
        parsed, self.text = self.text, self._python
        try:
            return super().lines_matching(regex)
        finally:
            self.text = parsed


def _parseable(python: str) -> str:
    """`python` without the `await`s that only a cell may have outside functions.

    coverage.py compiles the text as a module, where they are errors. What stands in for them has
    the same lines and the same control flow. A text that fails otherwise is left as it is, for
    coverage.py to say why.
    """
    if not re.search(r"\bawait\b|\basync\b", python):
        return python
    try:
        compile(python, "<cell>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        pass
    else:
        return python
    try:
        tree = ast.parse(python)
        tokens = list(tokenize.generate_tokens(io.StringIO(python).readline))
    except (SyntaxError, tokenize.TokenError, ValueError):
        return python
    lines = python.split("\n")
    inside = [
        (_body_start(node, lines), (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        (row, column), (last, end) = token.start, token.end
        if any(start <= token.start and row < below for start, below in inside):
            continue
        if token.type == tokenize.NAME and token.string == "await":
            new = "-"
        elif token.type == tokenize.NAME and token.string == "async":
            following = tokens[index + 1]
            if following.string == "def":
                continue
            new, end = "", following.start[1] if following.start[0] == row else end
        elif token.type == tokenize.STRING:
            new = re.sub(r"\bawait\b", "-", token.string)  # in an f-string, before Python 3.12
        else:
            continue
        replaced = lines[row - 1][:column] + new + lines[last - 1][end:]
        lines[row - 1 : last] = replaced.split("\n")
    return "\n".join(lines)


def _body_start(node: ast.AsyncFunctionDef, lines: list[str]) -> tuple[int, int]:
    """Where the body of a function starts, as the tokenizer counts rows and columns."""
    row = _first_line(node.body[0])
    octets = lines[row - 1].encode()[: node.body[0].col_offset]
    return row, len(octets.decode()) if row == node.body[0].lineno else 0
