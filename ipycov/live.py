"""The live view: one display that says after each cell what is covered by now."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import accumulate
from typing import Any, NamedTuple

from coverage.results import Analysis

from ipycov.summary import total_of
from ipycov.view import Shown, markdown_row, markdown_table, markdown_text, plural, visible

_BAR = "rgba(46,125,50,.3)"
_QUIET = "color:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#666))"
_ROW = (
    "<tr{mark}><th scope=row style=text-align:left>{name}</th>"
    '<td style="min-width:9em;text-align:right;background:linear-gradient(90deg,{bar} {percent}%,'
    'transparent {percent}%)">{percent}%</td><td style=text-align:right>{statements}</td>'
    "<td style=text-align:left>{missing}</td><td style=text-align:left>{state}</td></tr>"
)
_HEADER = ("Name", "Covered", "Statements", "Missed", "State")
_TABLE = (
    "<table><thead><tr><th scope=col style=text-align:left>Name</th>"
    "<th scope=col>Covered</th><th scope=col>Statements</th>"
    "<th scope=col style=text-align:left>Missed</th>"
    "<th scope=col style=text-align:left>State</th></tr></thead>{rows}</table>"
)
#: Characters of rows that are shown at most, as HTML and as Markdown.
_MOST_HTML, _MOST_MARKDOWN = 900_000, 300_000


class _Row(NamedTuple):
    """A row of the table in two forms, and what it was made of."""

    analysis: Analysis
    state: str
    ran: bool
    html: str
    markdown: str


@dataclass
class LiveView:
    """What the view has shown, so that the next one can be told from it.

    A row is made again only where what it tells has changed: of a thousand cells most have not.
    """

    _rows: dict[str, _Row] = field(default_factory=dict)
    _percent: float | None = None

    def shown(
        self,
        analyses: Mapping[str, Analysis],
        ran: Collection[str] = (),
        states: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
    ) -> Shown:
        """The view of all cells and modules by their names in reports.

        `ran` are the names of the cells that ran since the view was last made; `states` says of
        some what else is to be known of them, such as that a cell is stale.
        """
        states = states or {}
        rows = []
        total = total_of(analysis.numbers for analysis in analyses.values())
        for name, analysis in analyses.items():
            rows.append(self._row(name, analysis, states.get(name, ""), name in ran))
        change = self._change(total.pc_covered if analyses else None)
        figures = _figures(total, change) if analyses else "nothing was measured yet"
        just = [f"{name} {_percent(analyses[name])}" for name in ran if name in analyses]
        plain = "; ".join([f"Covered: {figures}", *just])
        html = f"<p><strong>Covered: {escape(figures)}</strong></p>"
        markdown = f"**Covered: {figures}**"
        if rows:
            shown, left = _first([row.html for row in rows], _MOST_HTML)
            html += (
                # it scrolls, so that it must be reached by keyboard, and then has a name
                '<div style="max-height:28em;overflow:auto" tabindex="0" role="region" '
                f'aria-label="Covered: cells and modules">{_TABLE.format(rows="".join(shown))}'
                f"{f'<p>{left}</p>' if left else ''}</div>"
            )
            shown, left = _first([row.markdown for row in rows], _MOST_MARKDOWN)
            table = "\n".join([markdown_table(_HEADER, (), ()), *shown])
            markdown = "\n\n".join(filter(None, [markdown, table, left]))
        return Shown(plain, html, markdown, notes)

    def _row(self, name: str, analysis: Analysis, state: str, ran: bool) -> _Row:
        known = self._rows.get(name)
        if known is not None and known.analysis is analysis and known[1:3] == (state, ran):
            return known
        numbers: Any = analysis.numbers
        missing = analysis.missing_formatted(branches=True)
        said = "; ".join(filter(None, [state, "just ran" if ran else ""]))
        html = _ROW.format(
            mark=' style="font-weight:bold"' if ran else "",
            name=escape(visible(name)),
            bar=_BAR,
            percent=numbers.pc_covered_str,
            statements=numbers.n_statements,
            missing=escape(missing),
            state=escape(said),
        )
        markdown = markdown_row(
            [
                f"**{markdown_text(name)}**" if ran else markdown_text(name),
                f"{numbers.pc_covered_str}%",
                str(numbers.n_statements),
                markdown_text(missing),
                markdown_text(said),
            ]
        )
        row = _Row(analysis, state, ran, html, markdown)
        self._rows[name] = row
        return row

    def _change(self, percent: float | None) -> float | None:
        before, self._percent = self._percent, percent
        return None if before is None or percent is None else percent - before


def _first(rows: Sequence[str], most: int) -> tuple[Sequence[str], str]:
    """The rows that have at most so many characters, and how many are left out, in words."""
    kept = bisect_right(list(accumulate(map(len, rows))), most)
    left = len(rows) - kept
    return rows[:kept], f"{plural(left, 'row')} left out" if left else ""


def _figures(total: Any, change: float | None) -> str:
    said = f"{total.pc_covered_str}%"
    if change is not None:
        said += f" ({change:+.1f})" if abs(change) >= 0.05 else " (no change)"
    return f"{said}, {plural(total.n_statements, 'statement')}, {total.n_missing} missed"


def _percent(analysis: Analysis) -> str:
    numbers: Any = analysis.numbers
    missed = analysis.missing_formatted(branches=True)
    return f"{numbers.pc_covered_str}%" + (f", missed {missed}" if missed else "")
