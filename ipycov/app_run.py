"""`ipycov run`: run notebooks and report them."""

from __future__ import annotations

import glob
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from traitlets import Bool, Float, Int, List, Unicode

from ipycov import coverage_files, notebooks, running
from ipycov.app_command import (
    CELL_RAISED,
    INTERRUPTED,
    OK,
    TERMINATED,
    ReportingCommand,
    Usage,
    aliases_for,
    flags_for,
)
from ipycov.errors import BadNotebook
from ipycov.finding import notebook_files
from ipycov.gathering import Gathered
from ipycov.notebooks import Notebook
from ipycov.options import Options, separated
from ipycov.progress import Bars
from ipycov.report import ReportingCoverage, check_writable
from ipycov.view import seen


class RunApp(ReportingCommand):
    """Run notebooks and report the coverage of their cells and of the modules they import.

    Notebooks are files, directories that hold them, or patterns. Each runs in its own kernel and
    directory; the file is left as it is. Exits with 1 when a cell raised (the report is made all
    the same), with 2 for bad usage, for a notebook that can't be run, and for coverage under
    --fail-under.
    """

    name = "ipycov run"
    examples = """
    ipycov run analysis.ipynb                   # run it and print the report
    ipycov run notebooks -j 2 --branch          # all in a directory, two at a time
    """

    branch = Bool(None, allow_none=True, help="Measure branches as well as lines.").tag(config=True)
    source = List(
        Unicode(), help="Directories and packages to measure; cells are always measured."
    ).tag(config=True)
    include = List(Unicode(), help="Patterns of module files to measure.").tag(config=True)
    omit = List(Unicode(), help="Patterns of module files not to measure.").tag(config=True)
    timeout = Float(
        None, allow_none=True, help="Seconds that a notebook may take; without it, any time."
    ).tag(config=True)
    cell_timeout = Float(
        None, allow_none=True, help="Seconds that a cell may take; without it, any time."
    ).tag(config=True)
    jobs = Int(1, min=1, help="How many notebooks to run at a time.").tag(config=True)
    output_dir = Unicode(help="Write the executed notebooks to this directory.").tag(config=True)

    aliases = {  # noqa: RUF012 - traitlets declares it so
        **aliases_for(
            "RunApp",
            *("source", "include", "omit", "timeout", "cell_timeout", "jobs", "output_dir"),
            *ReportingCommand.reporting_aliases,
        ),
        "j": "RunApp.jobs",
    }

    def start(self) -> int:  # type: ignore[override]
        """Run the notebooks named on the command line and report; return the exit code."""
        if not self.extra_args:
            raise Usage("name at least one notebook: ipycov run NOTEBOOK ...")
        running.require_runner()
        read = [self._read(path) for path in self._paths()]
        found = [notebook for notebook in read if notebook is not None]
        with running.nothing_logged():
            documents = [running.read_document(notebook.path) for notebook in found]
        self.check_targets()
        self._check_copies(found)
        options = self._options()
        cov = ReportingCoverage(**options.for_reporting().coverage_arguments())
        gathered = Gathered(cov)
        code = self._run(found, documents, options, gathered)
        gathered.add_unexecuted(options)
        gathered.expect(package for package in options.source or () if not os.path.isdir(package))
        for problem in gathered.use():
            print(seen(str(problem)), file=sys.stderr)
        reported = self.report(cov, gathered.notes)
        return code or reported

    def _run(
        self,
        found: Sequence[Notebook],
        documents: Sequence[Any],
        options: Options,
        gathered: Gathered,
    ) -> int:
        """Run the notebooks, as many at a time as asked for, and gather what they covered."""
        code = OK
        limits = running.Limits(self.timeout, self.cell_timeout)
        interrupted: int | None = None
        with ExitStack() as stack:
            stores = [
                stack.enter_context(tempfile.TemporaryDirectory(prefix="ipycov_")) for _ in found
            ]
            bars = stack.enter_context(Bars(len(found)))
            stack.enter_context(running.nothing_logged())
            pool = stack.enter_context(ThreadPoolExecutor(self.jobs))
            stop = running.Stop()
            stack.enter_context(_ended_by_sigterm())
            runs = [
                pool.submit(
                    running.run,
                    running.Request(
                        notebook, document, options, store, limits, self.output_dir or None
                    ),
                    bars.progress(notebook.path),
                    stop,
                )
                for notebook, document, store in zip(found, documents, stores, strict=True)
            ]
            try:
                for run in runs:
                    run.result()
            except KeyboardInterrupt as error:
                interrupted = TERMINATED if isinstance(error, _Terminated) else INTERRUPTED
                stop.set()
            for notebook, store, run in zip(found, stores, runs, strict=True):
                outcome = run.result()
                gathered.add_run(notebook, store)
                for note in outcome.notes:
                    bars.write(f"{notebook.path}: {note}", sys.stderr)
                if outcome.error is not None:
                    bars.write(f"{notebook.path}: {outcome.error}", sys.stdout)
                    code = CELL_RAISED
        return code if interrupted is None else interrupted

    def _paths(self) -> Iterator[str]:
        """The notebook files that the arguments name, each once."""
        seen: set[str] = set()
        for argument in self.extra_args:
            paths = [argument]
            if os.path.isdir(argument):
                paths = [
                    os.path.relpath(path)
                    for path in notebook_files([argument])
                    if not self._is_copy(path)
                ]
            elif not os.path.exists(argument) and glob.has_magic(argument):
                paths = sorted(glob.glob(argument, recursive=True))
            if not paths:
                raise Usage(f"{argument} holds no notebook")
            for path in paths:
                if os.path.realpath(path) not in seen:
                    seen.add(os.path.realpath(path))
                    yield path

    def _is_copy(self, path: str) -> bool:
        """Whether a file is where earlier runs have written what they executed."""
        directory = os.path.realpath(self.output_dir) + os.sep
        return bool(self.output_dir) and os.path.realpath(path).startswith(directory)

    def check_targets(self) -> None:
        """Raise `IPyCovError` when what is asked for can't be done."""
        super().check_targets()
        for name, value in (("timeout", self.timeout), ("cell-timeout", self.cell_timeout)):
            if value is not None and not value > 0:
                raise Usage(f"--{name} takes a number of seconds above 0, not {value:g}")
        if self.output_dir:
            check_writable("html", self.output_dir, "the executed notebooks")

    def _check_copies(self, found: Sequence[Notebook]) -> None:
        """Raise `Usage` where an executed copy would take the place of another notebook."""
        taken = {os.path.realpath(notebook.path): notebook.path for notebook in found}
        for notebook in found if self.output_dir else ():
            copy = os.path.realpath(running.output_path(notebook.path, self.output_dir))
            if copy in taken:
                raise Usage(
                    f"--output-dir {self.output_dir}: the executed copy of {notebook.path} would "
                    f"take the place of {taken[copy]}; name another directory"
                )
            taken[copy] = f"that of {notebook.path}"

    def _read(self, path: str) -> Notebook | None:
        notebook = notebooks.read(path)
        if not notebook.is_python:
            said = f"{path} is a notebook in {notebook.language}, not in Python"
            if path in self.extra_args:
                raise BadNotebook(f"{said}; leave it out")
            print(f"{seen(said)}: left out", file=sys.stderr)
            return None
        if not notebook.keeps_lines:
            print(
                f"{seen(path)}: the file does not keep each source line on a line of its own, so "
                "line numbers count the lines of its code cells",
                file=sys.stderr,
            )
        return notebook

    def _options(self) -> Options:
        """What kernels are to measure: what is asked for here, else what the configuration says.

        Kernels run elsewhere, so that paths are made absolute.
        """
        here = ReportingCoverage()
        config_file = coverage_files.config_file(here)

        def paths(given: Sequence[str], option: str) -> tuple[str, ...] | None:
            configured = here.get_option(f"run:{option}")
            values = given or (configured if isinstance(configured, list) else ())
            return tuple(_absolute(name, option) for name in separated(values)) or None

        return Options(
            branch=self.branch,
            source=paths(self.source, "source"),
            include=paths(self.include, "include"),
            omit=paths(self.omit, "omit"),
            config_file=os.path.abspath(config_file) if config_file else False,
        )


RunApp.flags = flags_for(RunApp, "RunApp", "branch", *ReportingCommand.reporting_flags)


class _Terminated(KeyboardInterrupt):
    """The process was asked to end."""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM, as a CI service sends it, interrupt: what was run by then is reported.

    Only the main thread is sent signals; elsewhere it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _absolute(value: str, option: str) -> str:
    """A path for a kernel that runs elsewhere; packages and patterns stay what they are."""
    if option == "source":
        return os.path.abspath(value) if os.path.isdir(value) else value
    return value if value.startswith(("*", "?")) else os.path.abspath(value)
