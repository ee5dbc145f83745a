"""A session: the cells of one shell, what was measured of them, and reports on both.

It is told when a cell begins and ends and knows no shell.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple, TypeVar

from coverage import CoverageData
from coverage.exceptions import ConfigError, CoverageException, NotPython
from coverage.plugin import FileReporter

from ipycov import coverage_internals
from ipycov.analysis import CellAnalysis, Exclusions
from ipycov.cells import Cell, CellBook, label_of
from ipycov.children import Children
from ipycov.compiler import CellCompiler, Run
from ipycov.errors import CannotReport, IPyCovError, NothingMeasured
from ipycov.lines import Translation
from ipycov.measure import KnownCells, Measurement, Options, Taken
from ipycov.report import Problem, ReportingCoverage, unimported
from ipycov.reporters import CellReporter
from ipycov.results import PART, TEST, Collected, ReportedFile, Results, collected_in
from ipycov.store import Store

T = TypeVar("T")

#: Cells of up to this many lines are analysed when they have run, so that the first report over
#: many cells is as quick as the next.
_ANALYSED_AT_ONCE = 100


@dataclass
class Ran:
    """What one run covered: its cell's or line's context and the files with new data.

    `asked` tells that the user asked for it, with %%cov or %cov. `line` is the typed line of a
    %cov among other lines of its cell; `parts` are the contexts of those in this run.
    """

    cell: Cell | None
    context: str
    asked: bool = False
    line: int | None = None
    touched: set[str] = field(default_factory=set)
    measurement: Measurement | None = None
    parts: list[str] = field(default_factory=list)

    def contexts(self) -> list[str]:
        """The context of the run and those of its parts."""
        return [self.context, *self.parts]


class _Ready(NamedTuple):
    """A cell ready to be reported, and what it is that when it changes makes it ready no more."""

    state: tuple[Cell, Translation, int, int]
    reporter: CellReporter
    file: ReportedFile


class Session:
    """Measures the cells of one shell.

    `options` gives the options for the next cell; `say` shows the user one line. What is measured
    is kept in `store` too, where there is one.
    """

    def __init__(
        self,
        options: Callable[[], Options],
        say: Callable[[str], None],
        store: Store | None = None,
    ) -> None:
        self.options = options
        self._store = store
        self._say = say
        self._said: set[str] = set()
        self.book = CellBook()
        self.compiler = CellCompiler(self.book, self.guarded(self._compiled))
        self.measuring = True
        self._measurements: dict[Options, Measurement] = {}
        self._reporting: dict[Options, ReportingCoverage] = {}
        self._reporters: dict[Exclusions, dict[str, CellReporter | str]] = {}
        self._ready: dict[Exclusions, dict[str, _Ready]] = {}
        self._collected = Collected()
        self._active: Measurement | None = None
        self._running: list[Ran] = []
        self._typed: list[str] = []
        self._parts = 0
        self._compiled_cells: list[Cell] = []
        self._children = Children(self._forked, self._taken)

    # ------------------------------------------------------------ running cells

    def begin(self, typed: str, id: str | None, options: Options | None = None) -> None:
        """A cell begins. `options` are those of a cell that is to be measured in any case."""
        outer = self._running[0].cell if self._running else None
        self.compiler.expected = Run(typed, id, outer.count if outer else None)
        self._typed.append(typed)
        self._running.append(Ran(None, "", asked=options is not None))
        if len(self._running) == 1 and (self.measuring or options is not None):
            self._start(options or self.options(), "")

    def end(self, typed: str, error: BaseException | None = None) -> Ran | None:
        """A cell has ended, with `error` if it did not compile. Return what it covered."""
        if typed not in self._typed:
            return None  # IPython tells the end of an empty cell, but not its beginning
        while self._typed.pop() != typed:
            self._running.pop()
        ran = self._running.pop()
        if ran.cell is not None and error is not None:
            ran.cell.error = f"it did not compile: {_said(error, ran.cell)}"
        ran.measurement = self._active
        if self._running:
            if self._active is not None and ran.asked:
                ran.touched |= self._active.switch(self._running[-1].context)
                self._running[-1].touched |= ran.touched
                if ran.cell is self._running[-1].cell:
                    self._running[-1].asked = False  # it has been shown
            return ran
        ran.touched |= self._stop() | self._take_in_children()
        self._keep(ran)
        if ran.measurement is None:
            return ran
        if ran.cell is not None and ran.cell.typed.count("\n") < _ANALYSED_AT_ONCE:
            cov = self._reporting_for(ran.measurement.options)
            reporter = self._reporter(ran.cell, cov, cov.exclusions())
            if isinstance(reporter, CellReporter):
                reporter.arcs()  # with lines alone too: the syntax tree is let go of then
        return ran

    def begin_line(self, options: Options | None) -> Ran:
        """A line of the running cell is to be told apart from the rest of it."""
        outer = self._running[-1] if self._running else Ran(None, "")
        ran = Ran(outer.cell, self._part_of(outer.context), asked=True)
        running = self.compiler.running_line()
        if running is not None:
            ran.cell, ran.line = running
        if self._active is None or (options is not None and options != self._active.options):
            outer.touched |= self._stop()
            self._start(options or self.options(), ran.context)
        else:
            outer.touched |= self._active.switch(ran.context)
        ran.measurement = self._active
        return ran

    def end_line(self, ran: Ran, resume: bool) -> None:
        """The line has ended; `resume` says whether the rest of the cell is measured."""
        outer = self._running[-1] if self._running else Ran(None, "")
        if self._active is None:
            return
        if resume and self._active.options == self.options():
            ran.touched |= self._active.switch(outer.context)
            return
        ran.touched |= self._stop()
        if resume:
            self._start(self.options(), outer.context)

    def begin_test(self, name: str) -> None:
        """A test begins, which the running cell runs."""
        if self._active is not None and self._running:
            outer = self._running[0]
            context = f"{outer.context}{TEST}{name}"
            outer.touched |= self._active.switch(context)
            if context not in outer.parts:
                outer.parts.append(context)

    def end_test(self) -> None:
        """The test has ended."""
        if self._active is not None and self._running:
            outer = self._running[0]
            outer.touched |= self._active.switch(outer.context)

    @property
    def active(self) -> bool:
        """Whether code is being measured now."""
        return self._active is not None

    def untraced(self, call: Callable[[], T]) -> T:
        """Call `call`, which runs nothing of the user's, without the cost of being measured."""
        return coverage_internals.untraced(call)

    def erase(self) -> None:
        """Forget everything that was measured."""
        running, options = self._active, self._active.options if self._active else None
        self._stop()
        for measurement in self._measurements.values():
            measurement.close()
        self._measurements.clear()
        self._collected = Collected()
        if running is not None and options is not None:
            self._start(options, self._running[-1].context if self._running else "")

    def close(self) -> None:
        """Stop measuring for good."""
        self._children.close()
        if self._store is not None:
            self._store.close()
        self.measuring = False
        self._stop()
        for measurement in self._measurements.values():
            measurement.close()

    def say_once(self, message: str) -> None:
        """Show the user a line that they have not been shown."""
        if message not in self._said:
            self._said.add(message)
            self._say(message)

    def guarded(self, hook: Callable[[T], None]) -> Callable[[T], None]:
        """`hook`, with errors of ipycov's own kept away from the user's cell."""

        @functools.wraps(hook)
        def guarded(event: T) -> None:
            try:
                hook(event)
            except Exception as error:  # the user's cell comes first
                self.say_once(
                    f"ipycov: an error of its own, please report it: "
                    f"{type(error).__name__}: {error}; this cell may not be measured"
                )

        return guarded

    def _compiled(self, cell: Cell) -> None:
        if not self._running:
            return
        ran = self._running[-1]
        ran.cell = cell
        self._compiled_cells.append(cell)
        outermost = len(self._running) == 1
        ran.context = self._running[0].context or label_of(cell.count)
        if ran.asked and not outermost:
            ran.context = self._part_of(ran.context)
        if self._active is not None and outermost:
            self._active.label(ran.context)
        elif self._active is not None and ran.asked:
            self._running[-2].touched |= self._active.switch(ran.context)

    def _keep(self, ran: Ran) -> None:
        """Keep what a cell covered where it outlives the kernel."""
        cells, self._compiled_cells = self._compiled_cells, []
        new = [taken for each in self._measurements.values() for taken in each.new()]
        if self._store is None:
            return
        try:
            for taken in new:
                self._store.add(cells, taken.context, taken.measured())
                cells = []
        except OSError as error:
            self._store = None
            self.say_once(
                f"ipycov: what is measured is kept in memory only: {error.strerror or error}"
                + (f": {error.filename}" if error.filename else "")
            )

    def _forked(self) -> bool:
        """In a process that a cell has forked: go on measuring, if this cell is measured."""
        self._store = None
        self._say = lambda message: None
        if self._active is not None:
            self._active.begin_child()
        return self._active is not None

    def _taken(self) -> list[Taken]:
        return self._active.taken() if self._active is not None else []

    def _take_in_children(self) -> set[str]:
        """Count what children of this process have covered; return the files with new data."""
        touched: set[str] = set()
        for context, files in self._children.new():
            branch = any(measured.arcs is not None for measured in files.values())
            measurements = sorted(
                self._measurements.values(), key=lambda each: each.branch is not branch
            )
            if measurements:
                touched |= measurements[0].add(context, files)
        return touched

    def _part_of(self, context: str) -> str:
        """A context for a part of what `context` names, to be shown by itself."""
        self._parts += 1
        part = f"{context}{PART}{self._parts}"
        if self._running:
            self._running[0].parts.append(part)
        return part

    def _start(self, options: Options, context: str) -> None:
        measurement = self._measurements.get(options)
        new = measurement is None
        try:
            if measurement is None:
                cells = KnownCells(self.book.__contains__, self._multiline_map)
                measurement = Measurement(options, cells)
                self._measurements[options] = measurement
                self._reporting_for(options)
            measurement.start(context)
        except (CoverageException, ConfigError, IPyCovError, OSError) as error:
            if new:
                self._measurements.pop(options, None)  # what failed once fails otherwise next
            self.say_once(f"ipycov: not measured: {error}")
        else:
            self._active = measurement

    def _stop(self) -> set[str]:
        active, self._active = self._active, None
        return active.stop() if active is not None else set()

    def _multiline_map(self, filename: str) -> dict[int, int] | None:
        cell = self.book.get(os.path.realpath(filename))
        if cell is None:
            return None
        first = cell.translation.compiled_headers
        if first or cell.compiled is None:
            rows = cell.translation.python.split("\n")
            return coverage_internals.multiline_map("\n".join(rows[first[0].line - 1 :]))
        return coverage_internals.multiline_map(cell.compiled)

    # ------------------------------------------------------------ reporting

    def report(self) -> tuple[ReportingCoverage, list[Problem]]:
        """Everything measured, ready to be reported, and what can't be.

        Raises `NothingMeasured` when there is nothing.
        """
        self._take_in_children()
        self._read_changes()
        cov = self._reporting_for(self.options())
        files, reporters, problems = self._reported(self._collected, cov)
        problems += cov.use(Results(files, self._datas(), self._reported_lines), reporters)
        measurement = self._measurements.get(self.options())
        problems += _unimported(measurement) if measurement is not None else []
        if not files and not problems:
            raise NothingMeasured(
                "nothing was measured yet: run a cell after %load_ext ipycov, then report"
            )
        return cov, problems

    def report_on(self, ran: Ran) -> tuple[ReportingCoverage, list[Problem]]:
        """What one run covered, and nothing else."""
        if ran.measurement is None:
            raise NothingMeasured("this run was not measured")
        cov = self._reporting_for(ran.measurement.options)
        collected = collected_in([ran.measurement.data], ran.touched, ran.contexts())
        files, reporters, problems = self._reported(collected, cov)
        problems = [problem for problem in problems if ran.cell and problem.name == ran.cell.label]
        problems += cov.use(Results(files, self._datas(), self._reported_lines), reporters)
        return cov, [*problems, *_unimported(ran.measurement)]

    def reporter(self, cell: Cell) -> CellReporter | str:
        """The reporter for a cell, or why there is none."""
        cov = self._reporting_for(self.options())
        return self._reporter(cell, cov, cov.exclusions())

    def _reporter(
        self, cell: Cell, cov: ReportingCoverage, exclusions: Exclusions
    ) -> CellReporter | str:
        reporters = self._reporters.setdefault(exclusions, {})
        known = reporters.get(cell.filename)
        if isinstance(known, CellReporter) and (
            known.cell is not cell or known.translation is not cell.translation
        ):
            known = None
        if known is None:
            try:
                analysis = CellAnalysis(cell.translation.python, cell.label, exclusions)
            except NotPython as error:
                known = f"it can't be analysed: {error}"
            else:
                known = CellReporter(cell, cov.base, analysis)
            reporters[cell.filename] = known
        return known

    def _reporting_for(self, options: Options) -> ReportingCoverage:
        options = options.for_reporting()
        cov = self._reporting.get(options)
        if cov is None:
            try:
                cov = ReportingCoverage(**options.coverage_arguments())
            except (CoverageException, ConfigError) as error:
                raise CannotReport(str(error)) from error
            self._reporting[options] = cov
        return cov

    def _datas(self) -> list[CoverageData]:
        return [measurement.data for measurement in self._measurements.values()]

    def _read_changes(self) -> None:
        if self._active is not None and self._running:
            self._running[-1].touched |= self._active.switch(self._running[-1].context)
        changed: set[str] = set()
        for measurement in self._measurements.values():
            changed |= measurement.changed
            measurement.changed = set()
            self._collected.touch(
                coverage_internals.unexecuted_files(measurement.coverage), measurement.branch
            )
        self._collected.read(self._datas(), changed)

    def _reported(
        self, collected: Collected, cov: ReportingCoverage
    ) -> tuple[list[ReportedFile], dict[str, FileReporter], list[Problem]]:
        files: list[ReportedFile] = []
        reporters: dict[str, FileReporter] = {}
        problems: list[Problem] = []
        measured = collected.files()
        exclusions = cov.exclusions()
        known = self._ready.setdefault(exclusions, {})
        for cell in self.book:
            data = measured.get(cell.filename)
            if data is None or not data.lines:
                if cell.error is not None:
                    problems.append(Problem(cell.label, cell.error))
                continue
            state = (cell, cell.translation, cell.count, data.version)
            ready = known.get(cell.filename)
            if ready is None or ready.state != state:
                reporter = self._reporter(cell, cov, exclusions)
                if isinstance(reporter, str):
                    problems.append(Problem(cell.label, reporter))
                    continue
                ready = _Ready(state, reporter, reporter.reported(data))
                if data.version >= 0:
                    known[cell.filename] = ready
            if not ready.reporter.is_empty:
                reporters[ready.file.name] = ready.reporter
                files.append(ready.file)
        for filename, data in sorted(measured.items(), key=itemgetter(0)):
            if filename not in self.book:
                files.append(ReportedFile(filename, data.lines, data.arcs, filename, data.version))
        return files, reporters, problems

    def _reported_lines(self, file: ReportedFile, line: int) -> Iterable[int]:
        cell = self.book.get(file.raw)
        if cell is None:
            return [line]
        reporter = self.reporter(cell)
        if isinstance(reporter, str):
            return []
        return reporter.translate_lines([cell.typed_line(line)])


def _unimported(measurement: Measurement) -> list[Problem]:
    return [unimported(name) for name in coverage_internals.unimported_source(measurement.coverage)]


def _said(error: BaseException, cell: Cell) -> str:
    """An error of a cell that did not compile, with the line that the front end shows."""
    if not isinstance(error, SyntaxError) or error.lineno is None:
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}: {error.msg} (line {cell.typed_line(error.lineno)})"
