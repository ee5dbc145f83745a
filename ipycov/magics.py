"""The magics: each parses, calls the session, and shows what comes back."""

from __future__ import annotations

import ast
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from inspect import CO_COROUTINE
from types import CodeType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
)
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from ipycov import by_tests, covered, inline, ran_by, view
from ipycov.awaits import awaits
from ipycov.compiler import COV_STATEMENT
from ipycov.errors import IPyCovError, UnderThreshold
from ipycov.lines import OWN_CELL_MAGIC, headers, own_statement, rows, unprompted
from ipycov.magic_arguments import parsed
from ipycov.options import Options
from ipycov.ran import Ran
from ipycov.report import COLUMNS, FORMATS, Report, ReportingCoverage, ReportOptions
from ipycov.session import Session

_NOTHING_TO_RUN = (
    "there is nothing to run: give a statement after %cov, or a cell below %%cov; %%cov? explains"
)
_CELLS_ARE_SHOWN = "--cells shows a table in the notebook: give it without a format and without -o"


def _percentage(given: str) -> float:
    try:
        value = float(given)
    except ValueError:
        raise ArgumentTypeError(f"{given} is no percentage") from None
    if not 0 <= value <= 100:
        raise ArgumentTypeError(f"{given} is not between 0 and 100")
    return value


def _digits(given: str) -> int:
    if not given.isdecimal():
        raise ArgumentTypeError(f"{given} is no number of digits")
    return int(given)


def _sort(given: str) -> str:
    if given.lstrip("+-").lower() not in COLUMNS:
        raise ArgumentTypeError(f"there is no column {given!r}; choose from {', '.join(COLUMNS)}")
    return given


@magics_class
class CoverageMagics(Magics):
    """Coverage of the cells of a notebook, and of the modules that they import."""

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
        type=_percentage,
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

    @magic_arguments()
    @argument("format", nargs="?", default="text", help="One of: " + ", ".join(FORMATS) + ".")
    @argument("-o", "--output", metavar="PATH", help="Where to write the report.")
    @argument("-m", "--show-missing", action="store_true", default=None, help="List missed lines.")
    @argument(
        "--skip-covered",
        action="store_true",
        default=None,
        help="Leave out files with 100 percent coverage.",
    )
    @argument(
        "--sort",
        type=_sort,
        metavar="COLUMN",
        help="Sort by " + ", ".join(COLUMNS) + "; with --sort=-COLUMN from high to low.",
    )
    @argument("--include", action="append", metavar="PAT", help="Report only files like this.")
    @argument("--omit", action="append", metavar="PAT", help="Leave out files like this.")
    @argument(
        "--fail-under", type=_percentage, metavar="N", help="Fail when the total is less than N."
    )
    @argument(
        "--show-contexts",
        action="store_true",
        default=None,
        help="Tell which cells ran each line, in html and json.",
    )
    @argument(
        "--cells",
        action="store_true",
        help="Show what each cell covered instead: how many lines, how many that no other cell "
        "did, and which functions.",
    )
    @argument(
        "--contexts",
        choices=("tests",),
        help="Tell which tests ran each line, and which lines cells ran and no test did.",
    )
    @argument("--precision", type=_digits, metavar="N", help="Digits after the decimal point.")
    @argument(
        "--why",
        metavar="NAME",
        help="Make no report, but tell why a module, a file or a cell such as In[3] is measured or "
        "not.",
    )
    @line_magic
    def coverage_report(self, line: str) -> None:
        """Report the coverage of all cells and modules measured so far.

        Without -o, text, markdown and html are shown in the notebook; json, xml and lcov are
        written where coverage.py writes them. html shows the annotated source, and with -o writes
        a site to that directory.
        """
        arguments = parsed(self.coverage_report, line)
        if arguments.format not in FORMATS:
            raise UsageError(
                f"there is no report format {arguments.format!r}; choose from {', '.join(FORMATS)}"
            )
        if arguments.cells and (arguments.format != "text" or arguments.output):
            raise UsageError(_CELLS_ARE_SHOWN)
        self._session.untraced(lambda: self._report(arguments))

    def _report(self, arguments: Any) -> None:
        options = ReportOptions(
            arguments.show_missing,
            arguments.skip_covered,
            arguments.sort,
            _patterns(arguments.include),
            _patterns(arguments.omit),
            arguments.fail_under,
            arguments.show_contexts or (True if arguments.contexts else None),
            arguments.precision,
        )
        try:
            if arguments.why is not None:
                print(view.seen(str(self._session.why(_unquoted(arguments.why)))))
                return
            cov, problems = self._session.reports.everything()
            report = Report(cov, options)
            by_test = arguments.contexts == "tests"
            cov.get_data().by_test = by_test
            path = _unquoted(arguments.output) if arguments.output else None
            notes = [*map(str, problems), *self._session.reports.remarks(cov)]
            if by_test:
                notes = [*by_tests.table(report, cov), *notes]
            if arguments.cells:
                total = self._show_cells(cov, report, notes)
            else:
                total = self._show_report(cov, report, arguments.format, path, notes)
            report.check_threshold(total)
        except UnderThreshold:
            raise
        except IPyCovError as error:
            raise UsageError(str(error)) from None

    @line_magic
    def coverage_start(self, line: str) -> None:
        """Measure cells again, from the next one on."""
        _no_arguments("coverage_start", line)
        self._session.measuring = True

    @line_magic
    def coverage_stop(self, line: str) -> None:
        """Stop measuring cells; what was measured is kept."""
        _no_arguments("coverage_stop", line)
        self._session.measuring = False

    @line_magic
    def coverage_erase(self, line: str) -> None:
        """Forget all that was measured so far."""
        _no_arguments("coverage_erase", line)
        self._session.erase()

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
            "source": _patterns(request.source),
            "include": _patterns(request.include),
            "omit": _patterns(request.omit),
        }
        return replace(
            self._session.options(),
            **{name: value for name, value in given.items() if value is not None},
        )

    def show(self, ran: Ran, request: Any) -> UnderThreshold | None:
        """Show what a run covered; return what is wrong with it, if its options ask for more."""
        if ran.measurement is None:
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

    def _show_report(
        self,
        cov: ReportingCoverage,
        report: Report,
        format: str,
        path: str | None,
        notes: Sequence[str],
    ) -> float:
        if path is not None or format in ("json", "xml", "lcov"):
            written, total = report.write(format, path)
            said = [f"Wrote {format} report to {written}", *report.notes, *notes]
            print(view.seen("\n".join(said)))
            return total
        if format == "markdown":
            text, total = report.render("markdown")
            display(view.Shown(text, markdown=text, notes=notes))
            return total
        if format == "html":
            shown, everything = covered.reported(cov, report)
            table = report.table()
            markdown = view.markdown_table(table.header, table.rows, table.total)
            texts = table.without_notes, markdown
            display(inline.report(texts, shown, [*table.notes, *notes], everything=everything))
            return table.percent
        table = report.table()
        columns = table.header, table.rows, table.total
        notes = [*table.notes, *notes]
        forms = table.without_notes, view.table(*columns), view.markdown_table(*columns)
        display(view.Shown(*forms, notes))
        return table.percent

    def _show_cells(self, cov: ReportingCoverage, report: Report, notes: Sequence[str]) -> float:
        cells = ran_by.by_cell(cov, report, self._session.book.names_of_runs())
        columns = ran_by.table_of(*cells)
        forms = view.plain_table(*columns), view.table(*columns), view.markdown_table(*columns)
        display(view.Shown(*forms, notes))
        return report.total()

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


def _patterns(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Patterns given one by one or with commas between, as coverage.py takes them."""
    if given is None:
        return None
    return tuple(part for each in given for part in _unquoted(each).split(",") if part)


def _unquoted(given: str) -> str:
    """A value without the quotes that IPython leaves around it."""
    quoted = len(given) > 1 and given[0] == given[-1] and given[0] in "'\""
    return given[1:-1] if quoted else given


def _no_arguments(name: str, line: str) -> None:
    if line.strip():
        raise UsageError(f"%{name} takes no arguments, not {line.strip()!r}")
