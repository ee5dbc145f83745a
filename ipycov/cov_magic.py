"""`%%cov` and `%cov`: measure one cell, or one statement, and show what it covered."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import CO_COROUTINE
from types import CodeType, FrameType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from ipycov import covered, inline, ran_by
from ipycov.awaits import awaits
from ipycov.compiler import COV_STATEMENT
from ipycov.errors import UnderThreshold
from ipycov.lines import OWN_CELL_MAGIC, headers, own_statement, rows, unprompted
from ipycov.magic_arguments import parsed, patterns, percentage
from ipycov.options import Options
from ipycov.ran import Ran
from ipycov.report import Report, ReportOptions
from ipycov.session import Session
from ipycov.view import seen

_NOTHING_TO_RUN = (
    "there is nothing to run: give a statement after %cov, or a cell below %%cov; %%cov? explains"
)


@magics_class
class CovMagic(Magics):
    """The coverage of a cell, or of a statement."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session

    @magic_arguments()
    @argument("--branch", action="store_true", default=None, help="Measure branches too.")
    @argument(
        "--source",
        action="append",
        metavar="SRC",
        help="Measure only modules in this directory or package; may be given several times. The "
        "cells are always measured.",
    )
    @argument("--include", action="append", metavar="PAT", help="Measure only files like this.")
    @argument("--omit", action="append", metavar="PAT", help="Leave out files like this.")
    @argument(
        "--fail-under",
        type=percentage,
        metavar="N",
        help="Fail when the cell's coverage is less than N percent; on a line, that of all shown.",
    )
    @argument("-q", "--quiet", action="store_true", help="Measure, but show nothing.")
    @argument("statement", nargs="*", help="With %%cov on a line: the statement to run.")
    @needs_local_scope
    @line_cell_magic
    def cov(self, line: str, cell: str | None = None, local_ns: Any = None) -> Any:
        """Run a cell, or the statement on the line, and show what it covered.

        The cell runs as it would without the magic. What is shown is the cell itself and each
        function that it reached in other cells and modules, with the lines and branches missed.
        It works while measuring is off, and what it measures counts in later reports.
        """
        __tracebackhide__ = True
        options, statement = _split(line) if cell is None else (line, cell)
        request = self.requested(options)
        if not statement.strip():
            raise UsageError(_NOTHING_TO_RUN)
        request.on_a_line = cell is None
        shell: Any = self.shell
        if awaits(statement):
            return self._run_awaiting(statement, request, local_ns)  # `awaited` awaits it
        with self._covering(request):
            value = None
            for code in self._codes(statement):
                value = eval(code, shell.user_ns, local_ns)  # noqa: S307 - the user's own
            return value

    # ---------------------------------------------------------------- %%cov without its magic

    def transform(self, lines: list[str]) -> list[str]:
        """Take `%%cov` off a cell, or `%cov` off a cell's only line, for IPython to run the rest.

        This way the cell runs as it would without, awaits, errors, results and all.

        Raises UsageError for wrong options, before anything of the cell has run.
        """
        text = "".join(lines)
        if "%cov" not in text:
            return lines
        found = headers(text)
        if found and found[0].name == OWN_CELL_MAGIC:
            self.requested(found[0].arguments)
            body = unprompted(text)[found[0].line :]
            if not any(row.strip() for row in body):
                raise UsageError(_NOTHING_TO_RUN)
            return "\n".join(body).splitlines(keepends=True)
        alone = own_statement(rows(text))
        if alone is not None:
            self.requested(alone[0])
            if _is_a_magics():
                return lines
            return [alone[1] + "\n"]
        name, _, options = text.strip().partition(" ")
        if name == "%cov" and "\n" not in options:
            self.requested(options)
            raise UsageError(_NOTHING_TO_RUN)
        return lines

    # Not for IPython to ask whether a text is complete: a cell under %%cov ends where others do.
    transform.has_side_effects = True  # type: ignore[attr-defined]

    def asked_for(self, typed: str) -> Any:
        """The arguments of the `%%cov` or `%cov` that a cell is run with, else None."""
        if "%cov" not in typed:
            return None
        alone = own_statement(rows(typed))
        options = [h.arguments for h in headers(typed) if h.name == OWN_CELL_MAGIC]
        if alone is not None:
            options.append(alone[0])
        try:
            request = self.requested(options[0]) if options else None
        except UsageError:
            return None
        if request is not None:
            request.on_a_line = alone is not None
        return request

    def requested(self, options: str) -> Any:
        """The parsed options of %cov. Raises UsageError when they are wrong."""
        arguments = parsed(self.cov, options)
        if arguments.statement:
            raise UsageError(
                f"%%cov takes options only, not {' '.join(arguments.statement)!r}; the code to run "
                "goes below it"
            )
        arguments.on_a_line = False
        return arguments

    def measuring(self, request: Any) -> Options:
        """What to measure for `request`: the session's options, and those it gives itself."""
        given = {
            "branch": request.branch,
            "source": patterns(request.source),
            "include": patterns(request.include),
            "omit": patterns(request.omit),
        }
        return replace(
            self._session.options(),
            **{name: value for name, value in given.items() if value is not None},
        )

    def show(self, ran: Ran, request: Any) -> UnderThreshold | None:
        """Show what a run covered; return what is wrong with it, if its options ask for more."""
        if ran.measurement is None:
            if not request.quiet and self._session.reports.refused:
                print(seen(f"not measured: {self._session.reports.refused}"))
            return None
        if not ran.touched:
            if not request.quiet and ran.cell is not None and ran.cell.error is None:
                print(f"{ran.cell.label}: none of its lines ran")
            return None
        cov, problems = self._session.reports.of_run(ran)
        name = ran.cell.label if ran.cell else ""
        own, elsewhere = covered.by_run(cov, name, ran.line)
        shown = own + elsewhere
        if not request.quiet and shown:
            first = ran_by.covered_first(cov, ran.contexts(), name, ran.line is not None)
            display(inline.run(shown, [str(problem) for problem in problems], first))
        judged = shown if request.on_a_line or not own else own
        total = covered.percentage(judged)
        try:
            Report(cov, ReportOptions(fail_under=request.fail_under or 0)).check_threshold(total)
        except UnderThreshold as error:
            return error
        return None

    # ---------------------------------------------------------------- private

    async def _run_awaiting(self, statement: str, request: Any, local_ns: Any) -> Any:
        __tracebackhide__ = True
        shell: Any = self.shell
        with self._covering(request):
            value = None
            for code in self._codes(statement):
                value = eval(code, shell.user_ns, local_ns)  # noqa: S307 - the user's own
                if code.co_flags & CO_COROUTINE:
                    value = await value
            return value

    @contextmanager
    def _covering(self, request: Any) -> Iterator[None]:
        """Measure a part of the running cell by itself and show what it covered."""
        __tracebackhide__ = True
        ran = self._session.begin_line(self.measuring(request))
        under = None
        try:
            yield
        finally:
            self._session.end_line(ran, resume=self._session.measuring)
            under = self.show(ran, request)
        if under is not None:
            raise under

    def _codes(self, source: str) -> list[CodeType]:
        """The code of `source`; what the last gives is the value of the last expression."""
        __tracebackhide__ = True
        shell: Any = self.shell
        parts: list[tuple[Any, str]] = []
        with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
            tree = shell.transform_ast(shell.compile.ast_parse(shell.transform_cell(source)))
            if tree.body and isinstance(tree.body[-1], ast.Expr):
                parts.append((ast.Expression(tree.body.pop().value), "eval"))
            if tree.body:
                parts.insert(0, (tree, "exec"))
            return [shell.compile(part, COV_STATEMENT, mode) for part, mode in parts]


def _split(line: str) -> tuple[str, str]:
    """The options and the statement of a `%cov` line."""
    alone = own_statement([f"%cov {line}"])
    return alone if alone is not None else (line, "")


def _is_a_magics() -> bool:
    """Whether the text that is transformed now is what a magic of IPython's, as %time, is to run.

    It is no cell, and nothing would show what `%cov` is asked for.
    """
    frame: FrameType | None = sys._getframe(1)
    inside = False  # the shell's `transform_cell`, or that of its transformers
    while frame is not None and (frame.f_code.co_name == "transform_cell" or not inside):
        inside = inside or frame.f_code.co_name == "transform_cell"
        frame = frame.f_back
    module = str(frame.f_globals.get("__name__")) if frame is not None else ""
    return module.startswith("IPython.core.magics")
