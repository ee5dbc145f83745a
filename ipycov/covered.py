"""What was covered, as sources to show: a cell, a module, and each function that a run reached."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from coverage.exceptions import CoverageException
from coverage.plugin import CodeRegion, FileReporter
from coverage.results import Analysis

from ipycov.coverage_reports import narrowed
from ipycov.line_states import LineStates
from ipycov.lines import rows
from ipycov.report import Report, ReportingCoverage, ReportOptions
from ipycov.reporters import EARLIER, state_of
from ipycov.results import whole_contexts
from ipycov.summary import total_of
from ipycov.view import Line, Source

#: The contexts that ran each statement of a file.
Contexts = Mapping[int, Collection[str]]

_UNKNOWN: Contexts = MappingProxyType({})


def by_run(
    cov: ReportingCoverage, cell: str, line: int | None = None
) -> tuple[list[Source], list[Source]]:
    """What the results in use ran of the cell called `cell`, and of functions elsewhere.

    Of a cell of which only a statement on `line` ran, that is the line and the functions reached.
    """
    own: list[Source] = []
    elsewhere: list[Source] = []
    if not cov.get_data():
        return own, elsewhere  # such as of a cell that is nothing but a text
    for reporter, analysis in Report(cov, ReportOptions()).analysed():
        contexts = cov.contexts_of(analysis.filename)
        if reporter.relative_filename() != cell:
            elsewhere += reached(reporter, analysis, contexts=contexts)
        elif line is None:
            others = {each for ran in contexts.values() for each in whole_contexts(ran)} - {cell}
            own.append(whole(reporter, analysis, contexts if others else _UNKNOWN))
        else:
            own += reached(reporter, analysis, line, contexts)
    return own, elsewhere


def reported(cov: ReportingCoverage, report: Report) -> tuple[list[Source], Source]:
    """Each file of a report that html does not skip, and the figures of all of them."""
    analysed = report.analysed()
    with_contexts = report.shows_contexts()
    shown = [
        whole(reporter, analysis, cov.contexts_of(analysis.filename) if with_contexts else {})
        for reporter, analysis in report.in_html(analysed)
    ]
    return shown, Source("", total_of(analysis.numbers for _, analysis in analysed), ())


def percentage(sources: Iterable[Source]) -> float:
    """The coverage of all `sources` together, 0 to 100."""
    total = total_of(source.numbers for source in sources)
    return total.pc_covered


def whole(reporter: FileReporter, analysis: Analysis, contexts: Contexts = _UNKNOWN) -> Source:
    """All of a file."""
    return _source(reporter.relative_filename(), reporter, analysis, None, contexts)


def functions(reporter: FileReporter) -> list[CodeRegion]:
    """The functions of a file, in the order of their lines; none where coverage.py finds none."""
    try:
        regions = [region for region in reporter.code_regions() if region.kind == "function"]
    except (CoverageException, SyntaxError):
        return []
    return sorted(regions, key=lambda region: region.start)


def reached(
    reporter: FileReporter,
    analysis: Analysis,
    line: int | None = None,
    contexts: Contexts = _UNKNOWN,
) -> Iterable[Source]:
    """The functions of a file that ran, and its top level, or `line` of it, if that did.

    A function that stands on the line of its `def` is run with the rest of the top level, or called
    without it.
    """
    found = functions(reporter)
    name = reporter.relative_filename()
    inside = {line for region in found for line in region.lines}
    everything = analysis.statements | analysis.excluded
    outside = everything - inside if line is None else everything & {line}
    names = [name, *(f"{name} {region.name}" for region in found)]
    regions = [outside, *(region.lines - {line} for region in found)]
    starts = [None, *(region.start for region in found)]
    parts = zip(names, regions, starts, narrowed(analysis, regions), strict=True)
    top = analysis.executed & analysis.statements - inside - {line}
    for title, lines, start, part in parts:
        ran = part.executed & part.statements
        if ran and not (ran == {start} and top):
            yield _source(title, reporter, part, lines, contexts, start)


def _source(
    name: str,
    reporter: FileReporter,
    analysis: Analysis,
    only: set[int] | None,
    contexts: Contexts,
    start: int | None = None,
) -> Source:
    return Source(
        name,
        analysis.numbers,
        _lines(reporter, analysis, only, contexts, start),
        analysis.missing_formatted(branches=True),
        "" if only is not None and state_of(reporter) == EARLIER else state_of(reporter),
    )


def _lines(
    reporter: FileReporter,
    analysis: Analysis,
    only: set[int] | None,
    contexts: Contexts,
    start: int | None,
) -> Sequence[Line]:
    """The lines of `only`, with what stands between them, and before them from `start` on."""
    states = LineStates(reporter, analysis)
    text = rows(reporter.source())
    first, last = (start or min(only), max(only)) if only else (1, len(text))
    lines = []
    for number in range(first, min(last, len(text)) + 1):
        if only is not None and number not in only and number in analysis.statements:
            continue
        statement = states.start(number)
        if only is not None and statement not in only:
            statement = number
        state, ways = states.of(statement)
        continued = number != statement
        note = "" if continued else "; ".join(ways)
        ran_by = tuple(whole_contexts(contexts.get(statement, ()))) if state else ()
        lines.append(Line(number, text[number - 1], state, note, ran_by, continued))
    while lines and not lines[-1].text.strip():
        lines.pop()
    return lines
