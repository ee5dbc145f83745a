"""Gathering what notebooks and their modules covered, from stores, for one report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

import coverage
from coverage.exceptions import NotPython
from coverage.plugin import FileReporter

from ipycov import coverage_collector, coverage_files, store
from ipycov.analysis import Arc, CellAnalysis
from ipycov.cells import Cell, CellBook
from ipycov.finding import notebook_files, notebook_of
from ipycov.folding import NotebookReporter, fold, fold_lines, match, ran_before
from ipycov.gathered_contexts import GatheredContexts, GatheredResults
from ipycov.notebooks import Notebook, NotebookCell
from ipycov.options import Options
from ipycov.report import Problem, ReportingCoverage, unimported
from ipycov.reporters import STALE, CellReporter
from ipycov.results import Chosen, Measured, ReportedFile
from ipycov.run_notebooks import run_notebooks


@dataclass
class _Session:
    """The cells of one session, and what was measured in it by filename: all, and by context.

    `book` has those too whose text was replaced by another, which are not reported.
    """

    book: CellBook
    cells: list[Cell]
    measured: dict[str, Measured]
    covered: Mapping[str, Mapping[str, Measured]]

    def ran(self) -> list[Cell]:
        """The cells that have data."""
        return [cell for cell in self.cells if cell.filename in self.measured]

    def runs(self, filename: str) -> Iterator[tuple[str, Measured]]:
        """The contexts of the runs that covered a file, each with what it covered."""
        for context, files in self.covered.items():
            if filename in files:
                yield context, files[filename]


class Gathered:
    """What some notebooks covered, to be reported by `cov`.

    `notes` are lines for below the report. `chosen` tells of which contexts it is; all where it is
    None.
    """

    def __init__(self, cov: ReportingCoverage, chosen: Chosen | None = None) -> None:
        self._cov = cov
        self._chosen = chosen
        self._stored: dict[str, list[store.StoredSession | store.UnreadableStore]] = {}
        self._added: list[Callable[[Gathered], None]] = []
        self._files: dict[str, ReportedFile] = {}
        self._reporters: dict[str, FileReporter] = {}
        self._problems: list[Problem] = []
        self._contexts = GatheredContexts()
        self._edited: set[int] = set()  # by `id`, the cells whose text in their notebook is another
        self._alone = 0  # how many cells are in no notebook on disk
        self._names: set[str] = set()  # of the cells in no notebook
        self.notes: list[str] = []

    def add_run(self, notebook: Notebook, directory: str) -> None:
        """Add a notebook, with what was stored in `directory` when it ran, erased or not."""
        self._added.append(lambda gathered: gathered.add_run(notebook, directory))
        sessions = list(self._sessions(directory, erased=True))
        alone = self._add_notebook(notebook, sessions)
        for session in sessions:
            self._add_modules(session, self._name(notebook))
            self._add_run(session, self._name(notebook))
        self._add_alone([(cell, session) for cell, session in alone if cell in session.cells])

    def add_store(self, directory: str) -> None:
        """Add what live sessions have stored in `directory`, a folder of the one they ran in."""
        self._added.append(lambda gathered: gathered.add_store(directory))
        ran_in = os.path.dirname(os.path.abspath(directory))
        paths = list(notebook_files([ran_in]))
        by_notebook: dict[str, list[_Session]] = {}
        found: dict[str, Notebook] = {}
        alone: list[tuple[Cell, _Session]] = []
        for session in self._sessions(directory):
            self._add_run(session)
            notebook = notebook_of(session.ran(), paths, ran_in, self.notes.append)
            self._add_modules(session, "" if notebook is None else self._name(notebook))
            if notebook is None:
                alone += [(cell, session) for cell in session.ran()]
            else:
                found[notebook.path] = notebook
                by_notebook.setdefault(notebook.path, []).append(session)
        for path, sessions in by_notebook.items():
            alone += self._add_notebook(found[path], sessions)
        place = self._cov.relative_name(ran_in)
        self._add_alone(alone, "" if ran_in == self._cov.base else place)

    def _sessions(self, directory: str, *, erased: bool = False) -> Iterator[_Session]:
        if directory not in self._stored:
            self._stored[directory] = list(store.read(directory, erased=erased))
        for session in self._stored[directory]:
            if isinstance(session, store.UnreadableStore):
                self._problems.append(Problem(session.path, session.why))
            else:
                if session.cut_off:
                    self._problems.append(Problem(f"the end of {session.path}", "it is cut off"))
                cells = list(session.book)
                covered = {
                    context: files
                    for context, files in session.covered.items()
                    if self._chosen is None or self._chosen(context)
                }
                yield _Session(session.book, cells, session.measured(self._chosen), covered)

    def _name(self, notebook: Notebook) -> str:
        """What a report calls a notebook."""
        return self._cov.relative_name(os.path.abspath(notebook.path))

    def _add_notebook(
        self, notebook: Notebook, sessions: Sequence[_Session]
    ) -> list[tuple[Cell, _Session]]:
        """Add a notebook; return the cells that ran and are not in it."""
        session_of = {id(cell): session for session in sessions for cell in session.cells}
        measured: dict[str, Measured] = {}
        for session in sessions:  # kernels of the same process id give cells the same names
            for filename, data in session.measured.items():
                store.merge(measured, filename, data)
        name = self._name(notebook)
        matched: dict[int, list[Cell]] = {}
        left: list[Cell] = []
        for session in sessions:
            of_session, others = match(notebook, session.cells)
            left += others
            for number, cells in of_session.items():
                matched.setdefault(number, []).extend(cells)
        reporter = NotebookReporter(notebook, name, self._cov.exclusions, matched)
        self._problems += [
            Problem(f"{name}, cell {number}", why) for number, why in reporter.problems.items()
        ]
        self._reporters[reporter.filename] = reporter
        for part in reporter.parts:
            lines = {reporter.file_line(part, row) for row in part.reporter.unmeasured}
            self._tell_before(f"{name}, cell {part.place.number}", lines)
        self._put(fold(reporter, measured))
        self._add_contexts(reporter, name, lambda cell: session_of[id(cell)])
        alone = [cell for cell in left if cell.filename in measured]
        self._tell_edited(
            name, [each for each in notebook.cells if not matched.get(each.number)], alone
        )
        return [(cell, session_of[id(cell)]) for cell in alone]

    def _add_modules(self, session: _Session, notebook: str) -> None:
        for filename, data in session.measured.items():
            if filename not in session.book:
                self._put(ReportedFile(filename, data.lines, data.arcs, filename, -1))
                for context, ran in session.runs(filename):
                    self._contexts.add(filename, context, notebook, ran.lines.copy)

    def _add_run(self, session: _Session, notebook: str = "") -> None:
        """Add the notebooks that its cells ran with %run, `notebook` is theirs."""
        run = run_notebooks(session.cells, session.measured, self._cov)
        session.cells = [cell for cell in session.cells if cell not in run.cells]
        self._problems += run.problems
        for file, reporter in run.found:
            self._reporters[file.name] = reporter
            self._put(file)
            self._add_contexts(reporter, notebook, lambda cell: session)

    def _add_contexts(
        self, reporter: NotebookReporter, notebook: str, session_of: Callable[[Cell], _Session]
    ) -> None:
        """Add the runs of `notebook` that covered the cells of the notebook of `reporter`."""
        for part in reporter.parts:
            for cell in part.ran:
                for context, data in session_of(cell).runs(cell.filename):
                    lines = partial(fold_lines, reporter, part, data)
                    self._contexts.add(reporter.filename, context, notebook, lines)

    def _add_alone(self, alone: Sequence[tuple[Cell, _Session]], place: str = "") -> None:
        """Add cells that are in no notebook on disk, each text that a front end's cell had once.

        `place` is the directory that they ran in, where it is another than this.
        """
        texts: dict[tuple[str, str | None], ReportedFile] = {}
        for cell, session in alone:
            name = os.path.join(place, cell.label)
            try:
                analysis = CellAnalysis(cell.translation.python, cell.label, self._cov.exclusions)
            except NotPython as error:
                self._problems.append(Problem(name, f"it can't be analysed: {error}"))
                continue
            while name in self._names and (cell.typed, cell.id) not in texts:
                cell.nested += 1
                name = os.path.join(place, cell.label)
            before = ran_before(analysis, [cell])
            reporter = CellReporter(cell, self._cov.base, analysis, before, place)
            if reporter.is_empty:
                continue
            if id(cell) in self._edited:
                reporter.state = STALE
            covered = reporter.reported(session.measured[cell.filename])
            known = texts.get((cell.typed, cell.id))
            if known is not None:
                covered.name = known.name
            else:
                texts[cell.typed, cell.id] = covered
                self._names.add(name)
                self._reporters[reporter.filename] = reporter
                self._tell_before(name, before)
            self._put(covered)
            for context, ran in session.runs(cell.filename):
                self._contexts.add(covered.name, context, "", partial(reporter.statements, ran))
        self._alone += len(texts)

    def _tell_edited(
        self, name: str, not_run: Iterable[NotebookCell], alone: Iterable[Cell]
    ) -> None:
        """Say which cells of a notebook have another text there than the one that ran."""
        number_of: dict[str | None, int] = {
            each.id: each.number for each in not_run if each.id is not None
        }
        edited = [cell for cell in alone if cell.id in number_of]
        self._edited |= set(map(id, edited))
        for number, cell in {number_of[cell.id]: cell for cell in edited}.items():
            self.notes.append(
                f"{name}, cell {number} was edited since it ran as {cell.label}: run it again"
            )

    def _tell_before(self, name: str, lines: Set[int]) -> None:
        if lines:
            listed = ", ".join(map(str, sorted(lines)))
            self.notes.append(f"{name}: ran before measuring began: {listed}")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was gathered."""
        return not self._files

    def add_unexecuted(self, options: Options) -> None:
        """Add the modules under `source`, of the options or the configuration, that may not run."""
        cov = coverage.Coverage(data_file=None, **options.coverage_arguments())
        coverage_collector.prepare(cov)
        branch = any(file.arcs is not None for file in self._files.values())
        for filename in coverage_files.unexecuted_files(cov):
            arcs: set[Arc] | None = set() if branch else None
            self._put(ReportedFile(filename, set(), arcs, filename, -1))

    def expect(self, packages: Iterable[str]) -> None:
        """Say of each package of which nothing was measured that it was not."""
        for package in packages:
            path = os.sep + package.replace(".", os.sep)
            if not any(f"{path}.py" in name or path + os.sep in name for name in self._files):
                self._problems.append(unimported(package))

    def use(self) -> list[Problem]:
        """Have `cov` report on what was gathered; return what is not in the report."""
        results = GatheredResults(
            self._files.values(), self._contexts, self._reporters, self._narrowed
        )
        if self._alone:
            cells = (
                "1 cell that ran is" if self._alone == 1 else f"{self._alone} cells that ran are"
            )
            self.notes.append(f"{cells} in no notebook on disk, and listed by number")
        return self._problems + self._cov.use(results, self._reporters)

    def _narrowed(self, chosen: Chosen) -> Iterable[ReportedFile]:
        """What the `chosen` contexts ran of what was gathered."""
        again = Gathered(self._cov, chosen)
        again._stored = self._stored
        for add in self._added:
            add(again)
        return again._files.values()

    def _put(self, file: ReportedFile) -> None:
        known = self._files.setdefault(file.name, file)
        if known is not file:
            known.lines = known.lines | file.lines
            if file.arcs is not None:
                known.arcs = (known.arcs or set()) | file.arcs
