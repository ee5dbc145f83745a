"""Which test ran which lines: a table below a report."""

from __future__ import annotations

from collections import defaultdict

from coverage import CoverageData

from ipycov.report import Report, ReportingCoverage


def table(report: Report, cov: ReportingCoverage) -> list[str]:
    """The rows of a table of files, lines and the tests that ran them; the first has the titles."""
    data: CoverageData = cov.get_data()
    rows = [("Name", "Lines", "Ran by")]
    for reporter, analysis in report.analysed():
        ran: dict[str, list[int]] = defaultdict(list)
        for line, tests in data.contexts_by_lineno(analysis.filename).items():
            if line in analysis.executed:
                for test in tests:
                    ran[test].append(line)
        rows += [
            (reporter.relative_filename(), _lines(ran[test]), test)
            for test in sorted(ran, key=lambda test: (ran[test], test))
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{name:{widths[0]}}  {lines:{widths[1]}}  {test}" for name, lines, test in rows]


def _lines(lines: list[int]) -> str:
    """Lines in words: those that follow each other as one range."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
