"""What became of each line of a text, for every view of sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from coverage.plugin import FileReporter
from coverage.results import Analysis

from ipycov.lines import rows
from ipycov.reporters import CellReporter


class LineStates:
    """What an analysis says of the rows of the text that `reporter` reports on, 1-based.

    `lines` gives the line of the analysis for each row that has one, where they are not the same,
    as of a notebook's cell.
    """

    def __init__(
        self, reporter: FileReporter, analysis: Analysis, lines: Mapping[int, int] | None = None
    ) -> None:
        self._reporter = reporter
        if lines is None:
            lines = {row: row for row in range(1, len(rows(reporter.source())) + 1)}
        self._lines = lines
        row_of = {line: row for row, line in lines.items()}

        def here(among: Iterable[int]) -> set[int]:
            return {row_of[line] for line in among if line in row_of}

        self._statements = here(analysis.statements)
        self._excluded = here(analysis.excluded)
        self._missing = here(analysis.missing)
        self.before = reporter.unmeasured if isinstance(reporter, CellReporter) else frozenset()
        self._ways: dict[int, list[int]] = {}
        self._nowhere: set[int] = set()
        missing_arcs = analysis.missing_branch_arcs()
        exits = analysis.branch_stats() if missing_arcs else {}
        for line in missing_arcs.keys() & row_of.keys():
            row, ends = row_of[line], missing_arcs[line]
            self._ways[row] = [
                row_of.get(end, end) if end > 0 else -row_of.get(-end, -end) for end in ends
            ]
            if len(ends) == exits.get(line, (0, 0))[0]:
                self._nowhere.add(row)

    def line(self, row: int) -> int:
        """The line of the analysis that a row is; 0 where it has none."""
        return self._lines.get(row, 0)

    def start(self, row: int) -> int:
        """The row on which the statement begins that `row` is a part of; else `row` itself."""
        if row in self._statements or row in self._excluded:
            return row
        return min(self._reporter.translate_lines([row]), default=row)

    def of(self, row: int) -> tuple[str, list[str]]:
        """The state of a row, a key of `view.STATES`, and the ways out of it never taken."""
        if row in self.before:
            return "before", []
        if row in self._excluded:
            return "excluded", []
        if row in self._missing:
            return "missing", []
        if row in self._nowhere:
            return "partial", [f"line {row} didn't jump anywhere: it always raised an exception"]
        if row in self._ways:
            describe = self._reporter.missing_arc_description
            return "partial", [describe(row, end) for end in self._ways[row]]
        return ("run" if row in self._statements else ""), []
