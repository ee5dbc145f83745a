"""What measuring adds to code that runs for a while."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from client import TimedKernel

#: Each prints the seconds that it took, without the compiling and whatever else surrounds a cell.
#: They are short, for medians of many: how fast a machine runs changes from second to second.
WORKLOADS = {
    "tight loop": """
total = 0
for i in range(130_000):
    total += i % 7
    total -= 1
""",
    "recursive function": """
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)
fib(23)
""",
    "class-heavy loop": """
class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y
    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)
    @property
    def size(self):
        return abs(self.x) + abs(self.y)
position = Point(0, 0)
for i in range(10_000):
    position = position + Point(i, -i)
    position.size
""",
}


@dataclass(frozen=True)
class Overhead:
    """How many times slower each tool makes a workload, against the same cell unmeasured."""

    workload: str
    branch: bool
    ipycov: float
    coverage: float
    ipytest: float

    @property
    def bound(self) -> float:
        """What ipycov may cost at most."""
        if sys.version_info >= (3, 12) and not self.branch:
            return 1.25 if self.workload == "recursive function" else 1.10
        return 1.05 * self.coverage


def overheads(directory: Path, rounds: int) -> Iterator[Overhead]:
    """The overhead of each workload, with lines and with branches."""
    for branch in (False, True):
        for name, text in WORKLOADS.items():
            ours, plain = _ipycov_and_coverage(directory, text, branch, rounds)
            yield Overhead(name, branch, ours, plain, _ipytest(directory, text, branch, rounds))


def timed(text: str) -> str:
    """The workload as a cell that prints how long it took: the thread's time on the processor."""
    return (
        "import time\n_begun = time.thread_time()"
        + text
        + "print(time.thread_time() - _begun, end='')"
    )


def _as_module(module: Path, text: str) -> str:
    """What runs the workload as a module that is kept at `module`."""
    module.write_text(timed(text))
    return (
        f"_code = compile(open({str(module)!r}).read(), {str(module)!r}, 'exec')\n"
        "exec(_code, {'__name__': 'workload'})"
    )


def _ipycov_and_coverage(
    directory: Path, text: str, branch: bool, rounds: int
) -> tuple[float, float]:
    """The overhead of ipycov, and that of coverage.py with the same core on a module.

    Both are against the same unmeasured: a module's names are looked up faster than a cell's. In
    each round the text stands a line lower: the same tracer takes up to a tenth more or less of
    time for one text or another, by the numbers of the lines.
    """
    core = "sysmon" if sys.version_info >= ((3, 14) if branch else (3, 12)) else "ctrace"
    cell, measured, bare, plain = [], [], [], []
    with TimedKernel(directory) as kernel:
        kernel.run("%load_ext ipycov")
        kernel.run(f"%config IPyCov.branch = {branch}")
        kernel.run("%config IPyCov.config_file = False")
        kernel.run(
            "import coverage\n"
            f"_cov = coverage.Coverage(data_file=None, config_file=False, branch={branch})\n"
            f"_ = _cov.set_option('run:core', {core!r})"
        )
        for above in range(rounds):
            lower = "\n" * above + text
            as_module = _as_module(directory / f"workload{above}.py", lower)
            under_coverage = as_module.replace("exec(", "_cov.start()\ntry:\n    exec(")
            under_coverage += "\nfinally:\n    _cov.stop()"
            kernel.run("%coverage_stop")
            cell.append(float(kernel.run(timed(lower), "workload")[0]))
            bare.append(float(kernel.run(as_module)[0]))
            plain.append(float(kernel.run(under_coverage)[0]))
            kernel.run("%coverage_start")
            measured.append(float(kernel.run(timed(lower), "workload")[0]))
    return median(measured) / median(cell), median(plain) / median(bare)


def _ipytest(directory: Path, text: str, branch: bool, rounds: int) -> float:
    """The overhead of coverage.py with the plugin ipytest.cov."""
    config = directory / "ipytest.coveragerc"
    config.write_text("[run]\nplugins = ipytest.cov\ncore = ctrace\n")
    bare, measured = [], []
    with TimedKernel(directory) as kernel:
        kernel.run(
            "import coverage\n_cov = coverage.Coverage(data_file=None, "
            f"config_file={str(config)!r}, branch={branch})"
        )
        for _ in range(rounds):
            bare.append(float(kernel.run(timed(text))[0]))
            kernel.run("_cov.start()")
            measured.append(float(kernel.run(timed(text))[0]))
            kernel.run("_cov.stop()")
    return median(measured) / median(bare)
