"""Gathering what notebooks and their modules covered, from stores, for one report."""

from __future__ import annotations

import os
from collections.abc import Iterable

from coverage.plugin import FileReporter

from ipycov import store
from ipycov.analysis import Arc
from ipycov.cells import Cell
from ipycov.folding import NotebookReporter, fold, match
from ipycov.notebooks import Notebook
from ipycov.report import Problem, ReportingCoverage, unimported
from ipycov.results import Collected, Measured, ReportedFile, Results


class Gathered:
    """What some notebooks covered, to be reported by `cov`."""

    def __init__(self, cov: ReportingCoverage) -> None:
        self._cov = cov
        self._files: dict[str, ReportedFile] = {}
        self._reporters: dict[str, FileReporter] = {}
        self._problems: list[Problem] = []

    def add(self, notebook: Notebook, directory: str) -> None:
        """Add a notebook, with what was stored in `directory` when it ran."""
        measured: dict[str, Measured] = {}
        cells: list[Cell] = []
        for session in store.read(directory):
            if isinstance(session, store.UnreadableStore):
                self._problems.append(Problem(notebook.path, str(session)))
                continue
            collected = Collected()
            files = {name for data in session.datas for name in data.measured_files()}
            collected.read(session.datas, files)
            measured |= collected.files()
            cells += session.book
        name = self._cov.relative_name(notebook.path)
        matched, _ = match(notebook, cells)
        reporter = NotebookReporter(notebook, name, self._cov.exclusions(), matched)
        self._problems += [Problem(name, why) for why in reporter.problems]
        self._reporters[reporter.filename] = reporter
        self._put(fold(reporter, measured))
        of_cells = {cell.filename for cell in cells}
        for filename, data in measured.items():
            if filename not in of_cells:
                self._put(ReportedFile(filename, data.lines, data.arcs, filename, -1))

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
