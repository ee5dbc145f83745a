"""The live view: one display that says after each cell what is covered by now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from coverage.results import Analysis, Numbers

from ipycov.view import Shown, visible

_BAR = "rgba(46,125,50,.3)"
_QUIET = "color:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#666))"
_ROW = (
    "<tr{mark}><th scope=row style=text-align:left>{name}</th>"
    '<td style="min-width:9em;text-align:right;background:linear-gradient(90deg,{bar} {percent}%,'
    'transparent {percent}%)">{percent}%</td><td style=text-align:right>{statements}</td>'
    "<td style=text-align:left>{missing}</td><td style=text-align:left>{state}</td></tr>"
)


@dataclass
class LiveView:
    """What the view has shown, so that the next one can be told from it.

    A row is made again only where what it tells has changed: of a thousand cells most have not.
    """

    _rows: dict[str, tuple[Analysis, str, bool, str]] = field(default_factory=dict)
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
        total = Numbers()
        for name, analysis in analyses.items():
            total += analysis.numbers
            rows.append(self._row(name, analysis, states.get(name, ""), name in ran))
        change = self._change(total.pc_covered if analyses else None)
        figures = _figures(total, change) if analyses else "nothing was measured yet"
        just = [f"{name} {_percent(analyses[name])}" for name in ran if name in analyses]
        plain = "; ".join([f"Covered: {figures}", *just])
        table = (
            "<table><thead><tr><th scope=col style=text-align:left>Name</th>"
            "<th scope=col>Covered</th><th scope=col>Statements</th>"
            "<th scope=col style=text-align:left>Missed</th>"
            f"<th scope=col style=text-align:left>State</th></tr></thead>{''.join(rows)}</table>"
        )
        html = f"<p><strong>Covered: {escape(figures)}</strong></p>"
        html += f'<div style="max-height:28em;overflow:auto">{table}</div>' if rows else ""
        return Shown(plain, html, f"**Covered: {figures}**", notes)

    def _row(self, name: str, analysis: Analysis, state: str, ran: bool) -> str:
        known = self._rows.get(name)
        if known is not None and known[0] is analysis and known[1:3] == (state, ran):
            return known[3]
        numbers: Any = analysis.numbers
        text = _ROW.format(
            mark=' style="font-weight:bold"' if ran else "",
            name=escape(visible(name)),
            bar=_BAR,
            percent=numbers.pc_covered_str,
            statements=numbers.n_statements,
            missing=escape(analysis.missing_formatted(branches=True)),
            state="; ".join(filter(None, [escape(state), "just ran" if ran else ""])),
        )
        self._rows[name] = analysis, state, ran, text
        return text

    def _change(self, percent: float | None) -> float | None:
        before, self._percent = self._percent, percent
        return None if before is None or percent is None else percent - before


def _figures(total: Any, change: float | None) -> str:
    said = f"{total.pc_covered_str}%"
    if change is not None:
        said += f" ({change:+.1f})" if abs(change) >= 0.05 else " (no change)"
    return f"{said}, {total.n_statements} statements, {total.n_missing} missed"


def _percent(analysis: Analysis) -> str:
    numbers: Any = analysis.numbers
    missed = analysis.missing_formatted(branches=True)
    return f"{numbers.pc_covered_str}%" + (f", missed {missed}" if missed else "")
