"""The shell's compiler, watched: which cell each code object comes from, and on which line.

IPython has no hook for the name that a cell's code gets or for the code that magics compile, so
the class of the shell's compiler is replaced by a subclass of itself while ipycov is loaded.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import linecache
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, TypeVar

from ipycov.cells import Cell, CellBook
from ipycov.lines import rows, translate
from ipycov.locations import holds_code_at, starting_at_zero

T = TypeVar("T")

#: The name under which %cov compiles the statement on its line.
COV_STATEMENT = "<cov>"

#: The names under which IPython's %time and %timeit, and %cov, compile statements. coverage.py
#: measures no file whose name starts with "<".
TIMED = frozenset({"<timed exec>", "<timed eval>", "<magic-timeit>", COV_STATEMENT})


@dataclass
class Run:
    """A cell that is about to be compiled: its typed text and the front end's id.

    `outer` is the execution count of the cell whose code had IPython run this one, if one had.
    `counted` tells whether the execution count is this run's own: one that is not kept in the
    history, such as those of nbval, shares it with the next that is. `file` is the path of the
    file that it comes from, where %run runs one.
    """

    typed: str
    id: str | None
    outer: int | None = None
    counted: bool = True
    file: str | None = None


@dataclass
class _Fragment:
    """A cell magic's body that is compiled by itself, and where its lines stand in the cell."""

    cell: Cell
    filename: str
    line_of: Callable[[int], int]


class CellCompiler:
    """Gives the code of cells its names and lines, and writes the cells into `book`.

    `named` is called with each cell whose text is about to be compiled, and `runs` before each of
    its statements is run. `every_text` takes each text that is compiled for a cell, for where
    nobody tells which are. `failed` is told of errors of ipycov's own. Texts that are in
    `not_cells` are none of the user's, and with `run_only_cells` nothing of them runs.
    `also_measured` is told what one that watches the same compiler has measured.
    """

    def __init__(
        self,
        book: CellBook,
        named: Callable[[Cell], None],
        runs: Callable[[Cell], None] | None = None,
        *,
        every_text: bool = False,
        failed: Callable[[Exception], None] | None = None,
        not_cells: Container[str] = (),
        run_only_cells: bool = False,
    ) -> None:
        self.book = book
        self._not_cells = not_cells
        self._run_only_cells = run_only_cells
        self._not_run = False  # whether that holds for the text that was named last
        self._failed = failed
        self._named = named
        self._runs = runs
        self._every_text = every_text
        self.expected: Run | None = None
        self.next_name: str | None = None
        self.running_file: str | None = None  # of %run, whose cells no hook tells of
        self._cells: dict[str, Cell] = {}  # by the name in the code objects
        self._fragment: _Fragment | None = None
        self._before: CellCompiler | None = None
        self.also_measured: Callable[[Any], None] | None = None

    def pass_on(self, measured: Callable[[], Any]) -> None:
        """Tell the one that watched the compiler before what was measured, by filename."""
        if self._before is not None and self._before.also_measured is not None:
            self._before.also_measured(measured())

    def install(self, compiler: Any) -> None:
        """Watch `compiler`, an IPython `CachingCompiler`.

        It takes the place of one that watches it already. That of a kernel which coverage.py
        measures is told of the cells, and watches again afterwards.
        """
        before: CellCompiler | None = compiler.__dict__.get("_ipycov")
        if before is not None and before is not self and before.also_measured is not None:
            self._before = before
        if not isinstance(compiler, _Watched):
            compiler.__class__ = _watched_class(type(compiler))
        compiler.__dict__["_ipycov"] = self

    def watched_class(self, compiler_class: type) -> type:
        """A class of compilers that are watched from the first."""

        def init(compiler: Any, *args: Any, **kwargs: Any) -> None:
            compiler_class.__init__(compiler, *args, **kwargs)  # type: ignore[misc]
            self.install(compiler)

        return type(compiler_class.__name__, (compiler_class,), {"__init__": init})

    def uninstall(self, compiler: Any) -> None:
        """Leave `compiler` as it was."""
        if self._before is not None:
            compiler.__dict__["_ipycov"] = self._before
            return
        compiler.__dict__.pop("_ipycov", None)
        if isinstance(compiler, _Watched) and type(compiler).__mro__[1] is _Watched:
            compiler.__class__ = type(compiler).__mro__[2]

    def safely(self, call: Callable[[], T], otherwise: T) -> T:
        """What `call` gives; `otherwise` where it fails, for a cell is to compile all the same."""
        try:
            return call()
        except Exception as error:
            if self._failed is None:
                raise
            self._failed(error)
            return otherwise

    def name(self, compiler: Any, typed: str, compiled: str, count: int) -> str | None:
        """The name for the text that is being compiled; None where it is no cell of a user's."""
        run, self.expected = self.expected, None
        self._not_run = False
        if typed in self._not_cells:
            self._not_run = self._run_only_cells
            return None
        if run is None and self._every_text:
            running = self._running_cell()
            run = Run(typed, None, running[1].count if running is not None else None)
        if run is None and self.running_file is not None:
            running = self._running_cell()
            outer = running[1].count if running is not None else count
            run = Run(typed, None, outer, file=self.running_file)
        if run is None or run.typed != typed:
            return None
        fragment = self._body_of_running_cell(typed, compiled)
        if fragment is not None:
            self._fragment = fragment
            self._named(fragment.cell)
            return fragment.filename
        name = compiler.get_code_name(typed, compiled, count)
        if name.startswith("<"):
            name = _measurable_name(typed)
        if run.file is not None:
            stem, extension = os.path.splitext(name)
            name = f"{stem}_{zlib.crc32(os.fsencode(run.file)):08x}{extension}"
        name = self.book.filename_for(name, typed, run.id)
        cell = self._added(_canonical(name), typed, compiled, run, count)
        cell.file = run.file
        self._cells[name] = cell
        self._named(cell)
        if self._before is not None:
            self._before.share(name, cell)
        return name

    def _added(self, name: str, typed: str, compiled: str, run: Run, count: int) -> Cell:
        """The cell of a run. One that another cell runs again keeps the number of its own run."""
        known = self.book.get(name)
        if (
            run.outer is not None
            and known is not None
            and known.typed == typed
            and not known.nested
        ):
            return self.book.add(name, typed, compiled, run.id, known.count)
        cell = self.book.add(
            name, typed, compiled, run.id, count if run.outer is None else run.outer
        )
        self.book.number(cell, counted=run.outer is None and run.counted)
        return cell

    def share(self, name: str, cell: Cell) -> None:
        """Take a cell that another has watched, whose code is compiled under `name`."""
        self.book.take(cell)
        self._cells[name] = cell

    def forget_cells(self) -> None:
        """Hold no cell any more."""
        self._cells.clear()

    def add_earlier(self, name: str, typed: str, compiled: str, count: int) -> Cell:
        """Add a cell to the book whose code was compiled before this compiler was watched."""
        return self.book.add(_canonical(name), typed, compiled, None, count)

    def text_was_cached(self, name: str) -> None:
        """Put a cell whose body is compiled apart into `linecache` with its lines in place."""
        cell = self._cells.get(name)
        if cell is None or not cell.translation.compiled_headers:
            return
        first = cell.translation.compiled_headers[0].line
        lines = [row + "\n" for row in cell.translation.python.split("\n")][first - 1 :]
        lines[0] = (cell.compiled or lines[0]).split("\n")[0] + "\n"
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)

    def without_what_is_not_run(self, source: str) -> str:
        """The source of the text that was named last, empty where nothing of it is to run."""
        not_run, self._not_run = self._not_run, False
        return "" if not_run else source

    def place(self, tree: Any, filename: str) -> None:
        """Give the nodes of a magic's body the lines that they have in the cell."""
        fragment, self._fragment = self._fragment, None
        if fragment is not None and fragment.filename == filename:
            relocate(tree, fragment.line_of)

    def place_timed(self, tree: Any) -> str | None:
        """Give the nodes that %time or %timeit compiles their lines; return the cell's name."""
        running = self._running_cell()
        if running is None or not isinstance(tree, ast.AST):
            return None
        name, cell, line = running
        header = _header_at(cell, line)
        headers = cell.translation.compiled_headers
        below = next((h for h in headers if header and h.line > header.line), None)

        def line_of(number: int) -> int:
            if below is not None:
                return cell.compiled_line(below.line)  # its call is all that is compiled here
            origin = cell.translation.origin
            if header is None or not origin:
                return line
            return cell.compiled_line(origin[min(max(number, 1), len(origin)) - 1])

        loop = _timeit_loop(tree)
        if loop is None:
            relocate(tree, line_of)
        else:
            body, loop.body = loop.body, []
            relocate(tree, lambda number: line)
            loop.body = body
            for statement in body:
                relocate(statement, line_of)
        return name

    def running_line(self) -> tuple[Cell, int] | None:
        """The innermost cell on this thread's stack, and its typed line."""
        running = self._running_cell()
        return (running[1], running[1].typed_line(running[2])) if running is not None else None

    def mark(self, code: CodeType, filename: str) -> CodeType:
        """Tell the exits of a cell's own code from those of functions on its first line."""
        if filename in self._cells and code.co_firstlineno == 1 and holds_code_at(code, 1):
            return starting_at_zero(code)
        return code

    def about_to_run(self, filename: str) -> None:
        """A statement has been compiled, and is to run now, where it is a cell's."""
        cell = self._cells.get(filename)
        if cell is not None and self._runs is not None:
            self._runs(cell)

    def _body_of_running_cell(self, typed: str, compiled: str) -> _Fragment | None:
        # Not always the innermost: the magic may come from another cell.
        running = (each for each in self._running_cells() if _is_at_body(*each[1:], typed))
        name, cell, line = next(running, (None, None, 0))
        if name is None or cell is None:
            return None
        above = cell.typed_line(line)
        body = translate(typed, compiled)
        if body.compiled_headers:
            call = body.compiled_headers[0].line
            return _Fragment(cell, name, lambda _: cell.compiled_line(above + call))
        cell.body_was_compiled()
        self.text_was_cached(name)

        def line_of(number: int) -> int:
            at = body.origin[min(max(number, 1), len(body.origin)) - 1]
            return cell.compiled_line(above + at)

        return _Fragment(cell, name, line_of)

    def _running_cell(self) -> tuple[str, Cell, int] | None:
        return next(self._running_cells(), None)

    def _running_cells(self) -> Iterator[tuple[str, Cell, int]]:
        """The cells on this thread's stack, innermost first: code's name, cell, compiled line."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            cell = self._cells.get(frame.f_code.co_filename)
            if cell is not None:
                yield frame.f_code.co_filename, cell, frame.f_lineno
            frame = frame.f_back


class _Watched:
    """Mixed in before an IPython compiler's own class; delegates to the `CellCompiler`."""

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        watcher: CellCompiler | None = self.__dict__.get("_ipycov")
        if watcher is None:
            return super().cache(transformed_code, number, raw_code)  # type: ignore[misc,no-any-return]
        raw = transformed_code if raw_code is None else raw_code
        watcher.next_name = watcher.safely(
            lambda: watcher.name(self, raw, transformed_code, number), None
        )
        try:
            name: str = super().cache(transformed_code, number, raw_code)  # type: ignore[misc]
        finally:
            watcher.next_name = None
        watcher.safely(lambda: watcher.text_was_cached(name), None)
        return name

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        watcher: CellCompiler | None = self.__dict__.get("_ipycov")
        if watcher is not None and watcher.next_name is not None:
            return watcher.next_name
        return super().get_code_name(raw_code, transformed_code, number)  # type: ignore[misc,no-any-return]

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> Any:
        watcher: CellCompiler | None = self.__dict__.get("_ipycov")
        if watcher is not None:
            source = watcher.without_what_is_not_run(source)
        tree = super().ast_parse(source, filename, symbol)  # type: ignore[misc]
        if watcher is not None:
            watcher.safely(lambda: watcher.place(tree, filename), None)
        return tree

    def __call__(self, source: Any, filename: str, symbol: str, *args: Any, **kwargs: Any) -> Any:
        watcher: CellCompiler | None = self.__dict__.get("_ipycov")
        if watcher is not None and filename in TIMED:
            filename = watcher.safely(lambda: watcher.place_timed(source), None) or filename
        code = super().__call__(source, filename, symbol, *args, **kwargs)  # type: ignore[misc]
        if watcher is None:
            return code
        code = watcher.safely(lambda: watcher.mark(code, filename), code)
        watcher.about_to_run(filename)
        return code


def book_of(compiler: Any) -> CellBook | None:
    """The cells that ipycov has seen `compiler` compile, None where it does not watch it."""
    watcher: CellCompiler | None = getattr(compiler, "__dict__", {}).get("_ipycov")
    return watcher.book if watcher is not None else None


def relocate(tree: ast.AST, line_of: Callable[[int], int]) -> None:
    """Give each node of `tree` the lines that `line_of` gives for its own."""
    node: Any
    for node in ast.walk(tree):
        if getattr(node, "lineno", None) is None:
            continue
        start, end = line_of(node.lineno), line_of(node.end_lineno or node.lineno)
        node.lineno, node.end_lineno = start, max(start, end)
        if start >= end and node.end_col_offset is not None:
            node.end_col_offset = max(node.col_offset, node.end_col_offset)


def _watched_class(compiler_class: type) -> type:
    return type(compiler_class.__name__, (_Watched, compiler_class), {})


def _header_at(cell: Cell, compiled_line: int) -> Any:
    line = cell.typed_line(compiled_line)
    return next((h for h in cell.translation.compiled_headers if h.line == line), None)


def _is_at_body(cell: Cell, compiled_line: int, typed: str) -> bool:
    """Whether `compiled_line` is that of a magic and `typed` all that is below it."""
    if _header_at(cell, compiled_line) is None:
        return False
    line = cell.typed_line(compiled_line)
    below = "\n".join(rows(cell.typed)[line:])
    if rows(below.rstrip()) == rows(typed.rstrip()):
        return True
    first = cell.translation.compiled_headers[0].line
    handed = rows(_handed_to_magic(cell.compiled or "").rstrip())[line - first :]
    return bool(typed.strip()) and handed == rows(typed.rstrip())


def _handed_to_magic(compiled: str) -> str:
    """The body in the call that a `%%magic` cell became: without prompts and indentation."""
    try:
        call = ast.parse(compiled, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    last = call.args[-1] if isinstance(call, ast.Call) and call.args else None
    body = last.value if isinstance(last, ast.Constant) else ""
    return body if isinstance(body, str) else ""


def _timeit_loop(tree: ast.AST) -> ast.For | None:
    """The loop of the function that %timeit puts around its statements."""
    if not isinstance(tree, ast.Module) or len(tree.body) != 1:
        return None
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef) or function.name != "inner":
        return None
    return next((node for node in function.body if isinstance(node, ast.For)), None)


def _measurable_name(typed: str) -> str:
    """A file name like those that ipykernel gives to cells, for a text typed in a terminal."""
    digest = hashlib.sha1(typed.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return os.path.join(tempfile.gettempdir(), f"ipython_{os.getpid()}", f"{digest[:12]}.py")


@functools.cache
def _canonical_directory(directory: str) -> str:
    return os.path.realpath(directory)


def _canonical(name: str) -> str:
    """The name under which coverage.py records a file; the directory of cells stays what it is."""
    directory, base = os.path.split(name)
    return os.path.join(_canonical_directory(directory), base)
