"""Measuring: the only owner of `coverage.Coverage` objects that collect."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import coverage

from ipycov import (
    coverage_beside,
    coverage_collector,
    coverage_files,
    coverage_monitoring,
    coverage_threads,
    coverage_tracers,
)
from ipycov.errors import IPyCovError
from ipycov.measured_data import MeasuredData
from ipycov.options import Options, chosen_core
from ipycov.results import Measured
from ipycov.taken import Taken

#: coverage.py's warnings that say nothing a notebook's user could act on, or that do not hold:
#: each cell is started anew, so that sys.monitoring keeps its contexts; what was never imported
#: is said in the report; and a user's own trace function is theirs to set.
_NEEDLESS_WARNINGS = [
    "no-sysmon-context",
    "no-data-collected",
    "module-not-imported",
    "module-not-measured",
    "module-not-python",
    "trace-changed",
]


#: Newer versions of coverage.py take another id where its own is taken.
_NO_TOOL_ID = (
    "other tools hold the ids of sys.monitoring that coverage.py can use; end them, or use the "
    "core 'ctrace'"
)


_THEIRS_MEASURES = (
    "a coverage.Coverage measures that a cell started with other options of ipycov; stop it first"
)


class CannotMeasure(IPyCovError):
    """A cell can't be measured; the message says why."""


@dataclass
class KnownCells:
    """What measuring must know of cells: which files they are, and their multi-line statements."""

    is_cell: Callable[[str], bool]
    multiline_map: Callable[[str], dict[int, int] | None]


@dataclass
class Measurement:
    """One `coverage.Coverage` that is started and stopped around cells.

    `measured` is what it has collected; `monitors` tells whether that is with sys.monitoring, which
    tells of all threads. `failed` is told of errors of ipycov's own where they would
    be those of the user's code.

    Raises `coverage.exceptions.ConfigError` for options or a config file that coverage.py refuses.
    """

    options: Options
    cells: KnownCells
    failed: Callable[[Exception], None] | None = None

    def __post_init__(self) -> None:
        arguments = self.options.coverage_arguments()
        self.coverage = coverage.Coverage(data_file=None, **arguments)
        disabled = self._option("disable_warnings") or []
        self.coverage.set_option("run:disable_warnings", [*disabled, *_NEEDLESS_WARNINGS])
        # Contexts are the cells; subprocesses and the like are patched by the user's own runs.
        for option, nothing in (("dynamic_context", None), ("context", None), ("patch", [])):
            self.coverage.set_option(f"run:{option}", nothing)
        # Cells change directory; reports name files from where the session began in any case.
        self.coverage.set_option("run:relative_files", False)
        # coverage.py's own ways with processes write data files where the cell runs.
        self.coverage.set_option("run:sigterm", False)
        libraries = [x for x in self._option("concurrency") or [] if x != "multiprocessing"]
        self.coverage.set_option("run:concurrency", libraries)
        self.monitors = self._choose_core()
        self.branch = bool(self._option("branch"))
        data = coverage_collector.load_plugins(self.coverage)
        self.measured = MeasuredData(data, branch=self.branch)
        self._guide: Measurement | None = None
        self._begun = False
        self._suspended = False
        self._resting = False  # suspended, and without its tool id
        self._halted = False
        self._thread_trace: Any = None
        self._threads_theirs: Any = None
        self.displaced = False  # whether another trace function took the place of coverage.py's
        self._threads: coverage_threads.ThreadTracers | None = None
        self._beside: coverage_beside.Beside | None = None
        self._below: coverage_beside.Below | coverage_beside.Beside | None = None
        self._code = coverage_monitoring.MonitoredCode()
        self.for_threads = False  # whether it measures them beside another, which measures all else

    @property
    def core(self) -> str:
        """The core in use once measuring has begun: ctrace, pytrace or sysmon."""
        if self._begun:
            return coverage_tracers.core_name(self.coverage)
        return "sysmon" if self.monitors else "ctrace"

    @property
    def context(self) -> str:
        """What is measured now is called this."""
        return self.measured.context

    def deciding(self) -> coverage.Coverage:
        """The `Coverage`, ready to tell which files it measures though nothing has run."""
        if not self._begun:
            coverage_collector.prepare(self.coverage)
        return self.coverage

    def start(self, context: str, *, for_threads: bool = False) -> None:
        """Measure this thread, and those started from now on, as `context`.

        `for_threads` tells that another is about to be started, which sees no other threads.
        Raises `CannotMeasure` when something else holds what the core needs.
        """
        if self.measures_threads:
            self._take()  # what they ran since the last stop is of the cell that ran last
        self._end_put_off()
        if self._suspended:
            self._go_on()
        else:
            self._begin()
        self.for_threads = for_threads
        self.measured.context, self._guide = context, None

    def label(self, context: str) -> None:
        """Call what is measured from now on `context`, where nothing was since the start."""
        self._take()
        self.measured.context = context

    def file_tracers(self) -> dict[str, str]:
        """The names of other plugins' file tracers, by the files that they measured."""
        return coverage_collector.file_tracers(self.coverage)

    def switch(self, context: str) -> set[str]:
        """Go on measuring as `context`; return the names of the files that have new data."""
        touched = self._take()
        self.measured.context = context
        if self.monitors:
            sys.monitoring.restart_events()  # each line is told once; now it must be told again
        return touched

    def halt(self) -> None:
        """Look on no more, so that what is done until `stop` costs less."""
        if self._halted:
            return
        # Where a cell has started a Coverage of its own, the trace function is that one's.
        if self.monitors:
            coverage_monitoring.halt(self.coverage)
        elif coverage.Coverage.current() is self.coverage or self._side_by_side:
            if _is_coverages(sys.gettrace()):
                sys.settrace(None)
            else:
                self.displaced = True
        self._halted = True

    def stop(self) -> set[str]:
        """Stop measuring and keep the data; return the names of the files that have new data."""
        self.halt()
        self._halted = False
        touched: set[str] = set()
        try:
            touched = self._take()
            if self._beside is not None:
                self._beside.forget_frames()
            if self.monitors:
                self._code.keep(self.coverage)
        finally:  # whatever goes wrong, nothing goes on to measure
            self.for_threads = False
            self._end()
        return touched

    def follow(self, context: str, guide: Measurement) -> set[str]:
        """Measure threads alone, as `context` from now on, while `guide` measures all else.

        What they run is measured with the options that they were started with, in files that
        `guide` measures, which has taken what it saw. Return the names of the files that have new
        data.
        """
        touched = self._take()
        self.measured.context, self._guide = context, guide
        if self.for_threads:
            sys.monitoring.restart_events()
        return touched

    def pass_over(self) -> None:
        """Something has run that was not to be measured: take nothing of it."""
        self._end_put_off()
        if self.measures_threads:
            self._take_out()

    def begin_child(self) -> None:
        """Go on in a process that was forked, without what the parent keeps."""
        self.switch(self.context)
        self.measured.leave()

    def unlock(self) -> None:
        """Let go of every lock: whoever holds one is in another process, or never goes on."""
        threads = self._threads.tracers if self._threads is not None else ()
        coverage_tracers.renew_locks(self.coverage, threads)

    def taken(self) -> list[Taken]:
        """What this child process has measured and not told yet."""
        self._take()
        return self.measured.told()

    def add(self, context: str, files: Mapping[str, Measured]) -> set[str]:
        """Add what a child process has measured; return the names of the files."""
        before, self.measured.context = self.context, context
        names = {coverage_files.filename_in_data(self.coverage, name): name for name in files}
        try:
            for name, child in names.items():
                found, arcs = files[child], files[child].arcs is not None
                self.measured.add_as({name: set(found.arcs or found.lines)}, arcs=arcs)
        finally:
            self.measured.context = before
        return set(names)

    @property
    def measures_threads(self) -> bool:
        """Whether it goes on to measure threads, though it was stopped."""
        return bool(self._threads) or self.for_threads

    def erase(self) -> None:
        """Forget what was measured so far."""
        self._collect()
        self.measured.erase()

    def close(self) -> None:
        """End measuring for good; the data can still be read."""
        self._end_put_off()
        if self._suspended and self._beside is not None:
            self._beside.withdraw()
            self._suspended = False
        if self._threads is not None:
            self._threads.stop()
        if not self._suspended:
            coverage_tracers.let_go(self.coverage)
            if self.monitors:
                coverage_monitoring.forget_callbacks()

    def _take(self) -> set[str]:
        self._collect()
        return self.measured.touched()

    def _collect_before_another_stops(self) -> None:
        try:
            self._collect()
        except Exception as error:  # it is the user's call that stops it
            if self.failed is None:
                raise
            self.failed(error)

    def _collect(self) -> None:
        found = self._take_out()
        if found and self._guide is not None:
            found = self._not_of(found, self._guide)
        self.measured.add(found)
        if self._below is not None and found:
            self._below.give(found, self.branch)
        if self._beside is not None:
            self._beside.collect()

    def _not_of(self, found: dict[str, set[Any]], guide: Measurement) -> dict[str, set[Any]]:
        """Of what was found that which threads ran, in files that `guide` measures."""
        files = {n: f for n, f in found.items() if coverage_files.would_measure(guide.coverage, n)}
        if self.for_threads:  # sys.monitoring has told of all that `guide` saw as well
            seen = guide.measured.new_in(self.context)
            files = {name: lines - seen.get(name, set()) for name, lines in files.items()}
        return {name: each for name, each in files.items() if each}

    def _take_out(self) -> dict[str, set[Any]]:
        """Take what was collected out of coverage.py."""
        ended = self._threads.ended() if self._threads is not None else ()
        found = coverage_collector.take(self.coverage)
        if self._threads is not None:
            self._threads.forget(ended)
        return found

    def _share(self, found: Mapping[str, set[Any]], arcs: bool) -> None:
        """Take what a `Coverage` has collected that a cell started, and that is ours to measure."""
        files = {
            coverage_files.filename_in_data(self.coverage, name): each
            for name, each in found.items()
            if each and coverage_files.would_measure(self.coverage, name)
        }
        self.measured.add_as(files, arcs=arcs)

    def _begin(self) -> None:
        trace = None if self.monitors else sys.gettrace()
        if trace is not None and (coverage.Coverage.current() is None or not _is_coverages(trace)):
            raise CannotMeasure(
                "a debugger or another tool traces this cell and the core "
                f"{self.core!r} can't run beside it"
            )
        self._threads_theirs = _not_coverages(threading.gettrace())
        if not self._begun:
            coverage_collector.prepare(self.coverage)  # now it has what decides on files
            coverage_tracers.register_nothing_at_exit(self.coverage)
            coverage_files.always_measure(self.coverage, self.cells.is_cell)
            self._beside = coverage_beside.Beside(
                self.coverage,
                self._share,
                lambda: not self._suspended and not self.for_threads,
                self.failed,
                ours=True,
            )
            if not self.monitors:
                self._threads = coverage_threads.ThreadTracers(self.coverage)
            else:
                coverage_monitoring.loosen_locks(self.coverage)
            self._begun = True
        if coverage_beside.one_collects_for_another():
            raise CannotMeasure(_THEIRS_MEASURES)
        self._below = coverage_beside.below_one_to_start()
        if self._below is not None:
            self._below.begin(self._collect_before_another_stops)
        if self._threads is not None:
            self._threads.starting_here()
        try:
            self.coverage.start()
        except (ValueError, RuntimeError) as error:
            if not self.monitors:
                raise
            raise CannotMeasure(_NO_TOOL_ID) from error
        try:
            if not self.monitors:
                self._thread_trace = threading.gettrace()
                self._leave_threads_to_others()
                return
            if self.branch:
                coverage_monitoring.know_multiline_statements(
                    self.coverage, self.cells.multiline_map
                )
            self._code.give_back(self.coverage)
        except BaseException:
            self._end()
            raise

    def _go_on(self) -> None:
        if self._resting:
            try:
                coverage_monitoring.go_on(self.coverage)
            except (ValueError, RuntimeError) as error:
                raise CannotMeasure(_NO_TOOL_ID) from error
            self._resting = self._suspended = False
            return
        if self._side_by_side:
            self._trace_anew()
            self._suspended = False
            return
        if self._beside is None or not self._beside.collecting:
            raise CannotMeasure(_THEIRS_MEASURES)
        self._beside.collect(shared=False)
        self._suspended = False
        if sys.version_info >= (3, 12):
            sys.monitoring.restart_events()  # it may tell each line only once

    def _trace_anew(self) -> None:
        """Put a trace function on this thread again, beside a `Coverage` that needs none."""
        if sys.gettrace() is not None:
            raise CannotMeasure(
                f"another tool traces this cell and the core {self.core!r} can't run beside it"
            )
        self._threads_theirs = _not_coverages(threading.gettrace())
        coverage_tracers.drop_tracers(self.coverage)
        # The function that coverage.py has each new thread start with does it for this one.
        sys.settrace(self._thread_trace)
        threading.settrace(self._thread_trace)
        self._leave_threads_to_others()

    def _leave_threads_to_others(self) -> None:
        """Have new threads start with the trace function that was set for them, if one was."""
        if self._threads_theirs is not None:
            threading.settrace(self._threads_theirs)

    @property
    def _side_by_side(self) -> bool:
        """Whether a `Coverage` measures that was started later, and does not take our place."""
        return self._beside is not None and self._beside.side_by_side

    def _end_put_off(self) -> None:
        """End what could not end while another measured that was started later, if that did."""
        if self._suspended and coverage.Coverage.current() is self.coverage:
            self._suspended = self._resting = False
            self._end()

    def _end(self) -> None:
        if coverage.Coverage.current() is not self.coverage:
            self._suspended = True
            if not self.monitors:
                if threading.gettrace() == self._thread_trace:
                    threading.settrace(self._threads_theirs)
            elif coverage_monitoring.is_monitoring(self.coverage):
                self._resting = True
                coverage_monitoring.rest(self.coverage)
            return
        trace, for_threads = sys.gettrace(), threading.gettrace()
        self.coverage.stop()
        if trace is not None and not _is_coverages(trace):
            sys.settrace(trace)  # the user's own, set by the cell
        if for_threads is not None and for_threads == self._thread_trace:
            for_threads = self._threads_theirs
        threading.settrace(for_threads)  # coverage.py leaves none, whatever was there
        if not self.measures_threads:  # they look for their data there
            coverage_collector.forget_flushed(self.coverage)

    def _choose_core(self) -> bool:
        """Have coverage.py use the core that is chosen; tell if it is sys.monitoring."""
        core, monitors = chosen_core(self._option, self.options.core)
        if core is not None:
            self.coverage.set_option("run:core", core)
        return monitors

    def _option(self, name: str) -> Any:
        return self.coverage.get_option(f"run:{name}")


def _not_coverages(trace: Any) -> Any:
    """A trace function that is not one of coverage.py's, else None."""
    return None if trace is None or _is_coverages(trace) else trace


def _is_coverages(trace: Any) -> bool:
    """Whether a trace function is one of coverage.py's."""
    owner = getattr(trace, "__self__", trace)
    return type(owner).__module__.partition(".")[0] == "coverage"
