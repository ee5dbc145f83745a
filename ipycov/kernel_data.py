"""What a kernel covers that coverage.py measures, kept cell by cell until its data file is written.

A kernel that ends writes it all to the data file that coverage.py has saved. One that was killed
has kept it in a store beside that file, from which the next to save writes it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverage import CoverageData

from ipycov import coverage_collector, coverage_files, store
from ipycov.cells import CellBook
from ipycov.notebook_data import Covered, measured_in, write_folded
from ipycov.results import Measured, in_context
from ipycov.store import DIRECTORY, Store, UnreadableStore, merge
from ipycov.taken import measured_from

#: What coverage.py adds to the name of a data file for what was in it, and skips equals by.
_HASH = re.compile(r"\.H\w+h$")


class KernelData:
    """What a kernel covers that `cov` measures: kept cell by cell, folded when it has ended.

    `book` holds its cells; `directory` is where it runs.
    """

    def __init__(self, cov: Any, book: CellBook, directory: str) -> None:
        self._cov = cov
        self.book = book
        self._covered: Covered = {}
        self._said: set[str] = set()
        self._directory = directory
        self._begin()

    def _begin(self) -> None:
        """Begin a file for this process, which none of the cells is in yet."""
        self._pid = os.getpid()
        self._known: dict[int, int] = {}  # how often each has run that is in it
        self._store = Store(_kernels_of(self._cov), ran_in=self._directory)

    def keep(self) -> None:
        """Take what was covered since the last time out of `cov`, and write it down."""
        found = coverage_collector.take(self._cov)
        branch = bool(self._cov.get_option("run:branch"))
        self._keep({name: measured_from(lines, branch) for name, lines in found.items()})

    def take(self, measured: Mapping[str, Measured]) -> None:
        """Keep what another has measured here, of what `cov` measures."""
        branch = bool(self._cov.get_option("run:branch"))
        files = {}
        for name, data in measured.items():
            if coverage_files.would_measure(self._cov, name):
                arcs = data.arcs if data.arcs is not None else {(-1, line) for line in data.lines}
                named = coverage_files.filename_in_data(self._cov, name)
                files[named] = Measured(set(data.lines), set(arcs) if branch else None, -1)
        self._keep(files)

    def put(self, data: CoverageData, found: Mapping[str, Any], arcs: bool) -> None:
        """Put lines, or arcs, into `data`, and keep those of cells, which are none of its files.

        coverage.py may save at any time: at a SIGTERM, in a child, before `os._exit`.
        """
        cells = {name: set(each) for name, each in found.items() if name in self.book}
        others = {name: each for name, each in found.items() if name not in cells}
        if others := {name: each for name, each in others.items() if self._can_report(name)}:
            (data.add_arcs if arcs else data.add_lines)(others)
        self._keep({name: measured_from(each, arcs) for name, each in cells.items()})

    def _keep(self, files: dict[str, Measured]) -> None:
        if os.getpid() != self._pid:
            self._begin()
        context = coverage_collector.context_of(self._cov)
        files = {name: data for name, data in files.items() if self._can_report(name)}
        for name, data in files.items():
            merge(self._covered.setdefault(context, {}), name, data)
        new = [cell for cell in self.book if self._known.get(id(cell)) != cell.runs]
        try:
            self._store.add(new, context, files)
        except OSError as error:
            self._say(f"what cells cover is kept in memory only: {error}")
        else:
            self._known |= {id(cell): cell.runs for cell in new}

    def _can_report(self, name: str) -> bool:
        """Whether a report may find the source: cells that %run took from a notebook have none.

        They have names like those of other cells, in a directory that IPython never makes.
        """
        if name in self.book or os.path.exists(name):
            return True
        return all(os.path.dirname(cell.filename) != os.path.dirname(name) for cell in self.book)

    def _say(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            print(f"ipycov: {message}", file=sys.stderr)

    def fold(self, directories: Sequence[str]) -> None:
        """Write all of it to the data file that `cov` has saved, cells as their notebooks.

        `directories` are where the kernel ran.
        """
        path = self._cov.get_data().data_filename()
        tracers: dict[str, str] = {}
        if os.path.exists(path):
            data = CoverageData(basename=path)
            data.read()
            for context, files in _by_context(data).items():
                for filename, measured in files.items():
                    merge(self._covered.setdefault(context, {}), filename, measured)
            tracers = {name: data.file_tracer(name) or "" for name in data.measured_files()}
            coverage_collector.close(data)
        target = _HASH.sub("", path)
        write_folded(self._cov, self._covered, self.book, directories, target, tracers)
        if target != path and os.path.exists(path):
            os.unlink(path)
        self._store.remove()


def fold_killed_kernels(cov: Any) -> None:
    """Write data files of what kernels covered that were killed before they could."""
    directory = _kernels_of(cov)
    if not os.path.isdir(directory):
        return
    for session in store.read(directory):
        if isinstance(session, UnreadableStore):
            print(f"ipycov: {session}", file=sys.stderr)
        elif not session.lives():
            if session.cut_off:
                print(
                    f"ipycov: the end of {session.path} is left out: it is cut off", file=sys.stderr
                )
            path = f"{os.path.abspath(str(cov.get_option('run:data_file')))}.{session.name}"
            write_folded(cov, session.covered, session.book, [session.ran_in], path, {})
            Path(session.path).unlink(missing_ok=True)
    store.remove_begun(directory)
    store.remove_if_empty(Path(directory))


def _kernels_of(cov: Any) -> str:
    """Where kernels that `cov` measures, or that write beside its data, keep what they cover."""
    data_file = os.path.abspath(str(cov.get_option("run:data_file")))
    return os.path.join(os.path.dirname(data_file), DIRECTORY, "kernels")


def _by_context(data: CoverageData) -> Covered:
    """What a data file has, by context and filename."""
    covered: Covered = {}
    for context in sorted(data.measured_contexts()):
        with in_context(data, context):
            files = {name: measured_in(data, name) for name in data.measured_files()}
        covered[context] = {name: measured for name, measured in files.items() if measured.lines}
    # files of which nothing ran
    listed = {name for files in covered.values() for name in files}
    for name in data.measured_files() - listed:
        covered.setdefault("", {})[name] = Measured(set(), set() if data.has_arcs() else None, -1)
    return covered
