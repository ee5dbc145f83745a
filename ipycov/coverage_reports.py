"""What coverage.py's reports ask for: exclusions, contexts, analyses and their figures.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import coverage
from coverage import annotate
from coverage.results import Analysis, Numbers, display_covered

from ipycov.analysis import Exclusions

#: The end that an older coverage.py wants the name of an annotated file to have.
_ENDS_IN_PY = "_py"


def annotate_all_kinds() -> None:
    """Have an older coverage.py annotate into a directory what is no `.py` file.

    It asserts that nothing else is to be annotated there, and takes the end off the name.
    """
    original: Any = annotate.flat_rootname  # type: ignore[attr-defined]
    asserts = _ENDS_IN_PY in annotate.AnnotateReporter.annotate_file.__code__.co_consts
    if not asserts or original.__module__ == __name__:
        return

    def flat_rootname(filename: str) -> str:
        flat: str = original(filename)
        return flat if flat.endswith(_ENDS_IN_PY) else flat + _ENDS_IN_PY

    annotate.flat_rootname = flat_rootname  # type: ignore[attr-defined]


def answer_contexts(
    cov: coverage.Coverage,
    path: str,
    answer: Callable[[Callable[[str], dict[int, list[str]]]], dict[int, list[str]]],
) -> None:
    """Have reports of `cov` take the contexts of a file's lines from `answer`.

    It is given what the data answers for any file. coverage.py asks a plugin to translate lines
    and arcs, and takes the contexts of lines as they are in the data.
    """
    data = cov.get_data()
    original = data.contexts_by_lineno

    def contexts_by_lineno(filename: str) -> dict[int, list[str]]:
        return answer(original) if filename == path else original(filename)

    data.contexts_by_lineno = contexts_by_lineno  # type: ignore[method-assign]


def exclusions(cov: coverage.Coverage) -> Exclusions:
    """The exclusions that the configuration of `cov` names, joined as coverage.py joins them."""

    def joined(*options: str) -> str:
        regexes: list[str] = []
        for option in options:
            value = cov.get_option(option)
            regexes += value if isinstance(value, list) else []
        return "|".join(f"(?:{regex})" for regex in regexes)

    return Exclusions(
        joined("report:exclude_lines"),
        joined("report:partial_branches", "report:partial_branches_always"),
    )


def of_measured_branches(analysis: Analysis, untold: set[int]) -> Analysis:
    """An analysis without branches of which nobody knows which ways they took.

    `untold` are the statements that ran while lines alone were measured: nothing is said of them,
    and of lines that may have gone on to them.
    """
    unknown = untold & analysis.executed
    for line, ends in analysis.missing_branch_arcs().items():
        if not untold.isdisjoint(ends):
            unknown.add(line)
    exits = {line: 1 if line in unknown else n for line, n in analysis.exit_counts.items()}
    return replace(analysis, exit_counts=exits, no_branch=analysis.no_branch | unknown)


class _SettledNumbers(Numbers):
    """The figures of a file that is analysed: coverage.py computes a percentage at each look."""

    @functools.cached_property
    def pc_covered(self) -> float:
        return super().pc_covered

    @functools.cached_property
    def pc_covered_str(self) -> str:
        return super().pc_covered_str


def settle(analysis: Analysis) -> None:
    """Let percentages of an analysis be computed once."""
    analysis.numbers.__class__ = _SettledNumbers


def under_threshold(total: float, fail_under: float, precision: int) -> str:
    """What coverage.py says of a total that is less than fail_under asks for."""
    try:
        from coverage.results import format_fail_under_msg
    except ImportError:  # an older coverage.py
        shown = display_covered(total, precision)
        return f"total of {shown} is less than fail-under={fail_under:.{precision}f}"
    said: str = format_fail_under_msg(total, fail_under, precision)
    return said


def narrowed(analysis: Analysis, regions: Sequence[set[int]]) -> list[Analysis]:
    """The analysis of each of `regions`, sets of lines that share none."""
    try:
        from coverage.results import AnalysisNarrower
    except ImportError:  # an older coverage.py, whose analyses do it themselves
        return [analysis.narrow(region) for region in regions]  # type: ignore[attr-defined]
    narrower = AnalysisNarrower(analysis)
    narrower.add_regions(regions)
    return [narrower.narrow(region) for region in regions]
