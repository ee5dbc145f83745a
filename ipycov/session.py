"""A session: runs the cells of one shell measured, and keeps what they covered.

It is told when a cell begins and ends and knows no shell.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from coverage.exceptions import ConfigError, CoverageException

from ipycov import coverage_monitoring, coverage_tracers
from ipycov.cells import Cell, CellBook
from ipycov.children import Children
from ipycov.compiler import CellCompiler, Run
from ipycov.directories import standing_in
from ipycov.errors import CannotReport, IPyCovError, refusal
from ipycov.interrupts import PutOff
from ipycov.keeping import Keeper
from ipycov.measure import KnownCells, Measurement
from ipycov.measurements import Measurements
from ipycov.options import Options
from ipycov.ran import Ran
from ipycov.results import PART, TEST
from ipycov.session_reports import SessionReports
from ipycov.store import Store
from ipycov.taken import Taken
from ipycov.why import Answer, Facts, explain

T = TypeVar("T")

#: Cells of up to this many lines are analysed when they have run, so that the first report over
#: many cells is as quick as the next.
_ANALYSED_AT_ONCE = 100


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
        self._say = say
        self._said: set[str] = set()
        self.book = CellBook()
        self._keeper = Keeper(store, self.say_once, defined)
        self.compiler = CellCompiler(
            self.book,
            self.guarded(self._named),
            self._runs,
            failed=self.say_own_error,
        )
        self.measuring = True
        self._measurements = Measurements(self._measurement)
        self.reports = SessionReports(
            options, self.book, self._measurements, self._take_in, defined
        )
        self._wanted: Options | None = None  # what the cell that has begun is to be measured with
        self._running: list[Ran] = []
        self._parts = 0
        self._unmeasured: dict[str, str] = {}
        self._imported_before = frozenset(sys.modules)
        self._children = Children(
            self._forked, self._taken, self._measurements.unlock, lambda: self._active
        )

    def ran_before(self, name: str, typed: str, compiled: str, count: int) -> None:
        """A cell that ran before this session began, whose code is compiled under `name`."""
        self._keeper.ran(self.compiler.add_earlier(name, typed, compiled, count))

    def begin(
        self,
        typed: str,
        id: str | None,
        options: Options | None = None,
        *,
        counted: bool = True,
        early: bool = False,
    ) -> None:
        """A cell begins. `options` are those of a cell that is to be measured in any case.

        `counted` tells whether the shell counts it. Measuring starts when the cell's first
        statement is compiled, so that it does not look on while IPython and ipycov get there;
        `early` tells that something of the user's may run before.
        """
        outer = self._running[0].cell if self._running else None
        self.compiler.expected = Run(typed, id, outer.count if outer else None, counted)
        self._running.append(Ran(None, "", asked=options is not None, typed=typed))
        if len(self._running) > 1:
            return
        self.reports.refused = ""
        self._wanted = options
        if options is None and self.measuring:
            self._wanted = self.options()
        if early:
            self._start_wanted(self._running[0])

    def end(
        self, typed: str, error: BaseException | None = None, *, failed: bool = False
    ) -> Ran | None:
        """A cell has ended, with `error` if it did not compile. Return what it covered.

        `failed` tells that an error ended it.
        """
        if all(ran.typed != typed for ran in self._running):
            return None  # IPython tells the end of an empty cell, but not its beginning
        if len(self._running) == 1:
            self._measurements.halt()
        with PutOff():
            return self._end(typed, error, failed)

    def _end(self, typed: str, error: BaseException | None, failed: bool) -> Ran:
        while (ran := self._running.pop()).typed != typed:
            pass
        if failed:
            self.reports.failed.update(ran.contexts())
        if ran.cell is not None and error is not None:
            self.book.did_not_compile(ran.cell, f"it did not compile: {_said(error, ran.cell)}")
        if self._running:
            ran.measurement = self._active
            if self._active is not None and ran.asked:
                ran.touched |= self._measurements.switch(self._running[-1].context)
                self._running[-1].touched |= ran.touched
                if ran.cell is self._running[-1].cell:
                    self._running[-1].asked = False  # it has been shown
            return ran
        self._start_wanted(ran)  # where it has no statement: it is measured, to nothing
        ran.measurement = self._active
        ran.touched |= self._stop() | self._take_in_children()
        self._keep()
        if ran.measurement is None:
            if ran.cell is not None:
                self._unmeasured[ran.cell.filename] = (
                    self.reports.refused or "measuring was off when it ran"
                )
            return ran
        if ran.cell is not None and ran.cell.typed.count("\n") < _ANALYSED_AT_ONCE:
            self.reports.prepare(ran.cell, ran.measurement.options)
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
            outer.touched |= self._measurements.switch(ran.context)
        ran.measurement = self._active
        return ran

    def end_line(self, ran: Ran, resume: bool) -> None:
        """The line has ended; `resume` says whether the rest of the cell is measured."""
        outer = self._running[-1] if self._running else Ran(None, "")
        if self._active is None:
            return
        if resume and self._active.options == self.options():
            ran.touched |= self._measurements.switch(outer.context)
            return
        ran.touched |= self._stop()
        if resume:
            self._start(self.options(), outer.context)

    def begin_test(self, name: str) -> None:
        """A test begins, which the running cell runs."""
        if self._active is not None and self._running:
            outer = self._running[0]
            context = f"{outer.context}{TEST}{name}"
            outer.touched |= self._measurements.switch(context)
            if context not in outer.parts:
                outer.parts.append(context)

    def end_test(self) -> None:
        """The test has ended."""
        if self._active is not None and self._running:
            outer = self._running[0]
            outer.touched |= self._measurements.switch(outer.context)

    @property
    def running(self) -> bool:
        """Whether a cell has begun whose end was not told."""
        return bool(self._running)

    def abandon(self) -> None:
        """Take cells that have begun as ended: an interrupt kept the shell from telling it."""
        with PutOff():
            ran = self._running[0]
            self.reports.failed.update(ran.contexts())
            self._running.clear()
            self._wanted = None
            ran.touched |= self._stop()
            self._keep()

    @property
    def _active(self) -> Measurement | None:
        return self._measurements.active

    @property
    def active(self) -> bool:
        """Whether code is being measured now."""
        return self._active is not None

    def untraced(self, call: Callable[[], T]) -> T:
        """Call `call`, which runs nothing of the user's, without the cost of being measured."""
        return coverage_tracers.untraced(call)

    def erase(self) -> None:
        """Forget everything that was measured."""
        running, options = self._active, self._active.options if self._active else None
        self._stop()
        self._measurements.erase()
        self.reports.erase()
        self._keeper.erase()
        for cell in self.book:
            cell.error = None
        if running is not None and options is not None:
            self._start(options, self._running[-1].context if self._running else "")

    def close(self) -> None:
        """Stop measuring for good."""
        self.measuring = False
        with ExitStack() as stack:  # each of them, whatever goes wrong with another
            stack.callback(self._forget_cells)
            for measurement in self._measurements.values():
                stack.callback(measurement.close)
            stack.callback(self._pass_on)
            stack.callback(self._stop)
            stack.callback(self._children.close)
            stack.callback(self._keeper.close)

    def _forget_cells(self) -> None:
        """Free the cells: what is left refers to itself, and Python may collect it much later."""
        self.book.clear()
        self.compiler.forget_cells()
        self.reports.forget_cells()

    def why(self, name: str) -> Answer:
        """Why a cell, a file or a module is measured or not.

        Raises `CannotReport` for options that coverage.py refuses.
        """
        options = self.options()
        try:
            measurement = self._measurements.get(options) or self._measurement(options)
            cov = measurement.deciding()
        except (CoverageException, ConfigError, OSError) as error:
            raise CannotReport(refusal(error)) from error
        return explain(
            name,
            Facts(
                cov,
                options,
                self.book,
                self.reports.lines_run(),
                self._unmeasured,
                self.reports.stamps.states(),
                self._imported_before,
                measuring=self.measuring,
            ),
        )

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
                self.say_own_error(error)

        return guarded

    def say_own_error(self, error: Exception) -> None:
        """Tell the user of an error of ipycov's, which spares their cell."""
        self.say_once(
            f"ipycov: an error of its own, please report it: "
            f"{type(error).__name__}: {error}; this cell may not be measured"
        )

    def _named(self, cell: Cell) -> None:
        if not self._running:
            return
        ran = self._running[-1]
        cell.ran = time.time()
        cell.measured |= self._active is not None
        self._keeper.ran(cell)
        if cell.file is not None:
            return  # it runs within the cell with %run, as a module's code would
        ran.cell = cell
        outermost = len(self._running) == 1
        ran.context = self._running[0].context or cell.label
        if ran.asked and not outermost:
            ran.context = self._part_of(ran.context)
        if outermost and self._active is not None:
            self._measurements.label(ran.context)
        elif self._active is not None and ran.asked:
            self._running[-2].touched |= self._measurements.switch(ran.context)

    def _keep(self) -> None:
        """Keep what was covered where it outlives the kernel."""
        new = self._pass_on()
        self.reports.stamps.ran(
            {name for taken in new for name in taken.files if name not in self.book}
        )
        self._keeper.keep(new)

    def _pass_on(self) -> list[Taken]:
        """What was measured since the last time, once coverage.py has it that measures us too."""
        new = [taken for each in self._measurements.values() for taken in each.measured.new()]
        for taken in new:
            self.compiler.pass_on(taken.measured)
        return new

    def _forked(self) -> bool:
        """In a process that a cell has forked: go on measuring, if this cell is measured."""
        self._keeper.stop()
        self._say = lambda message: None
        self._measurements.begin_child()
        return self._active is not None

    def _taken(self) -> list[Taken]:
        return self._measurements.taken()

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

    def _take_in(self) -> None:
        """Have the measurements hold what has run by now, in this process and in its children."""
        self._take_in_children()
        if self._active is not None and self._running:
            self._running[-1].touched |= self._measurements.switch(self._running[-1].context)

    def _part_of(self, context: str) -> str:
        """A context for a part of what `context` names, to be shown by itself."""
        self._parts += 1
        part = f"{context}{PART}{self._parts}"
        if self._running:
            self._running[0].parts.append(part)
        return part

    def _runs(self, cell: Cell) -> None:
        """A statement of a cell is about to run."""
        if self._wanted is not None and self._running:
            self.guarded(self._start_wanted)(self._running[0])

    def _start_wanted(self, ran: Ran) -> None:
        """Start to measure what has begun, if that is wanted and was not done."""
        if self._wanted is not None:
            with PutOff():
                wanted, self._wanted = self._wanted, None
                self._start(wanted, ran.context)
        if ran.cell is not None:
            ran.cell.measured |= self._active is not None

    def _start(self, options: Options, context: str) -> None:
        new = options not in self._measurements
        self.reports.refused = ""
        try:
            if new:
                self._measurements.add(options)
                self.reports.coverage_for(options)
            self._measurements.start(options, context)
        except (CoverageException, ConfigError, IPyCovError, OSError) as error:
            if new:
                self._measurements.drop(options)  # what failed once fails otherwise next
            self.reports.refused = refusal(error)
            self.say_once(f"ipycov: not measured: {self.reports.refused}")

    def _measurement(self, options: Options) -> Measurement:
        cells = KnownCells(self.book.__contains__, self._multiline_map)
        with standing_in(self.reports.base):
            return Measurement(options, cells, self.say_own_error)

    def _stop(self) -> set[str]:
        active = self._active
        touched = self._measurements.stop()
        if active is not None and active.displaced:
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
            return coverage_monitoring.multiline_map("\n".join(rows[first[0].line - 1 :]))
        return coverage_monitoring.multiline_map(cell.compiled)


def _said(error: BaseException, cell: Cell) -> str:
    """An error of a cell that did not compile, with the line that the front end shows."""
    if not isinstance(error, SyntaxError) or error.lineno is None:
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}: {error.msg} (line {cell.typed_line(error.lineno)})"
