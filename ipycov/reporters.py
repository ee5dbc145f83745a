"""What coverage.py's reporters ask about a cell, answered from its text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property

from coverage.exceptions import NotPython
from coverage.phystokens import source_token_lines
from coverage.plugin import CodeRegion, FileReporter
from coverage.python import PythonFileReporter
from coverage.regions import code_regions

from ipycov.analysis import Arc, CellAnalysis
from ipycov.cells import Cell
from ipycov.results import Measured, ReportedFile

#: What is to be known of a cell beyond its figures.
STALE = "stale: edited since it ran"
EARLIER = "ran before measuring"


class CellReporter(FileReporter):
    """Reports on one cell. Its lines are the cell's typed lines, 1-based.

    `filename` is where the cell would be if it were a file in `directory`, for patterns to match.
    `unmeasured` are lines that are known to have run before measuring began. They are reported as
    lines that are left out are, for nothing measured them. `state` says what else is to be known.
    `place` is the path of the directory that it ran in, where its name is to say it.
    """

    state = ""

    def __init__(
        self,
        cell: Cell,
        directory: str,
        analysis: CellAnalysis,
        unmeasured: frozenset[int] = frozenset(),
        place: str = "",
    ) -> None:
        super().__init__(directory)
        self._place = place
        self.cell = cell
        self.translation = cell.translation
        self.analysis = analysis
        self.unmeasured = unmeasured
        self._directory = directory
        self._named = ("", "")
        self._reported: ReportedFile | None = None
        self._prepared = False

    @property
    def filename(self) -> str:
        if self._named[0] != self.cell.label:
            path = os.path.join(self._directory, self.relative_filename())
            self._named = self.cell.label, path
        return self._named[1]

    @filename.setter
    def filename(self, directory: str) -> None:
        """Leave the name to the cell, whose execution count can grow."""

    def __lt__(self, other: object) -> bool:
        if isinstance(other, CellReporter):
            return self._order < other._order
        return isinstance(other, FileReporter)  # the cells come before the modules

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellReporter) and self.cell is other.cell

    __hash__ = None

    @property
    def _order(self) -> tuple[str, int, int]:
        return self._place, self.cell.count, self.cell.nested

    def prepare(self) -> None:
        """Analyse the cell, branches too: its syntax tree is let go of then."""
        if not self._prepared:
            self._prepared = True
            with suppress(NotPython):  # a report with branches will say so
                self.arcs()

    def reported(self, data: Measured) -> ReportedFile:
        """The cell's data as reports number its lines."""
        known = self._reported
        if known is not None and data.version == known.version and known.name == self.filename:
            return known

        typed = self.typed(data, self.cell.typed_line)
        reported = ReportedFile(
            self.filename, typed.lines, typed.arcs, self.cell.filename, data.version
        )
        if data.version >= 0:
            self._reported = reported
        return reported

    def typed(self, data: Measured, typed_line: Callable[[int], int]) -> Measured:
        """What ran of the cell, by typed lines; `typed_line` that of a line of its code."""

        lines = {typed_line(line) for line in data.lines if line > 0}
        arcs: set[Arc] | None = None
        if data.arcs is not None:
            typed = {_typed(arc, typed_line) for arc in data.arcs}
            arcs = self.analysis.module_arcs(typed, typed_line(1))
        return Measured(lines, arcs, data.version)

    def completed(self, arcs: set[Arc]) -> set[Arc]:
        """The arcs of one run without those by which it left a statement that failed."""
        typed = {arc: _typed(arc, self.cell.typed_line) for arc in arcs}
        failed = self.analysis.failed(typed.values(), self.cell.typed_line(1))
        return {arc for arc in arcs if typed[arc] not in failed}

    def statements(self, data: Measured) -> set[int]:
        """The first lines of the statements that ran."""
        typed = self.typed(Measured(data.lines), self.cell.typed_line)
        return self.translate_lines(typed.lines)

    @cached_property
    def is_empty(self) -> bool:
        """Whether there is nothing to report: ipycov's own magics, comments, and no more."""
        return not self.lines() and not self.excluded_lines()

    def relative_filename(self) -> str:
        return os.path.join(self._place, self.cell.label)

    def source(self) -> str:
        return self.cell.typed

    @cached_property
    def _no_statements(self) -> frozenset[int]:
        """Lines that run but are no statements of the user's: ipycov's magics, and headers."""
        python = self.translation.python.split("\n")
        headers = {h.line for h in self.translation.headers if not python[h.line - 1].strip()}
        return self.translation.own | headers

    def lines(self) -> set[int]:
        return self.analysis.statements - self._no_statements - self.unmeasured

    def excluded_lines(self) -> set[int]:
        return self.analysis.excluded | self.unmeasured

    def first_line(self, line: int) -> int:
        """The line that the statement on `line` starts on."""
        return int(self.analysis.parser.first_line(line))

    def translate_lines(self, lines: Iterable[int]) -> set[int]:
        return self.analysis.parser.translate_lines(lines) - self._no_statements

    def arcs(self) -> set[Arc]:
        return self.analysis.arcs

    def translate_arcs(self, arcs: Iterable[Arc]) -> set[Arc]:
        return self.analysis.parser.translate_arcs(arcs)

    def exit_counts(self) -> dict[int, int]:
        counts: dict[int, int] = self.analysis.parser.exit_counts()
        return {line: count for line, count in counts.items() if line not in self.unmeasured}

    def no_branch_lines(self) -> set[int]:
        return self.analysis.no_branch

    def missing_arc_description(
        self, start: int, end: int, executed_arcs: Iterable[Arc] | None = None
    ) -> str:
        return self.analysis.parser.missing_arc_description(start, end)

    def arc_description(self, start: int, end: int) -> str:
        return self.analysis.parser.arc_description(start, end)

    def source_token_lines(self) -> Iterator[list[tuple[str, str]]]:
        python = self.translation.python
        tokens = list(source_token_lines(python))
        python_rows = python.split("\n")
        for number, row in enumerate(self.cell.typed.split("\n")):
            if number < len(tokens) and python_rows[number] == row:
                yield tokens[number]
            else:
                yield [("txt", row)] if row else []

    def code_regions(self) -> Iterable[CodeRegion]:
        try:
            return code_regions(self.translation.python)
        except RecursionError:  # what Python compiles can be nested too deeply to be walked
            return []

    def code_region_kinds(self) -> Iterable[tuple[str, str]]:
        return [("function", "functions"), ("class", "classes")]


class StoredCellReporter(CellReporter):
    """Reports on a cell that a data file holds as `filename`; `name` is what reports call it."""

    def __init__(self, cell: Cell, filename: str, name: str, analysis: CellAnalysis) -> None:
        super().__init__(cell, os.path.dirname(filename), analysis)
        self._in_data = filename
        self._name = name

    @property
    def filename(self) -> str:
        return self._in_data

    @filename.setter
    def filename(self, directory: str) -> None:
        """Leave the name as the data has it."""

    def relative_filename(self) -> str:
        return self._name


class ModuleReporter(PythonFileReporter):
    """Reports on a module, which comes after all cells. `state` says what has become of it."""

    state = ""

    def __lt__(self, other: object) -> bool:
        return not isinstance(other, CellReporter) and super().__lt__(other)

    def code_regions(self) -> Iterable[CodeRegion]:
        try:
            return super().code_regions()
        except RecursionError:
            return []


def state_of(reporter: FileReporter) -> str:
    """What is to be known of a file beyond its figures, in words; empty where there is nothing."""
    return reporter.state if isinstance(reporter, CellReporter | ModuleReporter) else ""


def _typed(arc: Arc, typed_line: Callable[[int], int]) -> Arc:
    start, end = (typed_line(line) if line >= 0 else -typed_line(-line) for line in arc)
    return start, end
