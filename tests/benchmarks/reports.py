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


@dataclass(frozen=True)
class ReportTimes:
    """Seconds of the table over the cells, first and after one further cell.

    `coverage` is what coverage.py takes over the same cells as modules.
    """

    first: float
    again: float
    coverage: float


def report_times(directory: Path, branch: bool, rounds: int) -> ReportTimes:
    """Time the reports; `rounds` is how often each is made, in turn, in processes of their own."""
    for number in range(CELLS):
        (directory / f"m{number}.py").write_text(ten_lines(number) + "\n")
    firsts: list[float] = []
    agains: list[float] = []
    coverages: list[float] = []
    for _ in range(rounds):
        first, again = _ipycov(directory, branch)
        firsts.append(first)
        agains += again
        coverages.append(_coverage(directory, branch))
    return ReportTimes(median(firsts), median(agains), median(coverages))


def _ipycov(directory: Path, branch: bool) -> tuple[float, Sequence[float]]:
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
    return first, again


def _coverage(directory: Path, branch: bool) -> float:
    done = subprocess.run(
        [sys.executable, "-c", COVERAGE_REPORT, str(branch), str(CELLS)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
