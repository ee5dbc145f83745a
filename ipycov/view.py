"""What a notebook shows: values in, HTML, Markdown and plain text out.

The HTML is static. It says everything in text and signs first, and uses style attributes with the
theme variables of JupyterLab and VS Code, so that it can be read where front ends drop styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Protocol

_FONT = "font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace))"
_SIZE = "font-size:var(--jp-code-font-size,13px)"
_QUIET = "color:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#666))"
_BORDER = "var(--jp-border-color1,var(--vscode-panel-border,#999))"

#: Sign and word of each line's state, and the colour of its edge.
STATES = {
    "run": (" ", "run", "#2e7d32"),
    "missing": ("!", "missed", "#c62828"),
    "partial": ("~", "partial", "#b26a00"),
    "excluded": ("-", "excluded", "#757575"),
    "before": (":", "ran before measuring", "#757575"),
    "": (" ", "", "transparent"),
}


@dataclass(frozen=True)
class Line:
    """A source line: its 1-based number, its text, its state and what to say of it."""

    number: int
    text: str
    state: str = ""
    note: str = ""


class Figures(Protocol):
    """The figures of a file, as coverage.py's `Numbers` has them."""

    n_statements: int
    n_missing: int
    n_branches: int
    n_partial_branches: int

    @property
    def pc_covered_str(self) -> str: ...


@dataclass(frozen=True)
class Source:
    """A file, cell or function: its name, its figures, its lines, and what it missed in short."""

    name: str
    numbers: Any
    lines: Sequence[Line]
    missing: str = ""

    @property
    def figures(self) -> str:
        """The figures in words."""
        numbers: Figures = self.numbers
        said = f"{numbers.pc_covered_str}%, {_plural(numbers.n_statements, 'statement')}, "
        said += f"{numbers.n_missing} missed"
        if numbers.n_branches:
            said += f", {_plural(numbers.n_branches, 'branch', 'es')}, "
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
        notes = [*self.notes]
        bundle = {"text/plain": "\n".join([self.plain.rstrip("\n"), *notes])}
        if self.html:
            bundle["text/html"] = self.html + "".join(f"<p>{escape(note)}</p>" for note in notes)
        if self.markdown:
            bundle["text/markdown"] = "\n\n".join([self.markdown.rstrip("\n"), *notes])
        return bundle


def run(shown: Sequence[Source], notes: Sequence[str]) -> Shown:
    """What a run covered: a line for each source, and the annotated sources."""
    width = max(len(source.name) for source in shown)
    plain = [
        f"{source.name:<{width}}  {source.figures}"
        + (f": {source.missing}" if source.missing else "")
        for source in shown
    ]
    markdown = [
        f"- `{source.name}` {source.figures}" + (f": {source.missing}" if source.missing else "")
        for source in shown
    ]
    return Shown("\n".join(plain), sources("Covered", shown), "\n".join(markdown), notes)


def annotated(plain: str, percent: float, shown: Sequence[Source], notes: Sequence[str]) -> Shown:
    """All sources, annotated; `percent` is the total, 0 to 100."""
    return Shown(plain, sources(f"Covered: {percent:.0f}%", shown), notes=notes)


def _plural(number: int, word: str, ending: str = "s") -> str:
    return f"{number} {word}{'' if number == 1 else ending}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]) -> str:
    """A table as HTML, the first column to the left and the rest to the right."""
    sides = ["left" if name in ("Name", "Missing") else "right" for name in header]
    names = "".join(
        f'<th style="text-align:{side}">{escape(name)}</th>'
        for side, name in zip(sides, header, strict=True)
    )
    cells = [
        f'<td style="text-align:{side}">%s{"%%" if name == "Cover" else ""}</td>'
        for side, name in zip(sides, header, strict=True)
    ]
    row = f"<tr>{''.join(cells)}</tr>"
    # escaped all at once: a thousand rows have several thousand values
    lines = escape("\0\n".join("\0".join(values) for values in rows)).split("\0\n")
    body = "".join([row % tuple(line.split("\0")) for line in lines]) if rows else ""
    foot = row % tuple(map(escape, total)) if total else ""
    foot = foot and f'<tfoot style="font-weight:bold">{foot}</tfoot>'
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody>{foot}</table>"


def sources(title: str, shown: Sequence[Source]) -> str:
    """Annotated sources as HTML, each folded but the first where there are more."""
    parts = [f"<p><strong>{escape(title)}</strong></p>"]
    for number, source in enumerate(shown):
        opened = " open" if number == 0 or len(shown) <= 3 else ""
        parts.append(
            f"<details{opened}><summary><strong>{escape(source.name)}</strong> "
            f'<span style="{_QUIET}">{escape(source.figures)}</span></summary>'
            f"{_source_lines(source.lines)}</details>"
        )
    return f"<div>{''.join(parts)}</div>"


def _source_lines(lines: Sequence[Line]) -> str:
    width = len(str(lines[-1].number)) if lines else 1
    shown = []
    for line in lines:
        sign, word, colour = STATES[line.state]
        note = line.note or (word if line.state in ("missing", "excluded") else "")
        said = f'  <em style="{_QUIET}"># {escape(note)}</em>' if note else ""
        shown.append(
            f'<span style="display:block;border-left:4px solid {colour};padding-left:6px" '
            f'title="{word}">'
            f'<span style="{_QUIET}">{line.number:>{width}} {sign} </span>'
            f"{escape(visible(line.text))}{said}\n</span>"
        )
    return (
        f'<pre style="{_FONT};{_SIZE};border:1px solid {_BORDER};padding:4px;overflow:auto">'
        f"{''.join(shown)}</pre>"
    )


def visible(text: str) -> str:
    """`text` with control and bidirectional characters written out as escapes."""
    return "".join(
        char
        if char == "\t" or char.isprintable()
        else f"\\x{ord(char):02x}"
        if ord(char) < 256
        else f"\\u{ord(char):04x}"
        for char in text
    )
