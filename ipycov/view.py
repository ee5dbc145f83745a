"""What a notebook shows: values in, HTML, Markdown and plain text out.

The HTML is static. It says everything in text and signs first, and uses style attributes with the
theme variables of JupyterLab and VS Code, so that it can be read where front ends drop styles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple, Protocol, Self


class State(NamedTuple):
    """What a line's state is shown as: a sign, a word, and the colour of the mark at its edge."""

    sign: str
    word: str
    mark: str


#: The states of lines, with the signs of coverage.py's `annotate`, and one for partial lines.
STATES = {
    "run": State(">", "run", "var(--r)"),
    "missing": State("!", "missed", "var(--m)"),
    "partial": State("~", "partial", "var(--p)"),
    "excluded": State("-", "excluded", "var(--q)"),
    "before": State(":", "ran before measuring", "var(--q)"),
    # as a variable, for what drops the others' marks is to drop this too: it takes up room
    "": State(" ", "", "var(--bg)"),
}

#: Columns of tables that hold text; the rest hold numbers.
_OF_TEXT = frozenset(
    {
        *("Name", "Missing", "Cell", "Ran as", "Functions reached", "Lines run", "Ran by"),
        *("Missed", "State"),
    }
)


@dataclass(frozen=True)
class Line:
    """A source line: its 1-based number, its text, its state and what to say of it.

    `ran_by` are the cells that ran it, where that is known. A line is `continued` from the one on
    which its statement begins, where it has all been said.
    """

    number: int
    text: str
    state: str = ""
    note: str = ""
    ran_by: tuple[str, ...] = ()
    continued: bool = False


class Figures(Protocol):
    """The figures of a file, as coverage.py's `Numbers` has them."""

    n_statements: int
    n_missing: int
    n_branches: int
    n_partial_branches: int

    @property
    def pc_covered(self) -> float: ...

    @property
    def pc_covered_str(self) -> str: ...

    def __add__(self, other: Self) -> Self: ...


@dataclass(frozen=True)
class Source:
    """A file, cell or function: its name, its figures, its lines, and what it missed in short.

    `state` says what else is to be known, such as that it has changed since.
    """

    name: str
    numbers: Any
    lines: Sequence[Line]
    missing: str = ""
    state: str = ""

    @property
    def figures(self) -> str:
        """The figures in words."""
        return f"{self.numbers.pc_covered_str}%, {self.counts}"

    @property
    def counts(self) -> str:
        """The figures but the percentage, in words."""
        numbers: Figures = self.numbers
        said = f"{plural(numbers.n_statements, 'statement')}, {numbers.n_missing} missed"
        if numbers.n_branches:
            said += f", {plural(numbers.n_branches, 'branch', 'es')}, "
            said += f"{numbers.n_partial_branches} partial"
        return said


@dataclass(frozen=True)
class Shown:
    """One display in the forms that front ends choose from."""

    plain: str
    html: str = ""
    markdown: str = ""
    notes: Sequence[str] = field(default_factory=tuple)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        notes = [visible(note) for note in self.notes]
        bundle = {"text/plain": "\n".join([seen(self.plain), *notes])}
        if self.html:
            bundle["text/html"] = self.html + "".join(f"<p>{escape(note)}</p>" for note in notes)
        if self.markdown:
            said = [markdown_text(note) for note in notes]
            bundle["text/markdown"] = "\n\n".join([seen(self.markdown), *said])
        return bundle


#: What no visible text holds, between the values of a row and between rows.
_NEXT, _NEXT_ROW = "\0", "\0\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]) -> str:
    """A table as HTML, columns of text to the left and those of numbers to the right."""
    sides = ["left" if name in _OF_TEXT else "right" for name in header]
    names = "".join(
        f'<th scope="col" style="text-align:{side}">{escape(name)}</th>'
        for side, name in zip(sides, header, strict=True)
    )
    cells = [
        f'<td style="text-align:{side}">%s{"%%" if name == "Cover" else ""}</td>'
        for side, name in zip(sides, header, strict=True)
    ]
    row = f"<tr>{''.join(cells)}</tr>"
    lines = escape(_joined(rows)).split(_NEXT_ROW)
    body = "".join([row % tuple(line.split(_NEXT)) for line in lines]) if rows else ""
    foot = row % tuple(map(escape, total)) if total else ""
    foot = foot and f'<tfoot style="font-weight:bold">{foot}</tfoot>'
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody>{foot}</table>"


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]
) -> str:
    """The same table as Markdown."""
    signs = ["%" if name == "Cover" else "" for name in header]
    lines = [header, [":---" if name in _OF_TEXT else "---:" for name in header]]
    escaped = _as_markdown(_joined(rows)).split(_NEXT_ROW) if rows else []
    lines += [
        [value + sign for value, sign in zip(each.split(_NEXT), signs, strict=True)]
        for each in escaped
    ]
    if total:
        lines.append(
            [
                f"**{markdown_text(value)}{sign}**" if value else ""
                for value, sign in zip(total, signs, strict=True)
            ]
        )
    return "\n".join(map(markdown_row, lines))


def markdown_row(values: Iterable[str]) -> str:
    """A row of a table, of what is Markdown."""
    return f"| {' | '.join(values)} |"


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]) -> str:
    """The same table as text."""
    everything = [header, *rows, *([total] if total else [])]
    widths = [max(len(visible(line[n])) for line in everything) for n in range(len(header))]
    lines = [
        "  ".join(
            f"{visible(value):<{width}}" if name in _OF_TEXT else f"{value:>{width}}"
            for name, value, width in zip(header, line, widths, strict=True)
        ).rstrip()
        for line in everything
    ]
    rule = "-" * max(map(len, lines))
    lines.insert(1, rule)
    if total:
        lines.insert(-1, rule)
    return "\n".join(lines)


def plural(number: int, word: str, ending: str = "s") -> str:
    """`number` and the word for as many."""
    return f"{number} {word}{'' if number == 1 else ending}"


def markdown_text(text: str) -> str:
    """`text` as Markdown that shows it."""
    return _as_markdown(visible(text))


def _as_markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#&~$!])", r"\\\1", text)


def markdown_code(text: str) -> str:
    """`text` as code in Markdown."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{visible(text)}{space}{fence}"


def visible(text: str) -> str:
    """`text` with control and bidirectional characters written out as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char == "\t" or char.isprintable() else _escape(char) for char in text)


def seen(text: str) -> str:
    """The lines of `text`, with nothing in them that is not seen."""
    lines = text.rstrip("\n").split("\n")
    return "\n".join(lines if "".join(lines).isprintable() else map(visible, lines))


def _joined(rows: Sequence[Sequence[str]]) -> str:
    """All values of a table, visible, to be escaped at once: a thousand rows have many."""
    if not "".join([value for values in rows for value in values]).isprintable():
        rows = [list(map(visible, values)) for values in rows]
    return _NEXT_ROW.join([_NEXT.join(values) for values in rows])


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
