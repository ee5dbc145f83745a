"""How long it takes to fold kernels' cells into notebooks, beside coverage.py's own work."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import coverage
import nbformat
from coverage import CoverageData

from ipycov import notebook_data
from ipycov.cells import CellBook
from ipycov.results import Measured
from ipycov.store import Store

CELL = """\
def f_{0}(x):
    if x:
        y = {0}
    else:
        y = 2
    return y


f_{0}(1)
z = {0}"""
RAN = {1, 2, 3, 6, 9, 10}
NOTEBOOKS, CELLS = 100, 50


@dataclass(frozen=True)
class FoldingTimes:
    """Seconds for all notebooks, and for as many modules; milliseconds for a write after a cell."""

    fold: float
    modules: float
    write_after_10: float
    write_after_1000: float


def folding_times(directory: Path) -> FoldingTimes:
    """Measure on this machine, in `directory`."""
    return FoldingTimes(
        _seconds(lambda: _fold(directory / "notebooks")),
        _seconds(lambda: _combine(directory / "modules")),
        *_writes(directory / "store"),
    )


def _seconds(work: Callable[[], Callable[[], None]]) -> float:
    timed = work()
    start = time.perf_counter()
    timed()
    return time.perf_counter() - start


def _fold(directory: Path) -> Callable[[], None]:
    """Write notebooks; return what folds a kernel's cells into each of them."""
    kernels = []
    for notebook in range(NOTEBOOKS):
        texts = [CELL.format(notebook * CELLS + cell) for cell in range(CELLS)]
        path = directory / str(notebook) / "a.ipynb"
        path.parent.mkdir(parents=True)
        cells = [nbformat.v4.new_code_cell(text) for text in texts]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        book = CellBook()
        covered = {}
        for count, text in enumerate(texts, 1):
            filename = f"/tmp/ipykernel_{notebook}/{count}.py"
            book.add(filename, text, text, None, count)
            covered[filename] = Measured(set(RAN), None, -1)
        kernels.append((path.parent, book, covered))
    cov = coverage.Coverage(data_file=str(directory / ".coverage"), config_file=False)

    def fold() -> None:
        for number, (place, book, covered) in enumerate(kernels):
            notebook_data.write_folded(
                cov, {"": covered}, book, [str(place)], str(place / f".coverage.{number}"), {}
            )

    return fold


def _combine(directory: Path) -> Callable[[], None]:
    """Write as many modules of the same size; return coverage.py's `combine` and `xml` of them."""
    directory.mkdir()
    base = directory / ".coverage"
    for module in range(NOTEBOOKS):
        texts = [CELL.format(module * CELLS + cell) for cell in range(CELLS)]
        path = directory / f"m{module}.py"
        path.write_text("\n".join(texts) + "\n")
        data = CoverageData(basename=f"{base}.{module}")
        data.add_lines({str(path): [line + 10 * cell for cell in range(CELLS) for line in RAN]})
        data.write()
    cov = coverage.Coverage(data_file=str(base), config_file=False)

    def combine() -> None:
        cov.combine([str(directory)])
        cov.save()
        cov.xml_report(outfile=os.devnull)

    return combine


def _writes(directory: Path) -> tuple[float, float]:
    """Median milliseconds to write a cell down, after 10 cells and after 1000."""
    store = Store(str(directory))
    book = CellBook()
    took = []
    for count in range(1, 1101):
        text = CELL.format(count)
        cell = book.add(f"/tmp/ipykernel_1/{count}.py", text, text, None, count)
        start = time.perf_counter()
        store.add([cell], f"In[{count}]", {cell.filename: Measured(set(RAN), None, -1)})
        took.append((time.perf_counter() - start) * 1000)
    store.close()
    return statistics.median(took[10:110]), statistics.median(took[1000:])
