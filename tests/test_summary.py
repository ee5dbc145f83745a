"""The summary reads as coverage.py writes it."""

from __future__ import annotations

from typing import Any

import coverage
from coverage.report import SummaryReporter
from hypothesis import given
from hypothesis import strategies as st

from ipycov.summary import laid_out

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]))
COUNTS = st.integers(0, 10**9)
PERCENTAGES = st.sampled_from(["0", "7", "100", "99.50", "33.333333"])


def theirs(header: list[str], rows: list[Any], total: list[Any], end_lines: list[str]) -> list[str]:
    """The lines that coverage.py makes of a summary."""
    reporter = SummaryReporter(coverage.Coverage(data_file=None, config_file=False))
    lines: list[str] = []
    reporter.write = lines.append
    lay_out: Any = getattr(reporter, "report_text", None) or reporter._report_text
    lay_out(header, rows, total, end_lines)
    return lines


@given(st.lists(st.tuples(NAMES, COUNTS, COUNTS, PERCENTAGES)), PERCENTAGES)
def test_lines(rows: list[Any], percent: str) -> None:
    summary = (["Name", "Stmts", "Miss", "Cover"], rows, ["TOTAL", 12, 3, percent], [])
    assert laid_out(*summary) == theirs(*summary)


@given(st.lists(st.tuples(NAMES, COUNTS, COUNTS, COUNTS, COUNTS, PERCENTAGES, NAMES)))
def test_branches_and_missing(rows: list[Any]) -> None:
    header = ["Name", "Stmts", "Miss", "Branch", "BrPart", "Cover", "Missing"]
    total = ["TOTAL", 12, 3, 4, 0, "75", ""]
    summary = (header, rows, total, ["\n1 file skipped due to complete coverage."])
    assert laid_out(*summary) == theirs(*summary)
