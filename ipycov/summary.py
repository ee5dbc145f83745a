"""The summary: coverage.py's table of files, the cells before the modules.

coverage.py's reporter makes the rows. Its text is laid out here, to the letter as coverage.py does
it, in a fraction of the time: a table of a thousand cells is to follow each cell.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from coverage.report import SummaryReporter
from coverage.results import Numbers

#: What cells are called.
CELL_NAME = re.compile(r"In\[(\d+)\](\.\d+)?")


def total_of(numbers: Iterable[Numbers]) -> Numbers:
    """The sum of `numbers`, with their precision."""
    first, *others = [*numbers] or [Numbers()]
    total: Numbers = sum(others, first)
    return total


@dataclass(frozen=True)
class Table:
    """A summary: as coverage.py writes it, and the values of its columns.

    `rows` hold a value for each name in `header`; `total` is the last row and `percent` its
    percentage, 0 to 100; `notes` are lines for below the table.
    """

    text: str
    header: list[str]
    rows: list[list[str]]
    total: list[str]
    notes: list[str]
    percent: float

    @property
    def without_notes(self) -> str:
        """The text, for where the notes are shown below it."""
        lines = self.text.splitlines(keepends=True)
        return "".join(line for line in lines if line.strip() not in self.notes)


class CellsFirst(SummaryReporter):
    """coverage.py's summary with the cells before the modules, in the order of their counts."""

    values: tuple[list[str], list[list[Any]], list[Any], list[str]] = ([], [], [], [])

    def report_text(
        self, header: Any, lines_values: list[Any], total_line: Any, end_lines: Any
    ) -> None:
        self.values = (header, self._ordered(lines_values), total_line, end_lines)
        for line in laid_out(*self.values):
            self.write(line)

    def report_markdown(
        self, header: Any, lines_values: list[Any], total_line: Any, end_lines: Any
    ) -> None:
        theirs: Any = getattr(super(), "report_markdown", None) or super()._report_markdown  # type: ignore[misc]
        theirs(header, self._ordered(lines_values), total_line, end_lines)

    # an older coverage.py calls them so
    _report_text = report_text
    _report_markdown = report_markdown

    def _ordered(self, lines_values: list[Any]) -> list[Any]:
        if (self.config.sort or "name").lower().lstrip("+-") != "name":
            return lines_values
        cells = [values for values in lines_values if CELL_NAME.fullmatch(values[0])]
        if len(cells) == len(lines_values):
            return cells
        return cells + [values for values in lines_values if not CELL_NAME.fullmatch(values[0])]


def table(reporter: CellsFirst) -> Table:
    """The summary that `reporter` makes of what is measured."""
    out = io.StringIO()
    percent = reporter.report(None, outfile=out)
    header, rows, total, notes = reporter.values
    return Table(
        out.getvalue(),
        header,
        [list(map(str, row[: len(header)])) for row in rows],
        [str(value) for value in total],
        [note.strip() for note in notes],
        percent,
    )


def laid_out(
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    total: Sequence[Any],
    end_lines: Sequence[str],
) -> list[str]:
    """The lines of a summary, as coverage.py lays them out.

    A row may have more values than `header` has names; they are for sorting.
    """
    name = max([len(row[0]) for row in rows] + [5]) + 1
    cover = header.index("Cover")
    n = max([len(total[cover]) + 2, len(" Cover"), *(len(row[cover]) + 1 for row in rows)]) + 1
    columns = {"Name": f"{{:{name}}}", "Cover": f"{{:>{n}}}", "Missing": "{:>10}"}
    head = "".join(columns.get(each, "{:>7}").format(each) for each in header)
    columns |= {"Cover": f"{{:>{n - 1}}}%", "Missing": "   {:9}"}
    line = "".join(columns.get(each, "{:>7}") for each in header).format
    rule = "-" * len(head)
    body = [line(*row) for row in rows]
    return [head, rule, *body, *([rule] if rows else []), line(*total), *end_lines]
