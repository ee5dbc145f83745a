"""Who ran it: what each cell covered, what no other did, and what a run was the first to cover."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coverage.results import format_lines

from ipycov.covered import functions
from ipycov.report import Report, ReportingCoverage, ReportOptions
from ipycov.results import by_number, whole_contexts

#: How many functions and runs of a cell are named.
_MOST_NAMED = 10


@dataclass
class ByCell:
    """What one cell covered: how many lines, how many that no other cell did, and functions.

    `runs` are the contexts of its runs, those of its earlier texts among them.
    """

    name: str
    runs: set[str] = field(default_factory=set)
    covered: int = 0
    alone: int = 0
    functions: list[str] = field(default_factory=list)


def by_cell(
    cov: ReportingCoverage, report: Report, cells: Mapping[str, str]
) -> tuple[list[ByCell], int]:
    """What each cell covered of what a report is about, and how many lines all of them did.

    `cells` are the names of the cells by the contexts of their runs. A line that ran outside
    cells too was run by no cell alone.
    """
    found: dict[str, ByCell] = {}
    total = 0
    for reporter, analysis in report.analysed():
        contexts = cov.contexts_of(analysis.filename)
        ran_by: dict[int, set[str]] = {}
        for line in sorted(analysis.executed & analysis.statements):
            runs = whole_contexts(contexts.get(line, ()))
            for run in runs:
                name = cells.get(run, run)
                found.setdefault(name, ByCell(name)).runs.add(run)
            names = ran_by[line] = {cells.get(run, run) for run in runs}
            total += bool(names)
            for name in names:
                found[name].covered += 1
                found[name].alone += len(names) == 1 and "" not in contexts[line]
        regions = functions(reporter)
        top = ran_by.keys() - {line for region in regions for line in region.lines}
        at_top = {name for line in top for name in ran_by[line]} | {reporter.relative_filename()}
        for region in regions:
            title = f"{reporter.relative_filename()} {region.name}"
            reached = set().union(*(ran_by.get(line, ()) for line in region.lines - {region.start}))
            if region.start in region.lines:  # its `def` and its body are on one line
                reached |= ran_by.get(region.start, set()) - at_top
            for name in reached:
                found[name].functions.append(title)
    return sorted(found.values(), key=lambda cell: by_number(cell.name)), total


def table_of(
    cells: Iterable[ByCell], total: int
) -> tuple[Sequence[str], Sequence[Sequence[str]], Sequence[str]]:
    """The same as a table: its header, its rows and its total."""
    cells = list(cells)
    rows = [
        [
            cell.name,
            _some(sorted(cell.runs, key=by_number)),
            str(cell.covered),
            str(cell.alone),
            _some(cell.functions),
        ]
        for cell in cells
    ]
    last = ["TOTAL", "", str(total), str(sum(cell.alone for cell in cells)), ""]
    return ["Cell", "Ran as", "Lines", "Alone", "Functions reached"], rows, last


def covered_first(cov: ReportingCoverage, run: Collection[str], own: str, part: bool) -> str:
    """What the run in the contexts `run` covered that nothing before it had, in words.

    `own` is the name of its cell, whose lines count when it ran before. With `part`, the run is
    that of a statement of it, and they don't.
    """
    run = set(run)
    count, where, others = 0, [], False
    for reporter, analysis in Report(cov, ReportOptions()).analysed():
        name = reporter.relative_filename()
        contexts = cov.contexts_of(analysis.filename)
        ran = {line: contexts.get(line, run) for line in analysis.executed & analysis.statements}
        new = {line for line, by in ran.items() if run.issuperset(by)}
        if name == own and (part or len(new) == len(ran)):
            continue
        others = others or bool(ran)
        if new:
            count += len(new)
            where.append(f"{name} {format_lines(analysis.statements, new)}")
    if count:
        lines = "1 line" if count == 1 else f"{count} lines"
        return f"{lines} that nothing had covered before: {'; '.join(where)}"
    return "no line that nothing had covered before" if others else ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
