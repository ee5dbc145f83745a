"""Print what ipycov costs, as Markdown, beside coverage.py and ipytest.cov.

usage: python tests/benchmarks [--quick] [--write]

Nothing is asserted: times depend on the machine. --write puts the tables into
docs/explanation/benchmarks.md, in the place of those of the same version of Python. Needs ipytest.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cells import cell_costs
from folding import CELLS, NOTEBOOKS, folding_times
from overhead import overheads
from reports import report_times

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: for a first idea")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} in the docs")
    arguments = parser.parse_args()
    lines = []
    for line in section(5 if arguments.quick else 21, 1 if arguments.quick else 3):
        print(line, flush=True)
        lines.append(line)
    if arguments.write:
        write(lines)


def section(rounds: int, reports: int) -> Iterable[str]:
    """The lines of the page on this version of Python."""
    yield heading()
    yield ""
    yield f"{machine()}. {versions()}. {datetime.date.today():%d %B %Y}."
    yield ""
    yield "How many times as long as unmeasured:"
    yield ""
    yield from table("cell", "measured", "ipycov", "coverage.py", "ipytest.cov", "bound", "")
    with tempfile.TemporaryDirectory() as directory:
        for each in overheads(Path(directory), 3 * rounds):
            yield row(
                each.workload,
                "branches" if each.branch else "lines",
                f"{each.ipycov:.2f}",
                f"{each.coverage:.2f}",
                f"{each.ipytest:.2f}",
                f"{each.bound:.2f}",
                met(each.ipycov, each.bound),
            )
    yield ""
    yield "What a cell costs more than unmeasured, and what reports take:"
    yield ""
    yield from table("", "lines", "branches", "bound", "")
    yield from costs(rounds, reports)
    yield ""
    yield "What notebook files cost:"
    yield ""
    yield from table("", "took", "bound", "")
    yield from files()
    yield ""


def costs(rounds: int, reports: int) -> Iterable[str]:
    """The rows on cells, memory and reports."""
    with tempfile.TemporaryDirectory() as directory:
        both = [cell_costs(Path(directory), branch, 5 * rounds) for branch in (False, True)]
    for name, seconds in (
        ("an empty cell, after 10 cells", [each.empty_after_10 for each in both]),
        ("an empty cell, after 1000 cells", [each.empty_after_1000 for each in both]),
    ):
        shown = [f"{each * 1000:.2f} ms" for each in seconds]
        yield row(name, *shown, "1 ms", met(max(seconds), 0.001))
    yield row("a new cell of 10 lines", *(f"{each.ten * 1000:.2f} ms" for each in both), "", "")
    yield row(
        "memory for each further cell of 10 lines",
        *(f"{each.memory / 1000:.1f} KB" for each in both),
        "20 KB",
        met(max(each.memory for each in both), 20_000),
    )
    yield row(
        "the same in a kernel without ipycov",
        *(f"{each.memory_unmeasured / 1000:.1f} KB" for each in both),
        "",
        "",
    )
    times = []
    for branch in (False, True):
        with tempfile.TemporaryDirectory() as directory:
            times.append(report_times(Path(directory), branch, reports))
    shares = [each.first / each.coverage for each in times]
    yield row(
        "table over 1000 cells of 10 lines",
        *(f"{each.first * 1000:.0f} ms" for each in times),
        "",
        "",
    )
    yield row(
        "coverage.py's over the same cells as modules",
        *(f"{each.coverage * 1000:.0f} ms" for each in times),
        "",
        "",
    )
    yield row(
        "the first as a part of the second",
        *(f"{share:.2f}" for share in shares),
        "0.50",
        met(max(shares), 0.5),
    )
    yield row(
        "table after one further cell",
        *(f"{each.again * 1000:.0f} ms" for each in times),
        "50 ms",
        met(max(each.again for each in times), 0.05),
    )
    yield row(
        "bringing the live view up to date after one further cell",
        *(f"{each.live * 1000:.0f} ms" for each in times),
        "50 ms",
        met(max(each.live for each in times), 0.05),
    )
    for name, seconds, limit in (
        ("inline view of a cell of 50 lines", [each.view_of_cell for each in times], 20),
        ("inline view of 1000 cells of 10 lines", [each.view_of_all for each in times], 1000),
        ("the same again", [each.view_of_all_again for each in times], 1000),
    ):
        shown = [f"{each * 1000:.0f} ms" for each in seconds]
        yield row(name, *shown, f"{limit} ms", met(max(seconds) * 1000, limit))


def files() -> Iterable[str]:
    """The rows on folding cells into notebooks and on what is written after a cell."""
    with tempfile.TemporaryDirectory() as directory:
        times = folding_times(Path(directory))
    bound = min(10, 2 * times.modules)
    yield row(
        f"folding {NOTEBOOKS} notebooks of {CELLS} cells",
        f"{times.fold:.1f} s",
        f"{bound:.1f} s",
        met(times.fold, bound),
    )
    modules = f"coverage.py's combine and xml of {NOTEBOOKS} modules of the same size"
    yield row(modules, f"{times.modules:.1f} s", "", "")
    for name, took in (
        ("writing after a cell, after 10 cells", times.write_after_10),
        ("writing after a cell, after 1000 cells", times.write_after_1000),
    ):
        yield row(name, f"{took:.2f} ms", "1 ms", met(took, 1))


def met(value: float, bound: float) -> str:
    """Whether a figure keeps to its bound, in a word."""
    return "met" if value <= bound else "**not met**"


def table(*names: str) -> Sequence[str]:
    """The first lines of a Markdown table; all columns but the first are figures."""
    return row(*names), row("---", *["---:"] * (len(names) - 1))


def row(*values: str) -> str:
    return f"| {' | '.join(values)} |"


def heading() -> str:
    return f"## Python {'.'.join(platform.python_version_tuple()[:2])}"


def machine() -> str:
    """The processor, its cores and the system."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    name = found[1] if found else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def versions() -> str:
    """What was measured with."""
    shown = [f"CPython {platform.python_version()}"]
    for package in ("ipycov", "coverage", "ipython", "ipykernel", "ipytest"):
        try:
            shown.append(f"{package} {version(package)}")
        except PackageNotFoundError as error:
            raise SystemExit(f"{package} is not installed: pip install {package}") from error
    return ", ".join(shown)


def write(lines: Sequence[str]) -> None:
    """Put the section into the page, after those of earlier versions of Python."""
    before, *sections = re.split(r"^(?=## Python )", PAGE.read_text(encoding="utf-8"), flags=re.M)
    kept = [each for each in sections if each.split("\n", 1)[0] != heading()]
    kept.append("\n".join(lines) + "\n")
    parts = [before, *sorted(kept, key=lambda text: int(text.split("\n", 1)[0].split(".")[1]))]
    PAGE.write_text("\n\n".join(part.strip("\n") for part in parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
