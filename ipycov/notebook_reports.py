"""Reports on the notebooks that data files hold, as `ipycov.notebook_data` puts them there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from coverage.exceptions import NoSource, NotPython
from coverage.plugin import FileReporter

from ipycov import coverage_files, coverage_reports, live_data, notebooks
from ipycov.analysis import Arc, CellAnalysis, Exclusions
from ipycov.cells import Cell
from ipycov.errors import BadNotebook
from ipycov.folding import NotebookReporter
from ipycov.notebook_data import ALONE, RECORD, layout, measured_in
from ipycov.notebooks import Notebook
from ipycov.reporters import StoredCellReporter
from ipycov.results import Measured, ReportedFile
from ipycov.store import kept_text, merge, texts_directory


class _NotReported(FileReporter):
    """A record that belongs to a notebook: coverage.py's reports pass over what is not Python."""

    def lines(self) -> set[int]:
        raise NotPython(f"{self.filename} is a record of a notebook's")

    def should_be_python(self) -> bool:
        """Tell reports that nobody expected it to be."""
        return False


class _Unreadable(FileReporter):
    """A notebook that ran and can't be read any more: an error unless errors are ignored."""

    def __init__(self, filename: str, why: str) -> None:
        super().__init__(filename)
        self._why = why

    def lines(self) -> set[int]:
        raise NoSource(f"No source for notebook: {self._why}")


@dataclass
class _Recorded:
    """What a data file records of one notebook: its layouts and its cells' own data by their keys.

    `names` are those of the records of cells.
    """

    layouts: set[str] = field(default_factory=set)
    cells: dict[str, Measured] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    python: set[str] = field(default_factory=set)


class NotebookFiles:
    """The notebooks, and the cells of `shell`, in the data that `cov` reports on."""

    def __init__(self, cov: Any, shell: Any = None) -> None:
        self._cov = cov
        self._shell = shell
        self._said: set[str] = set()
        self._records: dict[str, list[re.Match[str]]] = {}
        self._records_of: tuple[Any, int] = (None, 0)
        coverage_reports.annotate_all_kinds()

    def reporter(self, filename: str) -> FileReporter:
        """The reporter for a file that a data file leaves to the plugin."""
        if RECORD.fullmatch(filename) or live_data.TEXT.fullmatch(filename):
            return _NotReported(filename)
        if live_data.LIVE.fullmatch(filename):
            return self._live_cell(filename)
        alone = ALONE.fullmatch(filename)
        if alone is not None:
            return self._cell_alone(filename, alone)
        name = coverage_files.relative_filename(filename)
        try:
            notebook = notebooks.read(filename)
        except BadNotebook as error:
            why = str(error).replace(filename, name)
            if self._cov.get_data().lines(filename):
                return _Unreadable(filename, why)
            self._say(f"{why}; it is left out")
            return _NotReported(filename)
        if not notebook.is_python:
            self._say(f"{name} is a notebook in {notebook.language}, not in Python: left out")
            return _NotReported(filename)
        if not notebook.keeps_lines:
            self._say(
                f"{notebook.path} does not keep each source line on a line of its own: line "
                "numbers count the lines of its code cells"
            )
        recorded = self._recorded(filename)
        reporter = _StoredNotebook(notebook, name, self._exclusions(), recorded)
        if self._cov.get_option("report:show_missing"):
            reporter.say_missing = self._say
        reporter.filename = filename
        if reporter.moved:
            coverage_reports.answer_contexts(self._cov, filename, reporter.contexts)
        for number, reason in reporter.problems.items():
            self._say(f"{name}, cell {number} is not in the report: {reason}")
        if reporter.stale:
            cells = "1 cell has" if reporter.stale == 1 else f"{reporter.stale} cells have"
            self._say(
                f"{name}: {cells} another text than when the notebook ran; what the old text "
                "covered is left out"
            )
        return reporter

    def _cell_alone(self, filename: str, found: re.Match[str]) -> FileReporter:
        data = self._cov.get_data()
        cells = [name for name in data.measured_files() if ALONE.fullmatch(name)]
        self._say(
            f"cells that ran and are in no notebook on disk: {len(cells)}, listed by themselves"
        )
        directory = os.path.dirname(os.path.abspath(data.data_filename()))
        typed = kept_text(found["digest"], directory)
        if typed is None:
            kept = texts_directory(directory)
            self._say(f"the text of {filename} is not in {kept}: it is left out")
            return _NotReported(filename)
        count, nested = int(found["count"]), int(found["nested"] or 0)
        cell = Cell(filename, typed, count=count, nested=nested)
        analysis = CellAnalysis(cell.translation.python, cell.label, self._exclusions())
        called = f"{coverage_files.relative_filename(found['place'])}:{cell.label}"
        named = filename.rpartition("#")[0]
        alike = sorted(name for name in cells if name.rpartition("#")[0] == named)
        if filename in alike[1:]:  # kernels have run different cells under one number
            called += f" ({alike.index(filename) + 1})"
        return StoredCellReporter(cell, filename, called, analysis)

    def _live_cell(self, filename: str) -> FileReporter:
        reporter = live_data.reporter(self._cov, self._shell, filename)
        if isinstance(reporter, str):
            self._say(f"{os.path.basename(filename)}: {reporter}")
            return _NotReported(filename)
        return reporter

    def _recorded(self, filename: str) -> _Recorded:
        recorded = _Recorded()
        data = self._cov.get_data()
        for found in self._records_for(filename):
            if found["kind"] == "layout":
                recorded.layouts.add(found["key"])
                continue
            merge(recorded.cells, found["key"], measured_in(data, found.string))
            recorded.names.setdefault(found["key"], []).append(found.string)
            if found["kind"] == "python":
                recorded.python.add(found["key"])
        return recorded

    def _records_for(self, filename: str) -> list[re.Match[str]]:
        """The names of the records of a notebook.

        `[paths]` renames what exists under its new name, which a record does not: those of
        notebooks that were renamed go with the name that theirs have now.
        """
        data = self._cov.get_data()
        names = data.measured_files()
        if self._records_of != (data, len(names)):
            self._records_of = data, len(names)
            self._records = {}
            renamed = coverage_files.renaming(self._cov)
            for name in sorted(names):
                found = RECORD.fullmatch(name)
                if found is not None:
                    self._records.setdefault(renamed(found["notebook"]), []).append(found)
        return self._records.get(filename, [])

    def _exclusions(self) -> Exclusions:
        return coverage_reports.exclusions(self._cov)

    def _say(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            print(f"ipycov: {message}", file=sys.stderr)


class _StoredNotebook(NotebookReporter):
    """A notebook from a data file, put together anew where its layout has changed since.

    `say_missing` is told which cells the missing lines are in, for coverage.py's table does not
    say it. `moved` tells that the layout has changed; `stale` counts the cells that ran whose text
    it holds no more.
    """

    def __init__(
        self, notebook: Notebook, name: str, exclusions: Exclusions, recorded: _Recorded
    ) -> None:
        ran = {
            place.number: [Cell("", place.text, python_body=key in recorded.python)]
            for place in notebook.cells
            if (key := notebook.keys[place.number]) in recorded.cells
        }
        super().__init__(notebook, name, exclusions, ran)
        self._recorded = recorded
        self.say_missing: Callable[[str], None] | None = None
        self._of_data = False  # whether the next arcs are those of the data
        self.moved = bool(recorded.layouts) and recorded.layouts != {layout(notebook)}
        self.stale = len(recorded.cells.keys() - set(notebook.keys.values()))

    def translate_lines(self, lines: Iterable[int]) -> set[int]:
        if self.moved:
            lines = self._put_together().lines
            self._of_data = True
        executed = super().translate_lines(lines)
        say, self.say_missing = self.say_missing, None
        if say is not None:  # a report analyses it now: it is not left out
            for line in self.missing_by_cell(executed):
                say(line)
        return executed

    def translate_arcs(self, arcs: Iterable[Arc]) -> set[Arc]:
        # coverage.py translates the lines, the arcs of the data, and then what came of those
        of_data, self._of_data = self._of_data, False
        return super().translate_arcs(self._put_together().arcs or () if of_data else arcs)

    def contexts(self, by_line: Callable[[str], dict[int, list[str]]]) -> dict[int, list[str]]:
        """The contexts of its lines, put together from what `by_line` tells of each record."""
        found: dict[int, set[str]] = {}
        for part in self.parts:
            for name in self._recorded.names.get(self.notebook.keys[part.place.number], ()):
                for row, contexts in by_line(name).items():
                    found.setdefault(self.file_line(part, row), set()).update(contexts)
        return {line: sorted(contexts) for line, contexts in found.items()}

    def _put_together(self) -> ReportedFile:
        lines: set[int] = set()
        arcs: set[Arc] = set()
        for part in self.parts:
            measured = self._recorded.cells.get(self.notebook.keys[part.place.number])
            if measured is not None:
                lines |= {self.file_line(part, row) for row in measured.lines}
                arcs |= {self.file_arc(part, arc) for arc in measured.arcs or ()}
        return ReportedFile(self.filename, lines, arcs, self.filename, -1)
