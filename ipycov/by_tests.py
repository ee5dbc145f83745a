"""Which test ran which lines: a table below a report."""

from __future__ import annotations

from collections import defaultdict

from coverage import CoverageData
from coverage.results import format_lines

from ipycov.report import Report, ReportingCoverage
from ipycov.view import plain_table


def table(report: Report, cov: ReportingCoverage) -> list[str]:
    """The lines of a table of files, the tests that ran lines of them, and which those are."""
    data: CoverageData = cov.get_data()
    rows = []
    for reporter, analysis in report.analysed():
        ran: dict[str, list[int]] = defaultdict(list)
        statements = analysis.executed & analysis.statements
        for line, tests in data.contexts_by_lineno(analysis.filename).items():
            if line in statements:
                for test in tests:
                    ran[test].append(line)
        rows += [
            (reporter.relative_filename(), format_lines(analysis.statements, ran[test]), test)
            for test in sorted(ran, key=lambda test: (ran[test], test))
        ]
    return plain_table(("Name", "Lines run", "Ran by"), rows, ()).split("\n")
