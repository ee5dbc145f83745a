"""What the pages of a site show: notebooks and cells, line by line, with their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from tokenize import TokenError

from coverage.exceptions import CoverageException
from coverage.results import Analysis, Numbers

from ipycov.coverage_reports import narrowed
from ipycov.folding import NotebookReporter, Part
from ipycov.headings import Heading
from ipycov.line_states import LineStates
from ipycov.lines import rows
from ipycov.reporters import EARLIER, CellReporter
from ipycov.view import STATES, plural

#: Which cells ran each line of a file.
Contexts = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class Row:
    """A line of a cell: its 1-based number, its tokens with coverage.py's names of their kinds.

    `state` is a key of `view.STATES`, `notes` say which ways out of the line were never taken, and
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
        return "" if self.goes_on else STATES[self.state].sign.strip()

    @property
    def word(self) -> str:
        """The state in a word."""
        return "" if self.goes_on else STATES[self.state].word


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
            statements = plural(numbers.n_statements, "statement")
            words = [f"{numbers.pc_covered_str}% of {statements}"]
            if numbers.n_branches:
                words[0] += f" and {plural(numbers.n_branches, 'branch', 'es')}"
            if numbers.n_missing:
                words.append(f"{numbers.n_missing} missed")
            if numbers.n_partial_branches:
                words.append(f"{numbers.n_partial_branches} partial")
        if self.before:
            words.append(f"{plural(self.before, 'line')} ran before measuring")
        if not words and not self.remark:
            words = ["no statements"]
        return "; ".join(filter(None, [", ".join(words), self.remark]))

    @property
    def before(self) -> int:
        """How many lines ran before measuring began, which the figures leave out."""
        return sum(row.state == "before" and not row.goes_on for row in self.rows)

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

    @property
    def before(self) -> int:
        """How many lines ran before measuring began, which the figures leave out."""
        return sum(section.before for section in self.sections)


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
            remark = reporter.problems.get(place.number, "")
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
    shown = _rows(reporter, LineStates(reporter, analysis), contexts)
    remark = "" if reporter.state == EARLIER else reporter.state  # its lines are counted
    anchor = f"cell-{name[3:].replace(']', '')}"
    return Section(anchor, label, analysis.numbers, shown, remark=remark)


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


def _rows_of_part(
    reporter: NotebookReporter, part: Part, analysis: Analysis, contexts: Contexts
) -> list[Row]:
    lines = {
        row: line
        for row in range(1, len(part.place.file_lines) + 1)
        if reporter.part_at(line := reporter.file_line(part, row)) == (part, row)
    }
    return _rows(part.reporter, LineStates(part.reporter, analysis, lines), contexts)


def _rows(reporter: CellReporter, states: LineStates, contexts: Contexts) -> list[Row]:
    shown = []
    for number, tokens in enumerate(_tokens(reporter), 1):
        start = states.start(number)
        state, notes = states.of(start)
        if start != number and state:
            shown.append(Row(number, tokens, state, goes_on=True))
        else:
            ran_in = contexts.get(states.line(number), ())
            shown.append(Row(number, tokens, state, notes, ran_in))
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
