"""What measuring adds to each cell: time, and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from client import TimedKernel


@dataclass(frozen=True)
class CellCosts:
    """Seconds that a measured cell takes more than the same unmeasured, and bytes that it keeps.

    `empty_after_10` and `empty_after_1000` are those of an empty cell after so many cells; `ten`
    those of a new cell of ten lines. `memory` is what the kernel's memory grew by for each new
    cell of ten lines, `memory_unmeasured` what it grew by in a kernel without ipycov.
    """

    empty_after_10: float
    empty_after_1000: float
    ten: float
    memory: float
    memory_unmeasured: float


def ten_lines(number: int) -> str:
    """A cell of ten lines like no other."""
    return f"""def step_{number}(values, limit={number}):
    total = 0
    for value in values:
        if value > limit:
            total += value
        else:
            total -= 1
    return total

result_{number} = step_{number}(range(5))"""


def cell_costs(directory: Path, branch: bool, rounds: int) -> CellCosts:
    """Measure the costs in a kernel of their own."""
    with TimedKernel(directory) as kernel:
        kernel.run("%load_ext ipycov")
        kernel.run(f"%config IPyCov.branch = {branch}")
        for number in range(10):
            kernel.run(ten_lines(number), f"cell-{number}")
        after_10 = _empty(kernel, rounds)
        # the kernel grows on its own at first: what counts is the growth after that
        start = _memory(kernel)
        seconds = _thousand(kernel)
        grown = (_memory(kernel) - start) / 1000
        after_1000 = _empty(kernel, rounds)
    with TimedKernel(directory) as kernel:
        for number in range(10):
            kernel.run(ten_lines(number), f"cell-{number}")
        start = _memory(kernel)
        unmeasured = _thousand(kernel)
        grown_unmeasured = (_memory(kernel) - start) / 1000
    return CellCosts(after_10, after_1000, seconds - unmeasured, grown, grown_unmeasured)


def _thousand(kernel: TimedKernel) -> float:
    """Run a thousand new cells; return what the median one took."""
    return median(kernel.run(ten_lines(number), f"cell-{number}")[1] for number in range(10, 1010))


def _empty(kernel: TimedKernel, rounds: int) -> float:
    """What a cell that does nothing takes more when it is measured."""
    measured, unmeasured = [], []
    for _ in range(rounds):
        kernel.run("%coverage_stop")
        unmeasured.append(kernel.run("pass", "empty")[1])
        kernel.run("%coverage_start")
        measured.append(kernel.run("pass", "empty")[1])
    return median(measured) - median(unmeasured)


def _memory(kernel: TimedKernel) -> float:
    """The kernel's resident memory in bytes."""
    return float(
        kernel.run(
            "import gc, psutil\n_ = gc.collect()\nprint(psutil.Process().memory_info().rss, end='')"
        )[0]
    )
