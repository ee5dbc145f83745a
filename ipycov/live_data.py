"""The data of a `Coverage` that a cell has made, such as pytest-cov's: cells are `In[n]` in it.

Code that ran before it was made is found by its name. What it collects is put into its data by the
lines that were typed; a record beside each cell tells its text from others of that number.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from coverage import CoverageData
from coverage.exceptions import NotPython

from ipycov import coverage_collector, coverage_files, coverage_reports
from ipycov.analysis import CellAnalysis, Exclusions
from ipycov.cells import Cell
from ipycov.lines import digest
from ipycov.plugin import NAME
from ipycov.reporters import CellReporter, StoredCellReporter
from ipycov.shell_cells import Found, ShellCells
from ipycov.store import keep_texts, kept_text
from ipycov.taken import measured_from

#: The names of cells: the place is the directory that the kernel stood in.
LIVE = re.compile(r"(?:.*[/\\])?In\[(?P<count>\d+)\](?:\.(?P<nested>\d+))?", re.S)
#: The names of the records of their texts, and of those whose magic ran its body as Python.
TEXT = re.compile(r"(?P<cell>.*)#(?P<kind>text|body)=(?P<digest>[0-9a-f]+)", re.S)

_ALL = Exclusions("", "")


class LiveData:
    """What `cov` collects in the process of `shell`."""

    def __init__(self, cov: Any, shell: Any) -> None:
        self._cov = cov
        self._cells = ShellCells(shell)
        self._named: dict[str, tuple[str, Found, CellReporter] | None] = {}

    def attach(self) -> None:
        """Measure the cells of the shell, and have them in the data as they are reported."""
        coverage_collector.put_collected(self._cov, self._cells.__contains__, self.put)
        coverage_collector.after_saving(self._cov, self.keep_texts)

    def put(self, data: CoverageData, found: Mapping[str, Any], arcs: bool) -> None:
        """Put lines, or arcs, of code into `data`."""
        together: dict[str, set[Any]] = {}
        records: dict[str, str] = {}
        for filename, collected in found.items():
            named = self._name(filename)
            if named is None:
                together.setdefault(filename, set()).update(collected)
                continue
            name, cell, reporter = named
            typed = reporter.typed(measured_from(set(collected), arcs), cell.typed_line)
            together.setdefault(name, set()).update((typed.arcs or ()) if arcs else typed.lines)
            kind = "body" if cell.cell.python_body else "text"
            records[name] = f"{name}#{kind}={digest(cell.cell.typed)}"
        if arcs:
            data.add_arcs(together)
        else:
            data.add_lines(together)
        if records:
            data.add_file_tracers(dict.fromkeys(records, NAME))
            data.touch_files(records.values(), NAME)

    def keep_texts(self, cov: Any) -> None:
        """Keep the texts of the cells where a report in another process finds them."""
        data = cov.get_data()
        if not coverage_collector.is_on_disk(data):
            return
        cells = [named[1].cell for named in self._named.values() if named is not None]
        try:
            keep_texts(cells, os.path.dirname(os.path.abspath(data.data_filename())))
        except OSError as error:
            why = error.strerror or error
            print(f"ipycov: only this kernel can report on its cells: {why}", file=sys.stderr)

    def _name(self, filename: str) -> tuple[str, Found, CellReporter] | None:
        """What the data calls a cell, None for what is none.

        A name stays: the cell may run again, under another number, before all is collected.
        """
        if filename not in self._named:
            self._named[filename] = self._new_name(filename)
        return self._named[filename]

    def _new_name(self, filename: str) -> tuple[str, Found, CellReporter] | None:
        found = self._cells.find(os.path.abspath(filename))
        if found is None:
            return None
        try:
            analysis = CellAnalysis(found.cell.translation.python, found.cell.label, _ALL)
        except NotPython:
            return None
        name = os.path.join(os.path.realpath(os.getcwd()), found.cell.label)
        if self._cov.get_option("run:relative_files"):
            name = coverage_files.relative_filename(name)
        return name, found, CellReporter(found.cell, "", analysis)


def reporter(cov: Any, shell: Any, filename: str) -> StoredCellReporter | str:
    """The reporter for a cell in the data of `cov`, or why there is none.

    Its text is that of `shell`, where there is one and it has the cell, else the one that is kept.
    """
    data = cov.get_data()
    named = (TEXT.fullmatch(name) for name in data.measured_files())
    records = [record for record in named if record and record["cell"] == filename]
    if len({record["digest"] for record in records}) != 1:
        return "cells of several kernels have this number; it is left out"
    text = records[0]["digest"]
    place = LIVE.fullmatch(filename)
    count = int(place["count"]) if place else 0
    found = ShellCells(shell).typed_as(count, text) if shell is not None else None
    if found is not None:
        typed, compiled = found.cell.typed, found.cell.compiled
    else:
        directory = os.path.dirname(os.path.abspath(data.data_filename()))
        kept = kept_text(text, directory)
        if kept is None:
            return "its text is not kept; it is left out"
        typed, compiled = kept, None
    body = any(record["kind"] == "body" for record in records)
    cell = Cell(filename, typed, compiled, count=count, python_body=body)
    exclusions = coverage_reports.exclusions(cov)
    analysis = CellAnalysis(cell.translation.python, cell.label, exclusions)
    return StoredCellReporter(cell, filename, os.path.basename(filename), analysis)
