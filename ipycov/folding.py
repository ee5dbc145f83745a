"""Folding: what the cells of a notebook covered becomes what the notebook file covered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from coverage.exceptions import NotPython
from coverage.plugin import CodeRegion, FileReporter
from coverage.results import format_lines

from ipycov.analysis import Arc, CellAnalysis, Exclusions
from ipycov.cells import Cell
from ipycov.lines import digest, rows
from ipycov.notebooks import Notebook, NotebookCell
from ipycov.reporters import CellReporter
from ipycov.results import Measured, ReportedFile

#: The tag of cells that runners pass over.
_SKIP = "skip-execution"


@dataclass(frozen=True)
class Part:
    """A code cell of a notebook, the cells that ran as it, and a reporter of its own rows."""

    place: NotebookCell
    ran: Sequence[Cell]
    reporter: CellReporter


#: A line that coverage.py's description of an arc names.
_LINE = re.compile(r"\bline (\d+)")


class NotebookReporter(FileReporter):
    """Reports on a notebook as one source file, its lines those of the `.ipynb` file.

    `ran` are the cells that ran, by the number of the notebook's cell that they are. `problems`
    tell of the cells that can't be analysed why, by their numbers.
    """

    def __init__(
        self,
        notebook: Notebook,
        name: str,
        exclusions: Exclusions,
        ran: Mapping[int, Sequence[Cell]],
    ) -> None:
        super().__init__(os.path.abspath(notebook.path))
        self.notebook = notebook
        self.problems: dict[int, str] = {}
        self._name = name
        self.parts: list[Part] = []
        for place in notebook.cells:
            if not place.text.strip():
                continue
            as_ran = ran.get(place.number, ())
            cell = as_ran[-1] if as_ran else Cell("", place.text)
            try:
                analysis = CellAnalysis(cell.translation.python, name, exclusions)
            except NotPython as error:
                self.problems[place.number] = f"it can't be analysed: {error}"
            else:
                reporter = CellReporter(cell, "", analysis, ran_before(analysis, as_ran))
                self.parts.append(Part(place, as_ran, reporter))
        self._part_at = {
            self.file_line(part, row): (part, row)
            for part in reversed(self.parts)
            for row in range(len(part.place.file_lines), 0, -1)
        }

    def relative_filename(self) -> str:
        return self._name

    def source(self) -> str:
        """The notebook's code, each row on its line of the file, below a line that names its cell.

        The lines between are blank.
        """
        last = max(self._part_at, default=0)
        shown = [""] * last
        for line, title in self._titles().items():
            shown[line - 1] = title
        for line, (part, row) in self._part_at.items():
            shown[line - 1] = rows(part.place.text)[row - 1]
        return "\n".join(shown)

    def _titles(self) -> dict[int, str]:
        """The name of each cell, by the line above its code, where that holds no code."""
        above = {self.file_line(part, 1) - 1: f"# cell {part.place.number}" for part in self.parts}
        return {line: t for line, t in above.items() if line > 0 and line not in self._part_at}

    def part_at(self, line: int) -> tuple[Part | None, int]:
        """The part that a line of the file belongs to, if any, and the 1-based row in it."""
        return self._part_at.get(line, (None, 0))

    def lines(self) -> set[int]:
        return {self.file_line(part, row) for part in self.parts for row in part.reporter.lines()}

    def excluded_lines(self) -> set[int]:
        return {
            self.file_line(part, row)
            for part in self.parts
            for row in part.reporter.excluded_lines()
        }

    def translate_lines(self, lines: Iterable[int]) -> set[int]:
        translated: set[int] = set()
        for line in lines:
            part, row = self._part_at.get(line, (None, 0))
            if part is not None:
                translated |= {
                    self.file_line(part, r) for r in part.reporter.translate_lines([row])
                }
        return translated

    def no_branch_lines(self) -> set[int]:
        return {
            self.file_line(part, row)
            for part in self.parts
            for row in part.reporter.no_branch_lines()
        }

    def arcs(self) -> set[Arc]:
        return {self.file_arc(part, arc) for part in self.parts for arc in part.reporter.arcs()}

    def translate_arcs(self, arcs: Iterable[Arc]) -> set[Arc]:
        translated: set[Arc] = set()
        for start, end in arcs:
            part, start_row = self._part_at.get(abs(start), (None, 0))
            end_part, end_row = self._part_at.get(abs(end), (None, 0))
            if part is None or end_part is not part:
                continue
            arc = (start_row if start > 0 else -start_row, end_row if end > 0 else -end_row)
            translated |= {
                self.file_arc(part, each) for each in part.reporter.translate_arcs([arc])
            }
        return translated

    def exit_counts(self) -> dict[int, int]:
        return {
            self.file_line(part, row): count
            for part in self.parts
            for row, count in part.reporter.exit_counts().items()
        }

    def missing_arc_description(
        self, start: int, end: int, executed_arcs: Iterable[Arc] | None = None
    ) -> str:
        part, start_row = self.part_at(start)
        end_part, end_row = self.part_at(abs(end))
        if part is None or end_part is not part:
            return f"line {start} didn't {self.arc_description(start, end)}"
        in_cell = part.reporter.missing_arc_description(start_row, end_row if end > 0 else -end_row)
        return _LINE.sub(lambda said: f"line {self.file_line(part, int(said[1]))}", in_cell)

    def arc_description(self, start: int, end: int) -> str:
        return f"jump to line {end}" if end > 0 else "exit"

    def source_token_lines(self) -> Iterator[list[tuple[str, str]]]:
        shown = {line: [("com", title)] for line, title in self._titles().items()}
        for part in self.parts:
            for row, tokens in enumerate(part.reporter.source_token_lines(), 1):
                shown.setdefault(self.file_line(part, row), tokens)
        for line in range(1, max(shown, default=0) + 1):
            yield shown.get(line, [])

    def code_regions(self) -> list[CodeRegion]:  # reports go through them more than once
        return [
            CodeRegion(
                region.kind,
                region.name,
                self.file_line(part, region.start),
                {self.file_line(part, row) for row in region.lines},
            )
            for part in self.parts
            for region in part.reporter.code_regions()
        ]

    def code_region_kinds(self) -> Iterable[tuple[str, str]]:
        return [("function", "functions"), ("class", "classes")]

    def missing_by_cell(self, executed: Set[int]) -> Iterator[str]:
        """Which cells the lines are in that are missing where others were `executed`, in words."""
        statements = self.lines()
        by_cell: dict[int, list[int]] = {}
        for line in sorted(statements - self.excluded_lines() - executed):
            part, _ = self.part_at(line)
            if part is not None:
                by_cell.setdefault(part.place.number, []).append(line)
        for number, lines in by_cell.items():
            yield f"{self._name}, cell {number}: missing {format_lines(statements, lines)}"

    def file_line(self, part: Part, row: int) -> int:
        """The line of the file for a row of a cell."""
        return self.notebook.file_line(part.place, row)

    def file_arc(self, part: Part, arc: Arc) -> Arc:
        """The arc between lines of the file for one between rows of a cell."""
        start, end = (
            self.file_line(part, row) if row > 0 else -self.file_line(part, -row) for row in arc
        )
        return start, end


def ran_before(analysis: CellAnalysis, ran: Sequence[Cell]) -> frozenset[int]:
    """The lines that are known to have run before measuring began, where no run was measured."""
    defined: set[str] = set()
    for cell in ran:
        if cell.defined is None:
            return frozenset()
        defined |= cell.defined
    return analysis.ran_before(defined.__contains__) if ran else frozenset()


def match(notebook: Notebook, cells: Iterable[Cell]) -> tuple[dict[int, list[Cell]], list[Cell]]:
    """Find the code cell of the notebook that each of `cells`, of one session, is.

    Returns the cells by the number of the notebook's cell, and those that it does not hold. The
    text must be the same; where texts are the same the id tells, where there is one, and else the
    order: the first run of a text was that of the first cell which has it and that runners run.
    """
    left: dict[str, list[Cell]] = {}
    for cell in cells:
        left.setdefault(digest(cell.typed), []).append(cell)
    found: dict[int, list[Cell]] = {}
    open_places: dict[str, list[int]] = {}
    skipped: dict[str, list[int]] = {}
    for place in notebook.cells:
        here = left.get(place.digest, [])
        found[place.number] = [cell for cell in here if cell.id is not None and cell.id == place.id]
        if not found[place.number]:
            which = skipped if _SKIP in place.tags else open_places
            which.setdefault(place.digest, []).append(place.number)
    with_place = {id(cell) for ran in found.values() for cell in ran}
    for text, numbers in {**skipped, **open_places}.items():
        runs = [
            cell
            for cell in left.pop(text, ())
            if id(cell) not in with_place
            for _ in range(max(cell.runs, 1) if cell.id is None else 1)
        ]
        for number in numbers[:-1]:
            found[number] = runs[:1]
            runs = runs[1:]
        found[numbers[-1]] = list(dict.fromkeys(runs))
    others = [cell for ran in left.values() for cell in ran]
    return found, [cell for cell in others if id(cell) not in with_place]


def fold(reporter: NotebookReporter, measured: Mapping[str, Measured]) -> ReportedFile:
    """What the cells of a notebook covered, by the lines of the notebook file."""
    lines: set[int] = set()
    arcs: set[Arc] | None = None
    for part in reporter.parts:
        for cell in part.ran:
            data = measured.get(cell.filename)
            if data is None:
                continue
            covered = part.reporter.reported(data)
            lines |= {reporter.file_line(part, row) for row in covered.lines}
            if covered.arcs is not None:
                arcs = (arcs or set()) | {reporter.file_arc(part, arc) for arc in covered.arcs}
    if arcs is None and any(data.arcs is not None for data in measured.values()):
        arcs = set()
    return ReportedFile(reporter.filename, lines, arcs, reporter.filename, -1, _lines_of(reporter))


def fold_lines(reporter: NotebookReporter, part: Part, data: Measured) -> set[int]:
    """The lines of the notebook file that the statements begin on which ran of a part of it."""
    return {reporter.file_line(part, row) for row in part.reporter.statements(data)}


def _lines_of(reporter: NotebookReporter) -> dict[str, Callable[[int], set[int]]]:
    """Which lines of the file a line of the code of each cell that ran stands for."""
    places: dict[str, list[tuple[Part, Cell]]] = {}
    for part in reporter.parts:
        for cell in part.ran:
            places.setdefault(cell.filename, []).append((part, cell))

    def lines_of(filename: str, line: int) -> set[int]:
        return {
            reporter.file_line(part, row)
            for part, cell in places[filename]
            for row in part.reporter.translate_lines([cell.typed_line(line)])
        }

    return {filename: partial(lines_of, filename) for filename in places}
