"""`%coverage_report`: parses, reports, and shows or writes the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from ipycov import by_tests, covered, inline, ran_by, view
from ipycov.errors import IPyCovError, UnderThreshold
from ipycov.magic_arguments import column, digits, parsed, patterns, percentage, unquoted
from ipycov.report import COLUMNS, FORMATS, STDOUT, Report, ReportingCoverage, ReportOptions
from ipycov.session import Session

_CELLS_ARE_SHOWN = "--cells shows a table in the notebook: give it without a format and without -o"


@magics_class
class ReportMagic(Magics):
    """The coverage of the cells of a notebook, and of the modules that they import."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session

    @magic_arguments()
    @argument("format", nargs="?", help="One of: " + ", ".join(FORMATS) + ".")
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
        type=column,
        metavar="COLUMN",
        help="Sort by " + ", ".join(COLUMNS) + "; with --sort=-COLUMN from high to low.",
    )
    @argument("--include", action="append", metavar="PAT", help="Report only files like this.")
    @argument("--omit", action="append", metavar="PAT", help="Leave out files like this.")
    @argument(
        "--fail-under", type=percentage, metavar="N", help="Fail when the total is less than N."
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
    @argument("--precision", type=digits, metavar="N", help="Digits after the decimal point.")
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
        if arguments.format not in (None, *FORMATS):
            raise UsageError(
                f"there is no report format {arguments.format!r}; choose from {', '.join(FORMATS)}"
            )
        if arguments.cells and (arguments.format not in (None, "text") or arguments.output):
            raise UsageError(_CELLS_ARE_SHOWN)
        self._session.untraced(lambda: self._report(arguments))

    def _report(self, arguments: Any) -> None:
        options = ReportOptions(
            arguments.show_missing,
            arguments.skip_covered,
            arguments.sort,
            patterns(arguments.include),
            patterns(arguments.omit),
            arguments.fail_under,
            arguments.show_contexts or (True if arguments.contexts else None),
            arguments.precision,
        )
        try:
            if arguments.why is not None:
                print(view.seen(str(self._session.why(unquoted(arguments.why)))))
                return
            self._session.reports.read_configuration()
            cov, problems = self._session.reports.everything()
            report = Report(cov, options)
            by_test = arguments.contexts == "tests"
            cov.get_data().by_test = by_test
            path = unquoted(arguments.output) if arguments.output else None
            notes = [*map(str, problems), *self._session.reports.remarks(cov)]
            if by_test:
                notes = [*by_tests.table(report, cov), *notes]
            if arguments.cells:
                total = self._show_cells(cov, report, notes)
            else:
                format = arguments.format or report.format()
                total = self._show_report(cov, report, format, path, notes)
            report.check_threshold(total)
        except UnderThreshold:
            raise
        except IPyCovError as error:
            raise UsageError(str(error)) from None

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
            said = [*report.notes, *notes]
            if written != STDOUT:
                said.insert(0, f"Wrote {format} report to {written}")
            if said:
                print(view.seen("\n".join(said)))
            return total
        if format not in ("html", "text"):
            text, total = report.render(format)
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
