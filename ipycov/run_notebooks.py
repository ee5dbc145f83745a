"""Notebooks whose cells other cells ran with %run, as source files of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ipycov import notebooks
from ipycov.cells import Cell
from ipycov.errors import BadNotebook
from ipycov.folding import NotebookReporter, fold, match
from ipycov.report import Problem, ReportingCoverage
from ipycov.results import Measured, ReportedFile


@dataclass
class RunNotebooks:
    """What was covered of notebooks, and the cells that stand in them and not by themselves."""

    found: list[tuple[ReportedFile, NotebookReporter]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    cells: set[Cell] = field(default_factory=set)


def run_notebooks(
    cells: Iterable[Cell], measured: Mapping[str, Measured], cov: ReportingCoverage
) -> RunNotebooks:
    """Fold those of `cells` that %run took from notebooks which still hold them."""
    by_path: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.file is not None and cell.filename in measured:
            by_path.setdefault(cell.file, []).append(cell)
    found = RunNotebooks()
    for path, ran in by_path.items():
        try:
            notebook = notebooks.read(path)
        except BadNotebook:
            continue  # gone or none, such as an .ipy file: its cells stand by themselves
        matched, left = match(notebook, ran)
        name = cov.relative_name(path)
        reporter = NotebookReporter(notebook, name, cov.exclusions, matched)
        found.problems += [
            Problem(f"{name}, cell {number}", why) for number, why in reporter.problems.items()
        ]
        found.found.append((fold(reporter, measured), reporter))
        found.cells |= set(ran) - set(left)
    return found
