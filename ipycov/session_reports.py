"""Reports on what the measurements of a session hold, of its cells and of modules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import NamedTuple

from coverage import CoverageData
from coverage.exceptions import ConfigError, CoverageException, NotPython
from coverage.plugin import FileReporter

from ipycov import coverage_files
from ipycov.analysis import Arc, CellAnalysis, Exclusions
from ipycov.cells import Cell, CellBook
from ipycov.directories import standing_in
from ipycov.errors import CannotReport, NothingMeasured, refusal
from ipycov.freshness import ModuleStamps, NotebookFile
from ipycov.lines import Translation
from ipycov.measure import Measurement
from ipycov.options import Options
from ipycov.ran import Ran
from ipycov.report import Problem, ReportingCoverage, unimported
from ipycov.reporters import EARLIER, STALE, CellReporter, ModuleReporter
from ipycov.results import (
    Chosen,
    Collected,
    LinesOf,
    Measured,
    ReportedFile,
    Results,
    collected_in,
)
from ipycov.run_notebooks import run_notebooks


class _Ready(NamedTuple):
    """A cell ready to be reported, and what it is that when it changes makes it ready no more."""

    state: tuple[Cell, Translation, str, bool, int]
    reporter: CellReporter
    file: ReportedFile


class SessionReports:
    """Reports on the cells in `book` and the modules that `measurements` hold data of.

    `options` gives the options of the moment; `take_in` has the measurements hold what has run by
    now. `defined` tells whether the user's namespace has a name.
    """

    def __init__(
        self,
        options: Callable[[], Options],
        book: CellBook,
        measurements: Mapping[Options, Measurement],
        take_in: Callable[[], None],
        defined: Callable[[str], bool],
    ) -> None:
        self._options = options
        self._book = book
        self._measurements = measurements
        self._take_in = take_in
        self._defined = defined
        self.failed: set[str] = set()  # the contexts of runs that an error ended
        self.refused = ""  # why the latest cell was not measured
        self.base = os.getcwd()
        self.notebook = NotebookFile(self.base)
        self.stamps = ModuleStamps()
        self._collected = Collected()
        self._coverages: dict[Options, ReportingCoverage] = {}
        self._reporters: dict[Exclusions, dict[str, CellReporter | str]] = {}
        self._ready: dict[Exclusions, dict[str, _Ready]] = {}

    def erase(self) -> None:
        """Forget what was measured."""
        self._collected = Collected()
        self.failed.clear()
        self.stamps = ModuleStamps()

    def forget_cells(self) -> None:
        """Hold no cell any more."""
        for held in (self._coverages, self._reporters, self._ready):
            held.clear()

    def everything(self) -> tuple[ReportingCoverage, list[Problem]]:
        """Everything measured, ready to be reported, and what can't be.

        Raises `NothingMeasured` when there is nothing.
        """
        self._read_changes()
        cov = self.coverage_for(self._options())
        files, reporters, problems = self._reported(self._collected, cov)
        results = self._results(files, reporters, lambda chosen: self._narrowed(chosen, cov))
        problems += cov.use(results, reporters)
        measurement = self._measurements.get(self._options())
        problems += _unimported(measurement) if measurement is not None else []
        self._tell_states(cov)
        if not files and not problems:
            if self.refused:
                raise NothingMeasured(f"nothing was measured: {self.refused}")
            raise NothingMeasured(
                "nothing was measured yet: run a cell after %load_ext ipycov, then report"
            )
        return cov, problems

    def of_run(self, ran: Ran) -> tuple[ReportingCoverage, list[Problem]]:
        """What one run covered, and nothing else."""
        if ran.measurement is None:
            raise NothingMeasured("this run was not measured")
        cov = self.coverage_for(ran.measurement.options)
        collected = Collected()
        contexts = ran.contexts()
        for each in self._measurements.values():
            if each.measured.measured_in(contexts):
                for name, found in (
                    collected_in(each.measured.data, ran.touched, contexts).files().items()
                ):
                    collected.add(name, found.lines, found.arcs)
        for measured in collected.files().values():
            measured.version = -1
        files, reporters, problems = self._reported(collected, cov)
        problems = [problem for problem in problems if ran.cell and problem.name == ran.cell.label]
        problems += cov.use(self._results(files, reporters), reporters)
        self._tell_states(cov)
        return cov, [*problems, *_unimported(ran.measurement)]

    def never_run(self) -> tuple[str, int]:
        """The name of the notebook file, where it is known, and how many cells it has not run."""
        return self.notebook.never_run(self._book)

    def remarks(self, cov: ReportingCoverage) -> list[str]:
        """Lines on what in the report that `cov` is to make may not be true any more."""
        reporters = [cov.reporter(name) for name in cov.get_data().files]
        cells = [reporter for reporter in reporters if isinstance(reporter, CellReporter)]
        said = []
        for each in cells:
            if each.unmeasured:
                lines = ", ".join(map(str, sorted(each.unmeasured)))
                said.append(f"{each.cell.label}: ran before measuring began: {lines}")
        stale = [each.cell.label for each in cells if each.state == STALE]
        said += [f"{label} was edited since it ran: run it again" for label in stale]
        return said + self.stamps.remarks(cov.relative_name)

    def _tell_states(self, cov: ReportingCoverage) -> None:
        """Tell the reporters of a report what is to be known of their files beyond the figures."""
        stale = {cell.filename for cell in self.notebook.stale(self._book)}
        changed = self.stamps.states()
        for name in cov.get_data().files:
            reporter = cov.reporter(name)
            if isinstance(reporter, CellReporter):
                cell = reporter.cell
                edited = cell.filename in stale or self._book.is_edited(cell)
                reporter.state = STALE if edited else "" if cell.measured else EARLIER
            elif isinstance(reporter, ModuleReporter):
                reporter.state = changed.get(name, "")

    def coverage_for(self, options: Options) -> ReportingCoverage:
        """What reports on what was measured with `options`.

        Raises `CannotReport` for options or a config file that coverage.py refuses.
        """
        options = options.for_reporting()
        if options not in self._coverages:
            self._coverages[options] = self._coverage_with(options)
        return self._coverages[options]

    def read_configuration(self) -> None:
        """Read the configuration files again that were edited since they were read.

        Raises `CannotReport` for what coverage.py refuses; what was read before holds then.
        """
        for options, cov in list(self._coverages.items()):
            if cov.configuration_was_edited():
                self._coverages[options] = self._coverage_with(options)
        used = {cov.exclusions for cov in self._coverages.values()}
        for held in (self._reporters, self._ready):
            for exclusions in held.keys() - used:
                del held[exclusions]

    def _coverage_with(self, options: Options) -> ReportingCoverage:
        try:
            with standing_in(self.base):
                return ReportingCoverage(**options.coverage_arguments())
        except (CoverageException, ConfigError, OSError) as error:
            raise CannotReport(refusal(error)) from error

    def prepare(self, cell: Cell, options: Options) -> None:
        """Analyse a cell that was measured with `options`, so that its report need not."""
        cov = self.coverage_for(options)
        reporter = self._reporter(cell, cov)
        if isinstance(reporter, CellReporter):
            reporter.prepare()

    def lines_run(self) -> dict[str, int]:
        """How many lines of each file that was measured have run, by filename."""
        self._read_changes()
        return {name: len(data.lines) for name, data in self._collected.files().items()}

    def _ready_for(self, cov: ReportingCoverage) -> dict[str, _Ready]:
        return self._ready.setdefault(cov.exclusions, {})

    def _reporter(self, cell: Cell, cov: ReportingCoverage) -> CellReporter | str:
        """The reporter for a cell, or why there is none."""
        reporters = self._reporters.setdefault(cov.exclusions, {})
        known = reporters.get(cell.filename)
        if isinstance(known, CellReporter) and (
            known.cell is not cell
            or known.translation is not cell.translation
            or (known.unmeasured and cell.measured)
        ):
            known = None
        if known is None:
            try:
                analysis = CellAnalysis(cell.translation.python, cell.label, cov.exclusions)
            except NotPython as error:
                known = f"it can't be analysed: {error}"
            else:
                unmeasured = frozenset() if cell.measured else analysis.ran_before(self._defined)
                known = CellReporter(cell, cov.base, analysis, unmeasured)
            reporters[cell.filename] = known
        return known

    def _results(
        self,
        files: Iterable[ReportedFile],
        reporters: Mapping[str, FileReporter],
        narrow: Callable[[Chosen], Iterable[ReportedFile]] | None = None,
    ) -> Results:
        measurements = self._measurements.values()
        tracers = {n: t for each in measurements for n, t in each.file_tracers().items()}
        return Results(files, _Datas(measurements), _lines_of(reporters), tracers, narrow)

    def _read_changes(self) -> None:
        self._take_in()
        for measurement in self._measurements.values():
            for taken in measurement.measured.not_reported():
                self._collect(taken.measured(), taken.context, measurement, self._collected)
            self._collected.touch(
                coverage_files.unexecuted_files(measurement.coverage), measurement.branch
            )

    def _narrowed(self, chosen: Chosen, cov: ReportingCoverage) -> list[ReportedFile]:
        """What the `chosen` contexts ran of everything measured."""
        collected = Collected()
        for measurement in self._measurements.values():
            data = measurement.measured.data
            contexts = set(filter(chosen, data.measured_contexts()))
            ran = collected_in(data, data.measured_files(), contexts - self.failed)
            self._collect(ran.files(), "", measurement, collected)
            for context in contexts & self.failed:
                ran = collected_in(data, data.measured_files(), [context])
                self._collect(ran.files(), context, measurement, collected)
        for measured in collected.files().values():
            measured.version = -1
        return self._reported(collected, cov)[0]

    def _collect(
        self,
        files: Mapping[str, Measured],
        context: str,
        measurement: Measurement,
        collected: Collected,
    ) -> None:
        """Add to `collected` what a run called `context` covered."""
        for name, measured in files.items():
            arcs = measured.arcs
            if arcs is not None and context in self.failed:
                arcs = self._completed(name, arcs, measurement.options)
            collected.add(name, measured.lines, arcs)

    def _completed(self, filename: str, arcs: set[Arc], options: Options) -> set[Arc]:
        """The arcs of one run without those by which it left a statement of a cell that failed.

        In another run of the cell what comes next may have run, reached from elsewhere.
        """
        cell = self._book.get(filename)
        reporter = self._reporter(cell, self.coverage_for(options)) if cell is not None else None
        return reporter.completed(arcs) if isinstance(reporter, CellReporter) else arcs

    def _reported(
        self, collected: Collected, cov: ReportingCoverage
    ) -> tuple[list[ReportedFile], dict[str, FileReporter], list[Problem]]:
        files: list[ReportedFile] = []
        reporters: dict[str, FileReporter] = {}
        problems: list[Problem] = []
        measured = collected.files()
        known = self._ready_for(cov)
        run = run_notebooks(self._book, measured, cov)
        for cell in self._book:
            data = measured.get(cell.filename)
            if cell in run.cells:
                continue
            if data is None or not data.lines:
                if cell.error is not None:
                    problems.append(Problem(cell.label, cell.error))
                continue
            state = (cell, cell.translation, cell.label, cell.measured, data.version)
            ready = known.get(cell.filename)
            if ready is None or ready.state != state:
                reporter = self._reporter(cell, cov)
                if isinstance(reporter, str):
                    problems.append(Problem(cell.label, reporter))
                    continue
                ready = _Ready(state, reporter, reporter.reported(data))
                if data.version >= 0:
                    known[cell.filename] = ready
            if not ready.reporter.is_empty:
                reporters[ready.file.name] = ready.reporter
                files.append(ready.file)
        problems += run.problems
        for file, notebook in run.found:
            reporters[file.name] = notebook
            files.append(file)
        for filename, data in sorted(measured.items(), key=itemgetter(0)):
            if filename not in self._book:
                files.append(ReportedFile(filename, data.lines, data.arcs, filename, data.version))
        return files, reporters, problems


class _Datas:
    """The data of measurements, which takes its time to be made, when it is gone through."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._measurements = list(measurements)

    def __iter__(self) -> Iterator[CoverageData]:
        return (measurement.measured.data for measurement in self._measurements)


def _lines_of(reporters: Mapping[str, FileReporter]) -> LinesOf:
    """What a measured line stands for in a report: in a cell's, the statement that was typed."""

    def lines_of(file: ReportedFile, line: int) -> Iterable[int]:
        reporter = reporters.get(file.name)
        if not isinstance(reporter, CellReporter):
            return [line]
        return reporter.translate_lines([reporter.cell.typed_line(line)])

    return lines_of


def _unimported(measurement: Measurement) -> list[Problem]:
    return [unimported(name) for name in coverage_files.unimported_source(measurement.coverage)]
