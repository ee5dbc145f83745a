"""What a run covered, as sources to show: the cell itself and each function that it reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coverage.exceptions import CoverageException
from coverage.plugin import FileReporter
from coverage.results import Analysis, Numbers

from ipycov.coverage_internals import narrowed
from ipycov.report import Report, ReportingCoverage, ReportOptions
from ipycov.reporters import CellReporter
from ipycov.view import Line, Source


def by_run(
    cov: ReportingCoverage, cell: str, line: int | None = None
) -> tuple[list[Source], list[Source]]:
    """What the results in use ran of the cell called `cell`, and of functions elsewhere.

    Of a cell of which only a statement on `line` ran, that is the line and the functions reached.
    """
    own: list[Source] = []
    elsewhere: list[Source] = []
    for reporter, analysis in Report(cov, ReportOptions()).analysed():
        if reporter.relative_filename() != cell:
            elsewhere += reached(reporter, analysis)
        elif line is None:
            own.append(whole(reporter, analysis))
        else:
            own += reached(reporter, analysis, line)
    return own, elsewhere


def percentage(sources: Iterable[Source]) -> float:
    """The coverage of all `sources` together, 0 to 100."""
    total: Numbers = sum((source.numbers for source in sources), Numbers())
    return total.pc_covered


def whole(reporter: FileReporter, analysis: Analysis) -> Source:
    """All of a file."""
    return _source(reporter.relative_filename(), reporter, analysis, None)


def reached(
    reporter: FileReporter, analysis: Analysis, line: int | None = None
) -> Iterable[Source]:
    """The functions of a file that ran, and its top level, or `line` of it, if that did."""
    try:
        functions = [region for region in reporter.code_regions() if region.kind == "function"]
    except (CoverageException, SyntaxError):
        functions = []
    name = reporter.relative_filename()
    inside = {line for region in functions for line in region.lines}
    everything = analysis.statements | analysis.excluded
    outside = everything - inside if line is None else everything & {line}
    functions.sort(key=lambda region: region.start)
    names = [name, *(f"{name} {region.name}" for region in functions)]
    regions = [outside, *(region.lines - {line} for region in functions)]
    for title, lines, part in zip(names, regions, narrowed(analysis, regions), strict=True):
        if part.executed & part.statements:
            yield _source(title, reporter, part, lines)


def _source(name: str, reporter: FileReporter, analysis: Analysis, only: set[int] | None) -> Source:
    numbers = analysis.numbers
    return Source(
        name, numbers, _lines(reporter, analysis, only), analysis.missing_formatted(branches=True)
    )


def _lines(reporter: FileReporter, analysis: Analysis, only: set[int] | None) -> Sequence[Line]:
    missing_branches = analysis.missing_branch_arcs()
    unmeasured = reporter.unmeasured if isinstance(reporter, CellReporter) else ()
    text = reporter.source().split("\n")
    first, last = (min(only), max(only)) if only else (1, len(text))
    lines = []
    for number in range(first, min(last, len(text)) + 1):
        if only is not None and number not in only and number in analysis.statements:
            continue
        note = ""
        if number in unmeasured:
            state, note = "before", "ran before measuring"
        elif number in analysis.excluded:
            state = "excluded"
        elif number in analysis.missing:
            state = "missing"
        elif number in missing_branches:
            state = "partial"
            note = "; ".join(
                reporter.missing_arc_description(number, end) for end in missing_branches[number]
            )
        else:
            state = "run" if number in analysis.statements else ""
        lines.append(Line(number, text[number - 1].rstrip("\r"), state, note))
    while lines and not lines[-1].text.strip():
        lines.pop()
    return lines
