"""What the pages of a site show: notebooks and cells, line by line, with their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from tokenize import TokenError
from typing import Any

from coverage.exceptions import CoverageException
from coverage.results import Analysis, Numbers

from ipycov.coverage_internals import narrowed
from ipycov.folding import NotebookReporter, Part
from ipycov.headings import Heading
from ipycov.lines import rows
from ipycov.reporters import CellReporter

#: Sign and word of each line's state.
STATES = {
    "run": (">", "run"),
    "missing": ("!", "missed"),
    "partial": ("~", "partial"),
    "excluded": ("-", "excluded"),
    "": ("", ""),
}

#: Which cells ran each line of a file.
Contexts = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class Row:
    """A line of a cell: its 1-based number, its tokens with coverage.py's names of their kinds.

    `state` is a key of `STATES`, `notes` say which ways out of the line were never taken, and
    `contexts` which cells ran it. `goes_on` tells that the line belongs to a statement that starts
    above it.
    """

    number: int
    tokens: Sequence[tuple[str, str]]
    state: str = ""
    notes: Sequence[str] = ()
    contexts: Sequence[str] = ()
    goes_on: bool = False

    @property
    def sign(self) -> str:
        """What stands for the state beside its colour; nothing on lines that go on."""
        return "" if self.goes_on else STATES[self.state][0]

    @property
    def word(self) -> str:
        """The state in a word."""
        return "" if self.goes_on else STATES[self.state][1]


@dataclass(frozen=True)
class Section:
    """A cell of a page: its anchor, its title, its figures and its lines.

    `headings` are those that stand between the cell before it and this one. `remark` says what
    else there is to know, such as that it did not run.
    """

    anchor: str
    title: str
    numbers: Numbers
    rows: Sequence[Row]
    headings: Sequence[Heading] = ()
    remark: str = ""

    @property
    def said(self) -> str:
        """The figures that say something, in words, and the remark."""
        numbers = self.numbers
        words = []
        if numbers.n_statements:
            plural = "" if numbers.n_statements == 1 else "s"
            words = [f"{numbers.pc_covered_str}% of {numbers.n_statements} statement{plural}"]
            if numbers.n_branches:
                plural = "" if numbers.n_branches == 1 else "es"
                words[0] += f" and {numbers.n_branches} branch{plural}"
            if numbers.n_missing:
                words.append(f"{numbers.n_missing} missed")
            if numbers.n_partial_branches:
                words.append(f"{numbers.n_partial_branches} partial")
        elif not self.remark:
            words = ["no statements"]
        return "; ".join(filter(None, [", ".join(words), self.remark]))

    @property
    def is_wide(self) -> bool:
        """Whether lines may be too long to be seen without scrolling."""
        return any(
            sum(len(text) for _, text in row.tokens) + len(", ".join(row.contexts)) > 80
            for row in self.rows
        )

    @property
    def to_look_at(self) -> list[Row]:
        """The lines that were missed, all or in part."""
        return [row for row in self.rows if row.state in ("missing", "partial") and not row.goes_on]


@dataclass(frozen=True)
class Page:
    """A page of a site: the name of what it shows, and its sections.

    `below` are headings that stand below the last cell. `href` is the name of its file.
    """

    name: str
    kind: str
    numbers: Numbers
    sections: Sequence[Section]
    below: Sequence[Heading] = ()
    href: str = field(default="", compare=False)


def notebook_page(
    reporter: NotebookReporter, analysis: Analysis, contexts: Contexts, href: str
) -> Page:
    """The page of a notebook: its cells in order, with the headings of its markdown."""
    parts = {part.place.number: part for part in reporter.parts}
    numbered = dict(zip(parts, _by_part(reporter, analysis), strict=True))
    headings = list(reporter.notebook.headings)
    sections = []
    for place in reporter.notebook.cells:
        above = [heading for heading in headings if heading.number < place.number]
        headings = headings[len(above) :]
        title = f"cell {place.number}"
        part = parts.get(place.number)
        if part is not None:
            shown = _rows_of_part(reporter, part, analysis, contexts)
            counts = [cell.label for cell in part.ran if cell.count]
            remark = f"ran as {', '.join(counts)}" if counts else "" if part.ran else "did not run"
        else:
            shown = _plain(place.text)
            said = [each for each in reporter.problems if each.startswith(f"{title} ")]
            remark = said[0].removeprefix(f"{title} ") if said else ""
        sections.append(
            Section(
                f"cell-{place.number}",
                title,
                numbered.get(place.number, Numbers()),
                shown,
                above,
                remark,
            )
        )
    name = reporter.relative_filename()
    return Page(name, "notebook", analysis.numbers, sections, headings, href)


def cell_section(reporter: CellReporter, analysis: Analysis, contexts: Contexts) -> Section:
    """A cell that is in no notebook, such as those of a live session."""
    label = reporter.relative_filename()
    name = label[label.rfind("In[") :]
    every_row = range(1, len(rows(reporter.cell.typed)) + 1)
    states = _States(analysis, reporter, dict(zip(every_row, every_row, strict=True)))
    shown = _rows(reporter, states, contexts)
    return Section(f"cell-{name[3:].replace(']', '')}", label, analysis.numbers, shown)


def _by_part(reporter: NotebookReporter, analysis: Analysis) -> list[Numbers]:
    """The figures of each part of a notebook."""
    regions: list[set[int]] = [
        {reporter.file_line(part, row) for row in range(1, len(part.place.file_lines) + 1)}
        for part in reporter.parts
    ]
    seen: set[int] = set()
    for region in regions:  # blank lines may share a line of the file
        region -= seen
        seen |= region
    return [part.numbers for part in narrowed(analysis, regions)] if regions else []


class _States:
    """What an analysis says of the rows of one cell.

    `lines` give the line of the analysis for each row that has one.
    """

    def __init__(self, analysis: Analysis, reporter: CellReporter, lines: dict[int, int]) -> None:
        self._reporter = reporter
        self.lines = lines
        row_of = {line: row for row, line in lines.items()}

        def here(among: Any) -> set[int]:
            return {row_of[line] for line in among if line in row_of}

        self.statements = here(analysis.statements)
        self.excluded = here(analysis.excluded)
        self.missing = here(analysis.missing)
        self.ways: dict[int, list[int]] = {}
        self.nowhere: set[int] = set()
        stats = analysis.branch_stats()
        for line, ends in analysis.missing_branch_arcs().items():
            if line in row_of:
                row = row_of[line]
                self.ways[row] = [
                    row_of.get(end, end) if end > 0 else -row_of.get(-end, -end) for end in ends
                ]
                if len(ends) == stats.get(line, (0, 0))[0]:
                    self.nowhere.add(row)

    def of(self, row: int) -> tuple[str, list[str]]:
        """The state of a row, and which ways out of it were never taken."""
        if row in self.excluded:
            return "excluded", []
        if row in self.missing:
            return "missing", []
        if row in self.nowhere:
            return "partial", [f"line {row} didn't jump anywhere: it always raised an exception"]
        if row in self.ways:
            describe = self._reporter.missing_arc_description
            return "partial", [describe(row, end) for end in self.ways[row]]
        return ("run" if row in self.statements else ""), []


def _rows_of_part(
    reporter: NotebookReporter, part: Part, analysis: Analysis, contexts: Contexts
) -> list[Row]:
    lines = {
        row: line
        for row in range(1, len(part.place.file_lines) + 1)
        if reporter.part_at(line := reporter.file_line(part, row)) == (part, row)
    }
    return _rows(part.reporter, _States(analysis, part.reporter, lines), contexts)


def _rows(reporter: CellReporter, states: _States, contexts: Contexts) -> list[Row]:
    shown = []
    for number, tokens in enumerate(_tokens(reporter), 1):
        state, notes = states.of(number)
        ran_in = contexts.get(states.lines.get(number, 0), ())
        first = reporter.first_line(number)
        goes_on = not state and first != number
        if goes_on:
            state, _ = states.of(first)
        shown.append(Row(number, tokens, state, notes, () if goes_on else ran_in, goes_on))
    return _without_blank_end(shown)


def _tokens(reporter: CellReporter) -> list[list[tuple[str, str]]]:
    """The tokens of each row, or the plain row where they do not add up to its text."""
    texts = rows(reporter.cell.typed)
    try:
        found = list(reporter.source_token_lines())
    except (TokenError, SyntaxError, CoverageException, ValueError, IndexError):
        found = []
    found += [[]] * (len(texts) - len(found))
    return [
        tokens if "".join(text for _, text in tokens) == row.expandtabs(8) else [("txt", row)]
        for row, tokens in zip(texts, found, strict=False)
    ]


def _plain(text: str) -> list[Row]:
    return _without_blank_end(
        [Row(number, [("txt", row)]) for number, row in enumerate(rows(text), 1)]
    )


def _without_blank_end(shown: list[Row]) -> list[Row]:
    while shown and not "".join(text for _, text in shown[-1].tokens).strip():
        shown.pop()
    return shown
