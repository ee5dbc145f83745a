"""A session: the cells of one shell, what was measured of them, and reports on both.

It is told when a cell begins and ends and knows no shell.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
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
from ipycov.freshness import ModuleStamps, NotebookFile
from ipycov.interrupts import PutOff
from ipycov.lines import Translation
from ipycov.measure import KnownCells, Measurement, Options, Taken
from ipycov.report import Problem, ReportingCoverage, unimported
from ipycov.reporters import CellReporter
from ipycov.results import (
    PART,
    TEST,
    Collected,
    LinesOf,
    ReportedFile,
    Results,
    collected_in,
)
from ipycov.store import Store
from ipycov.why import Answer, Facts, explain

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

    state: tuple[Cell, Translation, int, bool, int]
    reporter: CellReporter
    file: ReportedFile


class Session:
    """Measures the cells of one shell.

    `options` gives the options for the next cell; `say` shows the user one line. What is measured
    is kept in `store` too, where there is one. `defined` tells whether the user's namespace has a
    name.
    """

    def __init__(
        self,
        options: Callable[[], Options],
        say: Callable[[str], None],
        store: Store | None = None,
        defined: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self.options = options
        self._store = store
        self._defined = defined
        self._say = say
        self._said: set[str] = set()
        self._stamps = ModuleStamps()
        self.notebook = NotebookFile(os.getcwd())
        self.book = CellBook()
        self.compiler = CellCompiler(
            self.book, self.guarded(self._compiled), failed=self.say_own_error
        )
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
        self._earlier: dict[str, Cell] = {}  # not in the store yet
        self._unmeasured: dict[str, str] = {}
        self._refused = ""
        self._imported_before = frozenset(sys.modules)
        self._children = Children(self._forked, self._taken)

    def ran_before(self, name: str, typed: str, compiled: str, count: int) -> None:
        """A cell that ran before this session began, whose code is compiled under `name`."""
        cell = self.compiler.add_earlier(name, typed, compiled, count)
        self._earlier[cell.filename] = cell

    # ------------------------------------------------------------ running cells

    def begin(self, typed: str, id: str | None, options: Options | None = None) -> None:
        """A cell begins. `options` are those of a cell that is to be measured in any case."""
        outer = self._running[0].cell if self._running else None
        self.compiler.expected = Run(typed, id, outer.count if outer else None)
        self._typed.append(typed)
        self._running.append(Ran(None, "", asked=options is not None))
        if len(self._running) == 1:
            self._refused = ""
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
            if ran.cell is not None:
                self._unmeasured[ran.cell.filename] = (
                    self._refused or "measuring was off when it ran"
                )
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
    def running(self) -> bool:
        """Whether a cell has begun whose end was not told."""
        return bool(self._running)

    def abandon(self) -> None:
        """Take cells that have begun as ended: an interrupt kept the shell from telling it."""
        ran = self._running[0]
        self._running.clear()
        self._typed.clear()
        ran.touched |= self._stop()
        self._keep(ran)

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
        self._stamps = ModuleStamps()
        if running is not None and options is not None:
            self._start(options, self._running[-1].context if self._running else "")

    def close(self) -> None:
        """Stop measuring for good."""
        self.measuring = False
        with ExitStack() as stack:  # each of them, whatever goes wrong with another
            for measurement in self._measurements.values():
                stack.callback(measurement.close)
            stack.callback(self._stop)
            stack.callback(self._children.close)
            if self._store is not None:
                stack.callback(self._store.close)

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
                with PutOff():
                    hook(event)
            except Exception as error:  # the user's cell comes first
                self.say_own_error(error)

        return guarded

    def say_own_error(self, error: Exception) -> None:
        """Tell the user of an error of ipycov's, which spares their cell."""
        self.say_once(
            f"ipycov: an error of its own, please report it: "
            f"{type(error).__name__}: {error}; this cell may not be measured"
        )

    def _compiled(self, cell: Cell) -> None:
        if not self._running:
            return
        ran = self._running[-1]
        ran.cell = cell
        cell.ran = time.time()
        cell.measured |= self._active is not None
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
        self._stamps.ran({name for taken in new for name in taken.files if name not in self.book})
        if self._store is None:
            return
        try:
            for taken in new:
                earlier = self._earlier.keys() & taken.files.keys()
                cells += [self._earlier.pop(name) for name in sorted(earlier)]
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
        self._refused = ""
        try:
            if measurement is None:
                measurement = self._measurements[options] = self._measurement(options)
                self._reporting_for(options)
            measurement.start(context)
        except (CoverageException, ConfigError, IPyCovError, OSError) as error:
            if new:
                self._measurements.pop(options, None)  # what failed once fails otherwise next
            self._refused = str(error)
            self.say_once(f"ipycov: not measured: {error}")
        else:
            self._active = measurement

    def _measurement(self, options: Options) -> Measurement:
        return Measurement(options, KnownCells(self.book.__contains__, self._multiline_map))

    def _stop(self) -> set[str]:
        active, self._active = self._active, None
        if active is None:
            for measurement in self._measurements.values():
                measurement.rest()
            return set()
        touched = active.stop()
        if active.displaced:
            active.displaced = False
            self.say_once(
                "ipycov: something took Python's trace function in this cell: what ran from there "
                "on is not measured"
            )
        return touched

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
        problems += cov.use(Results(files, self._datas(), _lines_of(reporters)), reporters)
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
        problems += cov.use(Results(files, self._datas(), _lines_of(reporters)), reporters)
        return cov, [*problems, *_unimported(ran.measurement)]

    def never_run(self) -> tuple[str, int]:
        """The name of the notebook file, where it is known, and how many cells it has not run."""
        return self.notebook.never_run(self.book)

    def states(self) -> dict[str, str]:
        """What is to be known of cells beyond their figures, by their names in reports."""
        states = {cell.label: "ran before measuring" for cell in self.book if not cell.measured}
        stale = self.notebook.stale(self.book)
        return states | {cell.label: "stale: edited since it ran" for cell in stale}

    def remarks(self, cov: ReportingCoverage) -> list[str]:
        """Lines on what in the report that `cov` is to make may not be true any more."""
        said = []
        for cell in self.book:
            ready = None if cell.measured else self._ready_for(cov).get(cell.filename)
            if ready is not None and ready.reporter.unmeasured:
                lines = ", ".join(map(str, sorted(ready.reporter.unmeasured)))
                said.append(f"{cell.label}: ran before measuring began: {lines}")
        stale = self.notebook.stale(self.book)
        said += [f"{cell.label} was edited since it ran: run it again" for cell in stale]
        return said + self._stamps.remarks(cov.relative_name)

    def why(self, name: str) -> Answer:
        """Why a cell, a file or a module is measured or not.

        Raises `CannotReport` for options that coverage.py refuses.
        """
        self._read_changes()
        options = self.options()
        try:
            measurement = self._measurements.get(options) or self._measurement(options)
            cov = measurement.deciding()
        except (CoverageException, ConfigError) as error:
            raise CannotReport(str(error)) from error
        return explain(
            name,
            Facts(
                cov,
                options,
                self.book,
                {name: len(data.lines) for name, data in self._collected.files().items()},
                self._unmeasured,
                self._imported_before,
                measuring=self.measuring,
            ),
        )

    def reporter(self, cell: Cell) -> CellReporter | str:
        """The reporter for a cell, or why there is none."""
        cov = self._reporting_for(self.options())
        return self._reporter(cell, cov, cov.exclusions())

    def _ready_for(self, cov: ReportingCoverage) -> dict[str, _Ready]:
        return self._ready.setdefault(cov.exclusions(), {})

    def _reporter(
        self, cell: Cell, cov: ReportingCoverage, exclusions: Exclusions
    ) -> CellReporter | str:
        reporters = self._reporters.setdefault(exclusions, {})
        known = reporters.get(cell.filename)
        if isinstance(known, CellReporter) and (
            known.cell is not cell
            or known.translation is not cell.translation
            or (known.unmeasured and cell.measured)
        ):
            known = None
        if known is None:
            try:
                analysis = CellAnalysis(cell.translation.python, cell.label, exclusions)
            except NotPython as error:
                known = f"it can't be analysed: {error}"
            else:
                unmeasured = frozenset() if cell.measured else self._known_to_have_run(analysis)
                known = CellReporter(cell, cov.base, analysis, unmeasured)
            reporters[cell.filename] = known
        return known

    def _known_to_have_run(self, analysis: CellAnalysis) -> frozenset[int]:
        """The lines of a cell that was not measured which have left what they define."""
        defined = analysis.definitions.items()
        return frozenset(line for line, names in defined if all(map(self._defined, names)))

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
        known = self._ready_for(cov)
        for cell in self.book:
            data = measured.get(cell.filename)
            if data is None or not data.lines:
                if cell.error is not None:
                    problems.append(Problem(cell.label, cell.error))
                continue
            state = (cell, cell.translation, cell.count, cell.measured, data.version)
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


def _lines_of(reporters: Mapping[str, FileReporter]) -> LinesOf:
    """What a measured line stands for in a report: in a cell's, the statement that was typed."""

    def lines_of(file: ReportedFile, line: int) -> Iterable[int]:
        reporter = reporters.get(file.name)
        if not isinstance(reporter, CellReporter):
            return [line]
        return reporter.translate_lines([reporter.cell.typed_line(line)])

    return lines_of


def _unimported(measurement: Measurement) -> list[Problem]:
    return [unimported(name) for name in coverage_internals.unimported_source(measurement.coverage)]


def _said(error: BaseException, cell: Cell) -> str:
    """An error of a cell that did not compile, with the line that the front end shows."""
    if not isinstance(error, SyntaxError) or error.lineno is None:
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}: {error.msg} (line {cell.typed_line(error.lineno)})"
