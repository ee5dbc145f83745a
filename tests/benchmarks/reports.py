"""How long a report over many cells takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cells import ten_lines
from client import TimedKernel

CELLS = 1000

#: Runs the modules m0.py to m999.py, then prints the seconds of coverage.py's report over them.
COVERAGE_REPORT = """
import io, sys, time, coverage
branch, count = sys.argv[1] == "True", int(sys.argv[2])
sys.path.insert(0, "")
cov = coverage.Coverage(branch=branch, config_file=False, include=["m*.py"])
cov.start()
for number in range(count):
    __import__(f"m{number}")
cov.stop()
cov.save()
cov = coverage.Coverage(branch=branch, config_file=False)
cov.load()
begun = time.perf_counter()
cov.report(file=io.StringIO())
print(time.perf_counter() - begun)
"""


#: Has the seconds of each inline view that is rendered printed.
TIME_VIEWS = """
import time
import ipycov.covered, ipycov.inline

def timed(module, name, last=False):
    function = getattr(module, name)
    def call(*args, **kwargs):
        begun = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            taken.append(time.perf_counter() - begun)
            if last:
                print("took", sum(taken))
                taken.clear()
    setattr(module, name, call)

taken = []
timed(ipycov.covered, "by_run")
timed(ipycov.covered, "reported")
timed(ipycov.inline, "run", last=True)
timed(ipycov.inline, "report", last=True)
"""


@dataclass(frozen=True)
class ReportTimes:
    """Seconds of the table over the cells, first and after one further cell.

    `live` is what a cell takes longer while the live view is shown. `coverage` is what coverage.py
    takes over the same cells as modules. `view_of_cell` is what rendering the inline view of a new
    cell of 50 lines takes, `view_of_all` that of all cells,
    and `view_of_all_again` when it was made before.
    """

    first: float
    again: float
    live: float
    coverage: float
    view_of_cell: float
    view_of_all: float
    view_of_all_again: float


def report_times(directory: Path, branch: bool, rounds: int) -> ReportTimes:
    """Time the reports; `rounds` is how often each is made, in turn, in processes of their own."""
    for number in range(CELLS):
        (directory / f"m{number}.py").write_text(ten_lines(number) + "\n")
    firsts: list[float] = []
    agains: list[float] = []
    lives: list[float] = []
    coverages: list[float] = []
    views: list[Sequence[float]] = []
    for _ in range(rounds):
        first, again, live = _ipycov(directory, branch)
        firsts.append(first)
        agains += again
        lives.append(live)
        coverages.append(_coverage(directory, branch))
        views.append(_views(directory, branch))
    return ReportTimes(
        median(firsts),
        median(agains),
        median(lives),
        median(coverages),
        *(median(column) for column in zip(*views, strict=True)),
    )


def _views(directory: Path, branch: bool) -> tuple[float, float, float]:
    """What rendering takes: a new cell of 50 lines, all cells, and all cells again."""
    with TimedKernel(directory) as kernel:
        kernel.run("%load_ext ipycov")
        kernel.run(f"%config IPyCov.branch = {branch}")
        for number in range(CELLS):
            kernel.run(ten_lines(number), f"cell-{number}")
        kernel.run("%coverage_report")
        kernel.run(TIME_VIEWS)
        took = [_took(kernel, "%coverage_report html") for _ in range(2)]
        cells = []
        for number in range(CELLS, CELLS + 50, 5):
            lines = "\n".join(ten_lines(each) for each in range(number, number + 5))
            cells.append(_took(kernel, "%%cov\n" + lines))
    return median(cells), took[0], took[1]


def _took(kernel: TimedKernel, text: str) -> float:
    return float(kernel.run(text)[0].split("took", 1)[1].split()[0])


def _ipycov(directory: Path, branch: bool) -> tuple[float, Sequence[float], float]:
    with TimedKernel(directory) as kernel:
        kernel.run("%load_ext ipycov")
        kernel.run(f"%config IPyCov.branch = {branch}")
        for number in range(CELLS):
            kernel.run(ten_lines(number), f"cell-{number}")
        first = kernel.run("%coverage_report")[1]
        again = []
        for number in range(CELLS, CELLS + 5):
            kernel.run(ten_lines(number), f"cell-{number}")
            again.append(kernel.run("%coverage_report")[1])
        new = range(CELLS + 5, CELLS + 25)
        plain = [kernel.run(ten_lines(number), f"cell-{number}")[1] for number in new]
        kernel.run("%coverage_live")
        live = [kernel.run(ten_lines(number + 20), f"live-{number}")[1] for number in new]
    return first, again, median(live) - median(plain)


def _coverage(directory: Path, branch: bool) -> float:
    done = subprocess.run(
        [sys.executable, "-c", COVERAGE_REPORT, str(branch), str(CELLS)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
