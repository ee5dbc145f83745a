"""Gathering what notebooks and their modules covered, from stores, for one report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coverage.exceptions import NotPython
from coverage.plugin import FileReporter

from ipycov import store
from ipycov.analysis import Arc, CellAnalysis
from ipycov.cells import Cell
from ipycov.finding import notebook_files, notebook_of
from ipycov.folding import NotebookReporter, fold, match
from ipycov.notebooks import Notebook
from ipycov.report import Problem, ReportingCoverage, unimported
from ipycov.reporters import CellReporter
from ipycov.results import Measured, ReportedFile, Results


@dataclass
class _Session:
    """The cells of one session and all that was measured in it, by filename."""

    cells: list[Cell]
    measured: dict[str, Measured]

    def ran(self) -> list[Cell]:
        """The cells that have data."""
        return [cell for cell in self.cells if cell.filename in self.measured]


class Gathered:
    """What some notebooks covered, to be reported by `cov`.

    `notes` are lines for below the report.
    """

    def __init__(self, cov: ReportingCoverage) -> None:
        self._cov = cov
        self._files: dict[str, ReportedFile] = {}
        self._reporters: dict[str, FileReporter] = {}
        self._problems: list[Problem] = []
        self.notes: list[str] = []

    def add_run(self, notebook: Notebook, directory: str) -> None:
        """Add a notebook, with what was stored in `directory` when it ran."""
        sessions = list(self._sessions(directory))
        self._add_notebook(notebook, sessions)
        for session in sessions:
            self._add_modules(session)

    def add_store(self, directory: str) -> None:
        """Add what live sessions have stored in `directory`, a folder of the one they ran in."""
        ran_in = os.path.dirname(os.path.abspath(directory))
        paths = list(notebook_files([ran_in]))
        by_notebook: dict[str, list[_Session]] = {}
        found: dict[str, Notebook] = {}
        alone: list[tuple[Cell, Measured]] = []
        for session in self._sessions(directory):
            self._add_modules(session)
            notebook = notebook_of(session.ran(), paths)
            if notebook is None:
                alone += [(cell, session.measured[cell.filename]) for cell in session.ran()]
            else:
                found[notebook.path] = notebook
                by_notebook.setdefault(notebook.path, []).append(session)
        for path, sessions in by_notebook.items():
            alone += self._add_notebook(found[path], sessions)
        self._add_alone(alone)

    def _sessions(self, directory: str) -> Iterator[_Session]:
        for session in store.read(directory):
            if isinstance(session, store.UnreadableStore):
                self._problems.append(Problem(session.path, session.why))
            else:
                yield _Session(list(session.book), session.measured())

    def _add_notebook(
        self, notebook: Notebook, sessions: Sequence[_Session]
    ) -> list[tuple[Cell, Measured]]:
        """Add a notebook; return the cells that ran and are not in it."""
        cells = [cell for session in sessions for cell in session.cells]
        measured = {name: data for session in sessions for name, data in session.measured.items()}
        name = self._cov.relative_name(os.path.abspath(notebook.path))
        matched, left = match(notebook, cells)
        reporter = NotebookReporter(notebook, name, self._cov.exclusions, matched)
        self._problems += [Problem(name, why) for why in reporter.problems]
        self._reporters[reporter.filename] = reporter
        self._put(fold(reporter, measured))
        return [(cell, measured[cell.filename]) for cell in left if cell.filename in measured]

    def _add_modules(self, session: _Session) -> None:
        cells = {cell.filename for cell in session.cells}
        for filename, data in session.measured.items():
            if filename not in cells:
                self._put(ReportedFile(filename, data.lines, data.arcs, filename, -1))

    def _add_alone(self, alone: Sequence[tuple[Cell, Measured]]) -> None:
        """Add cells that are in no notebook on disk, each text once."""
        texts: dict[str, ReportedFile] = {}
        names: set[str] = set()
        for cell, data in alone:
            try:
                analysis = CellAnalysis(cell.translation.python, cell.label, self._cov.exclusions)
            except NotPython as error:
                self._problems.append(Problem(cell.label, f"it can't be analysed: {error}"))
                continue
            while not cell.nested and cell.label in names and cell.typed not in texts:
                cell.nested = 1 + sum(name.startswith(f"In[{cell.count}]") for name in names)
            reporter = CellReporter(cell, self._cov.base, analysis)
            if reporter.is_empty:
                continue
            covered = reporter.reported(data)
            known = texts.get(cell.typed)
            if known is not None:
                covered.name = known.name
            else:
                texts[cell.typed] = covered
                names.add(cell.label)
                self._reporters[reporter.filename] = reporter
            self._put(covered)
        if texts:
            cells = "1 cell that ran is" if len(texts) == 1 else f"{len(texts)} cells that ran are"
            self.notes.append(f"{cells} in no notebook on disk, and listed by number")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was gathered."""
        return not self._files

    def touch(self, filenames: Iterable[str]) -> None:
        """Add modules that nothing may have imported."""
        for filename in filenames:
            arcs: set[Arc] | None = (
                set() if any(f.arcs is not None for f in self._files.values()) else None
            )
            self._put(ReportedFile(filename, set(), arcs, filename, -1))

    def expect(self, packages: Iterable[str]) -> None:
        """Say of each package of which nothing was measured that it was not."""
        for package in packages:
            path = os.sep + package.replace(".", os.sep)
            if not any(f"{path}.py" in name or path + os.sep in name for name in self._files):
                self._problems.append(unimported(package))

    def use(self) -> list[Problem]:
        """Have `cov` report on what was gathered; return what is not in the report."""
        results = Results(self._files.values(), [], lambda file, line: [line])
        return self._problems + self._cov.use(results, self._reporters)

    def _put(self, file: ReportedFile) -> None:
        known = self._files.setdefault(file.name, file)
        if known is not file:
            known.lines = known.lines | file.lines
            if file.arcs is not None:
                known.arcs = (known.arcs or set()) | file.arcs
