"""Notebooks in coverage.py's data files, in the place of their cells.

For each notebook whose cells ran, a data file holds

- the notebook itself, its lines those of the `.ipynb` file as it was then;
- a record of each cell's own lines, named by the notebook and a digest of the cell's text, with
  which it is of the cells that have that text from the second on;
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
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from coverage import CoverageData
from coverage.exceptions import CoverageException, NotPython

from ipycov import coverage_collector, coverage_files
from ipycov.analysis import Arc, CellAnalysis, Exclusions
from ipycov.cells import Cell, CellBook
from ipycov.errors import CannotReport
from ipycov.finding import is_copy, notebook_files, notebook_of
from ipycov.folding import NotebookReporter, Part, match
from ipycov.lines import digest
from ipycov.notebooks import Notebook
from ipycov.plugin import NAME
from ipycov.reporters import CellReporter
from ipycov.results import Measured
from ipycov.store import StoredSession, keep_texts

#: The names of records: of a cell, of one whose magic ran its body as Python, and of a layout.
RECORD = re.compile(
    r"(?P<notebook>.*)#(?P<kind>cell|python|layout)=(?P<key>[0-9a-f]+(?:-\d+)?)", re.S
)
#: The names of cells that are in no notebook.
ALONE = re.compile(
    r"(?P<place>.*):In\[(?P<count>\d+)\](?:\.(?P<nested>\d+))?#(?P<digest>[0-9a-f]+)", re.S
)
_ALL = Exclusions("", "")

#: What was covered, by context and by filename.
Covered = dict[str, dict[str, Measured]]


def layout(notebook: Notebook) -> str:
    """What tells where the lines of a notebook's cells stand in its file."""
    stands = repr([(cell.digest, cell.file_lines) for cell in notebook.cells])
    return hashlib.sha1(stands.encode(), usedforsecurity=False).hexdigest()[:16]


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
        if filename in book or tracers.get(filename) == NAME:
            return filename
        return name(os.path.join(directories[0], filename))

    covered = _renamed(covered, from_here)
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
    name = _naming(cov, data_directory)
    folding = _Folding(name, data_directory, lambda notebook: True)
    covered = _renamed(
        session.covered, lambda filename: filename if filename in session.book else name(filename)
    )
    target = CoverageData(basename=data_file)
    try:
        target.read()
        new = CoverageData(no_disk=True)
        folding.fold(covered, new, session.book, [ran_in])
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


def _renamed(covered: Covered, name: Callable[[str], str]) -> Covered:
    return {
        context: {name(filename): data for filename, data in files.items()}
        for context, files in covered.items()
    }


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

        The notebook is looked for in `places`, the first of which is where the kernel ran. What its
        cells had defined before anything was measured has run, though no line of it was seen to.
        """
        measured = {name for files in covered.values() for name in files}
        cells = [cell for cell in book if cell.filename in measured]
        before = [cell for cell in book if cell.defined is not None]
        # cells that a child only knows tell which notebook it is too
        notebook = (
            notebook_of(list(book), notebook_files(places), places[0], _tell) if cells else None
        )
        alone, reporter, name = cells, None, ""
        parts: dict[str, list[Part]] = {}  # several where cells of the notebook have the same text
        if notebook is not None:
            ran = {*cells, *before}
            matched, left = match(notebook, [cell for cell in book if cell in ran])
            alone = [cell for cell in left if cell.filename in measured]
            if not self.wanted(notebook):
                alone, notebook = [], None
            else:
                name = self.name(notebook.path)
                reporter = NotebookReporter(notebook, name, _ALL, matched)
                for part in reporter.parts:
                    for cell in part.ran:
                        parts.setdefault(cell.filename, []).append(part)
        alone = [cell for cell in alone if not cell.is_ours]
        place = self.name(notebook.path if notebook is not None else places[0])
        alone_reporters = dict(_reporters(alone))
        branch = any(data.arcs is not None for files in covered.values() for data in files.values())
        for context, files in covered.items():
            if not files:
                continue
            new.set_context(context or None)
            sink = _Sink(new, branch=branch)
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
                sink.add(name, (), None, ours=True)
                sink.add(f"{name}#layout={layout(reporter.notebook)}", (), None, ours=True)
            sink.flush()
        if reporter is not None:
            for cell in before:
                defined = cell.defined or frozenset()
                for part in parts.get(cell.filename, ()):
                    new.set_context(cell.label)
                    sink = _Sink(new, branch=branch)
                    rows = part.reporter.analysis.ran_before(defined.__contains__)
                    _add_rows(sink, name, reporter, part, cell, rows, None)
                    sink.flush()
        try:
            keep_texts(alone, self.directory)
        except OSError as error:
            print(f"ipycov: no report has the cells in no notebook: {error}", file=sys.stderr)


def _tell(message: str) -> None:
    print(f"ipycov: {message}", file=sys.stderr)


def touch_notebooks(cov: Any) -> None:
    """List the notebooks under the directories of `source`, whether anything of them ran.

    Executed copies of others are left out: what ran is what they were made from.
    """
    data = cov.get_data()
    directory = os.path.dirname(os.path.abspath(data.data_filename()))
    name = _naming(cov, directory)
    sink = _Sink(data, branch=bool(cov.get_option("run:branch")))
    for path in notebook_files(coverage_files.source_directories(cov)):
        if coverage_files.measures_notebook(cov, path) and not is_copy(path, [directory]):
            sink.add(name(path), (), None, ours=True)
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
    _add_rows(sink, name, reporter, part, cell, covered.lines, covered.arcs)


def _add_rows(
    sink: _Sink,
    name: str,
    reporter: NotebookReporter,
    part: Part,
    cell: Cell,
    rows: Set[int],
    arcs: Set[Arc] | None,
) -> None:
    """Add rows of a cell that ran, and arcs between them, to its record and to its notebook's."""
    kind = "python" if cell.python_body else "cell"
    key = reporter.notebook.keys[part.place.number]
    sink.add(f"{name}#{kind}={key}", rows, arcs, ours=True)
    lines = {reporter.file_line(part, row) for row in rows}
    in_file = None if arcs is None else {reporter.file_arc(part, arc) for arc in arcs}
    sink.add(name, lines, in_file, ours=True)


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
    """What is to be put into `new` in one context; each call of coverage.py's is a transaction.

    Where `branch` tells that the data is to have arcs, lines that have none are entered from
    nowhere: some cells may have been measured for lines only.
    """

    def __init__(self, new: CoverageData, *, branch: bool) -> None:
        self._new = new
        self._branch = branch
        self._lines: dict[str, set[int]] = {}
        self._arcs: dict[str, set[Arc]] = {}
        self._ours: set[str] = set()

    def add(
        self, name: str, lines: Iterable[int], arcs: Iterable[Arc] | None, *, ours: bool = False
    ) -> None:
        """Add what ran of a file, which is `ours` to report on or not."""
        if not self._branch:
            self._lines.setdefault(name, set()).update(lines)
        else:
            found = set(arcs or ())
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
