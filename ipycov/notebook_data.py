"""Notebooks in coverage.py's data files, in the place of their cells.

For each notebook whose cells ran, a data file holds

- the notebook itself, its lines those of the `.ipynb` file as it was then;
- a record of each cell's own lines, named by the notebook and a digest of the cell's text;
- a record of the layout that the first has its line numbers from.

A report on a notebook that is laid out as it was takes the first. One that has been saved with
other outputs, or with other cells, is put together from the records of its cells. The records are
files to coverage.py, but none that a report lists.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverage import CoverageData
from coverage.exceptions import CoverageException, NotPython

from ipycov import coverage_collector, coverage_files, store
from ipycov.analysis import Arc, CellAnalysis, Exclusions
from ipycov.cells import Cell, CellBook
from ipycov.errors import CannotReport
from ipycov.finding import notebook_files, notebook_of
from ipycov.folding import NotebookReporter, Part, match
from ipycov.lines import digest
from ipycov.notebooks import Notebook
from ipycov.plugin import NAME
from ipycov.reporters import CellReporter
from ipycov.results import Measured, in_context
from ipycov.store import DIRECTORY, Store, StoredSession, UnreadableStore, keep_texts, merge
from ipycov.taken import measured_from

#: The names of records: of a cell, of one whose magic ran its body as Python, and of a layout.
RECORD = re.compile(r"(?P<notebook>.*)#(?P<kind>cell|python|layout)=(?P<digest>[0-9a-f]+)", re.S)
#: The names of cells that are in no notebook.
ALONE = re.compile(
    r"(?P<place>.*):In\[(?P<count>\d+)\](?:\.(?P<nested>\d+))?#(?P<digest>[0-9a-f]+)", re.S
)
_ALL = Exclusions("", "")

#: What coverage.py adds to the name of a data file for what was in it, and skips equals by.
_HASH = re.compile(r"\.H\w+h$")

#: What was covered, by context and by filename.
Covered = dict[str, dict[str, Measured]]


def layout(notebook: Notebook) -> str:
    """What tells where the lines of a notebook's cells stand in its file."""
    stands = repr([(digest(cell.text), cell.file_lines) for cell in notebook.cells])
    return hashlib.sha1(stands.encode(), usedforsecurity=False).hexdigest()[:16]


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
        self._known: set[int] = set()
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
                files[name] = Measured(set(data.lines), set(arcs) if branch else None, -1)
        self._keep(files)

    def put(self, data: CoverageData, found: Mapping[str, Any], arcs: bool) -> None:
        """Put lines, or arcs, into `data`, and keep those of cells, which are none of its files.

        coverage.py may save at any time: at a SIGTERM, in a child, before `os._exit`.
        """
        cells = {name: set(each) for name, each in found.items() if name in self.book}
        if others := {name: each for name, each in found.items() if name not in cells}:
            (data.add_arcs if arcs else data.add_lines)(others)
        self._keep({name: measured_from(each, arcs) for name, each in cells.items()})

    def _keep(self, files: dict[str, Measured]) -> None:
        if os.getpid() != self._pid:
            self._begin()
        context = coverage_collector.context_of(self._cov)
        for name, data in files.items():
            merge(self._covered.setdefault(context, {}), name, data)
        new = [cell for cell in self.book if id(cell) not in self._known]
        try:
            self._store.add(new, context, files)
        except OSError as error:
            self._say(f"what cells cover is kept in memory only: {error}")
        else:
            self._known |= {id(cell) for cell in new}

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


def _kernels_of(cov: Any) -> str:
    """Where kernels that `cov` measures, or that write beside its data, keep what they cover."""
    data_file = os.path.abspath(str(cov.get_option("run:data_file")))
    return os.path.join(os.path.dirname(data_file), DIRECTORY, "kernels")


def write_folded(
    cov: Any,
    covered: Covered,
    book: CellBook,
    directories: Sequence[str],
    path: str,
    tracers: dict[str, str],
) -> None:
    """Write the data file `path`, whole or not at all."""
    data_directory = os.path.dirname(os.path.abspath(path))
    places = [*directories, data_directory, *coverage_files.source_directories(cov)]
    name = _naming(cov, data_directory)

    def from_here(filename: str) -> str:
        """What the data calls a file that the kernel, with `relative_files`, had from its own."""
        ours = filename in book or tracers.get(filename) == NAME
        if ours or os.path.isabs(filename):
            return filename
        return name(os.path.join(directories[0], filename))

    covered = {
        context: {from_here(filename): data for filename, data in files.items()}
        for context, files in covered.items()
    }
    renamed = {from_here(filename): tracer for filename, tracer in tracers.items()}
    folding = _Folding(
        name,
        data_directory,
        lambda notebook: coverage_files.measures_notebook(cov, notebook.path),
    )
    folded = f"{path}.folded{os.getpid()}"
    new = CoverageData(basename=folded)
    folding.fold(covered, new, book, places)
    new.add_file_tracers(
        {name: tracer for name, tracer in renamed.items() if tracer and name not in book}
    )
    new.write()
    coverage_collector.close(new)
    if os.path.exists(folded):  # nothing was covered otherwise
        os.replace(folded, path)


def combine(session: StoredSession, directory: str, data_file: str, cov: Any) -> None:
    """Add a stored session to the data file `data_file`, which need not exist.

    `directory` is the store. Raises `CannotReport` when the two can't be one.
    """
    ran_in = os.path.dirname(os.path.abspath(directory))
    data_directory = os.path.dirname(os.path.abspath(data_file))
    folding = _Folding(_naming(cov, data_directory), data_directory, lambda notebook: True)
    target = CoverageData(basename=data_file)
    try:
        target.read()
        new = CoverageData(no_disk=True)
        folding.fold(session.covered, new, session.book, [ran_in])
        if target.measured_files() and new.measured_files() and target.has_arcs() != new.has_arcs():
            which = "has branches and the session lines only"
            which = which if target.has_arcs() else "has lines only and the session branches"
            raise CannotReport(f"can't combine into {data_file}: it {which}")
        target.update(new)
        target.write()
    except CoverageException as error:
        raise CannotReport(f"can't combine into {data_file}: {error}") from error
    finally:
        coverage_collector.close(target)


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


@dataclass(frozen=True)
class _Folding:
    """Folds data of cells into data of notebooks.

    `name` gives what the data calls a file, `directory` is where it is; `wanted` tells whether the
    options measure a notebook.
    """

    name: Callable[[str], str]
    directory: str
    wanted: Callable[[Notebook], bool]

    def fold(
        self, covered: Covered, new: CoverageData, book: CellBook, places: Sequence[str]
    ) -> None:
        """Write to `new` what was covered, each cell of `book` as part of its notebook.

        The notebook is looked for in `places`, the first of which is where the kernel ran.
        """
        measured = {name for files in covered.values() for name in files}
        cells = [cell for cell in book if cell.filename in measured]
        # cells that a child only knows tell which notebook it is too
        notebook = notebook_of(list(book), notebook_files(places), places[0]) if cells else None
        alone, reporter, name = cells, None, ""
        parts: dict[str, list[Part]] = {}  # several where cells of the notebook have the same text
        if notebook is not None:
            matched, alone = match(notebook, cells)
            if not self.wanted(notebook):
                alone, notebook = [], None
            else:
                name = self.name(notebook.path)
                reporter = NotebookReporter(notebook, name, _ALL, matched)
                for part in reporter.parts:
                    for cell in part.ran:
                        parts.setdefault(cell.filename, []).append(part)
        place = self.name(notebook.path if notebook is not None else places[0])
        alone_reporters = dict(_reporters(alone))
        for context, files in covered.items():
            if not files:
                continue
            new.set_context(context or None)
            sink = _Sink(new)
            for filename, data in files.items():
                if filename in parts and reporter is not None:
                    for part in parts[filename]:
                        _add_part(sink, name, reporter, part, filename, data)
                elif filename in alone_reporters:
                    cell = alone_reporters[filename].cell
                    shown = alone_reporters[filename].reported(data)
                    alone_name = f"{place}:{cell.label}#{digest(cell.typed)}"
                    sink.add(alone_name, shown.lines, shown.arcs, ours=True)
                elif filename not in book:
                    sink.add(filename, data.lines, data.arcs)
            if reporter is not None:
                arcs = None if all(data.arcs is None for data in files.values()) else ()
                sink.add(name, (), arcs, ours=True)
                sink.add(f"{name}#layout={layout(reporter.notebook)}", (), arcs, ours=True)
            sink.flush()
        try:
            keep_texts(alone, self.directory)
        except OSError as error:
            print(f"ipycov: no report has the cells in no notebook: {error}", file=sys.stderr)


def touch_notebooks(cov: Any) -> None:
    """List the notebooks under the directories of `source`, whether anything of them ran."""
    data = cov.get_data()
    name = _naming(cov, os.path.dirname(os.path.abspath(data.data_filename())))
    arcs = () if cov.get_option("run:branch") else None
    sink = _Sink(data)
    for path in notebook_files(coverage_files.source_directories(cov)):
        if coverage_files.measures_notebook(cov, path):
            sink.add(name(path), (), arcs, ours=True)
    sink.flush()


def _naming(cov: Any, directory: str) -> Callable[[str], str]:
    """How the data file of `cov`, in `directory`, names a file."""

    def name(path: str) -> str:
        path = os.path.realpath(path)
        if cov.get_option("run:relative_files"):
            relative = os.path.relpath(path, os.path.realpath(directory))
            return path if relative.startswith("..") else relative
        return path

    return name


def _add_part(
    sink: _Sink,
    name: str,
    reporter: NotebookReporter,
    part: Part,
    filename: str,
    data: Measured,
) -> None:
    """Add what ran of one cell of the notebook that the data calls `name`."""
    cell = next(cell for cell in part.ran if cell.filename == filename)
    covered = CellReporter(cell, "", part.reporter.analysis).reported(data)
    kind = "python" if cell.python_body else "cell"
    sink.add(f"{name}#{kind}={digest(cell.typed)}", covered.lines, covered.arcs, ours=True)
    lines = {reporter.file_line(part, row) for row in covered.lines}
    arcs = None
    if covered.arcs is not None:
        arcs = {reporter.file_arc(part, arc) for arc in covered.arcs}
    sink.add(name, lines, arcs, ours=True)


def _reporters(cells: Iterable[Cell]) -> Iterator[tuple[str, CellReporter]]:
    """Reporters for the cells that can be analysed, by their filenames."""
    for cell in cells:
        try:
            analysis = CellAnalysis(cell.translation.python, cell.label, _ALL)
        except NotPython:
            continue
        yield cell.filename, CellReporter(cell, "", analysis)


def measured_in(data: CoverageData, filename: str) -> Measured:
    """What a data file has of a file."""
    arcs = set(data.arcs(filename) or ()) if data.has_arcs() else None
    return Measured(set(data.lines(filename) or ()), arcs, -1)


class _Sink:
    """What is to be put into `new` in one context; each call of coverage.py's is a transaction."""

    def __init__(self, new: CoverageData) -> None:
        self._new = new
        self._lines: dict[str, set[int]] = {}
        self._arcs: dict[str, set[Arc]] = {}
        self._ours: set[str] = set()

    def add(
        self, name: str, lines: Iterable[int], arcs: Iterable[Arc] | None, *, ours: bool = False
    ) -> None:
        """Add what ran of a file, which is `ours` to report on or not."""
        if arcs is None:
            self._lines.setdefault(name, set()).update(lines)
        else:
            found = set(arcs)
            in_arcs = {line for arc in found for line in arc}
            # a line that was left by an exception has no arc but the one that entered it
            found.update((-1, line) for line in lines if line not in in_arcs)
            self._arcs.setdefault(name, set()).update(found)
        if ours:
            self._ours.add(name)

    def flush(self) -> None:
        """Put it there."""
        if self._lines:
            self._new.add_lines(self._lines)
        if self._arcs:
            self._new.add_arcs(self._arcs)
        self._new.add_file_tracers(dict.fromkeys(self._ours, NAME))
