"""Annotated sources, as a notebook shows them: static HTML, Markdown and plain text.

The HTML is text first: signs and words stand in it, one source line on each line, so that it reads
the same where styles are dropped, to a screen reader, and without colour.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from html import escape
from itertools import accumulate, groupby

from ipycov.colours import DECLARED
from ipycov.highlighting import coloured
from ipycov.view import STATES, Line, Shown, Source, markdown_code, markdown_text, plural, visible

_FONT = (
    "font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace));"
    "font-size:var(--jp-code-font-size,13px);line-height:1.4"
)
_PANEL = f"{DECLARED};background:var(--bg);color:var(--fg);padding:4px"
_BREAK = "<br>\n"
_QUIET = "color:var(--q)"
_PRE = (
    f"{_FONT};margin:2px 0 8px;padding:4px 0;border:1px solid var(--q);"
    # what scrolled sideways would have to be reached by keyboard; JupyterLab breaks words anywhere
    "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
)

#: Octets of sources that are shown at most, of one source among others, and of names of the rest.
_MOST, _MOST_OF_ONE, _MOST_NAMES = 450_000, 250_000, 150_000

#: How many cells are named as those that ran a line.
_MOST_CELLS = 20


def run(shown: Sequence[Source], notes: Sequence[str], first: str = "") -> Shown:
    """What a run covered: a line for each source, and the annotated sources.

    The first is the run's own cell; the functions that it reached follow, the least covered first.
    `first` says what was covered for the first time.
    """
    width = max(len(source.name) for source in shown)
    plain = [f"{source.name:<{width}}  {source.figures}{_rest(source)}" for source in shown]
    markdown = [
        f"- {markdown_code(source.name)} {source.figures}{_rest(source)}" for source in shown
    ]
    if first:
        plain.append(first)
        markdown.append(f"- {markdown_text(first)}")
    ordered = [*shown[:1], *least_covered(shown[1:])]
    return Shown("\n".join(plain), sources(ordered, first=first), "\n".join(markdown), notes)


def report(
    table: tuple[str, str], shown: Sequence[Source], notes: Sequence[str], *, everything: Source
) -> Shown:
    """All sources, the least covered first. `table` is their summary as text and as Markdown."""
    plain, markdown = table
    ran = [line for source in shown for line in _who_ran(source)]
    if ran:
        plain = "\n".join([plain.rstrip("\n"), "", *ran])
        markdown = "\n".join([markdown.rstrip("\n"), "", *(f"- {markdown_text(x)}" for x in ran)])
    html = sources(least_covered(shown), everything)
    return Shown(plain, html, markdown, notes)


def least_covered(shown: Sequence[Source]) -> list[Source]:
    """The sources in the order in which they need a look, those alike in the order they had."""
    return sorted(shown, key=lambda source: source.numbers.pc_covered)


def sources(shown: Sequence[Source], everything: Source | None = None, *, first: str = "") -> str:
    """Annotated sources as HTML in this order, the first unfolded, or all where they are few.

    The figures of `everything` stand on top, else those of all that is shown, and `first`. What is
    too much to show is named.
    """
    if everything is None:
        numbers = [source.numbers for source in shown]
        everything = Source("", sum(numbers[1:], numbers[0]), ())
    few = len(shown) <= 3
    top = [
        f"{_bar(everything)} <strong>Covered: {_percent(everything)}</strong>, "
        + escape(everything.counts),
        *([escape(visible(first))] if first else []),
        f'<span style="{_QUIET}">{escape(_legend(shown))}</span>',
    ]
    parts = [f"<p>{_BREAK.join(top)}</p>"]
    size, number = 0, 0
    for number, source in enumerate(shown):
        if size > _MOST:
            break
        html = _source(source, opened=few or number == 0)
        size += len(html.encode())
        parts.append(html)
    else:
        number = len(shown)
    parts += _left_out(shown[number:])
    return "\n".join([f'<div style="{_PANEL}">', *parts, "</div>"])


def _source(source: Source, opened: bool) -> str:
    """One source, folded but where `opened`."""
    rows = list(_rows(source.lines))
    sizes = list(accumulate(len(row.encode()) for row in rows))
    shown = bisect_right(sizes, _MOST_OF_ONE)
    lines, states = rows[:shown], source.lines[:shown]
    blocks = []
    for (state, ran_by), group in groupby(
        zip(states, lines, strict=True), key=lambda pair: (pair[0].state, pair[0].ran_by)
    ):
        text = "\n".join(row for _, row in group)
        title = f' title="{_title(state, ran_by)}"' if state else ""
        blocks.append(
            f'<span style="display:block;border-left:5px solid {STATES[state].mark};'
            f'padding-left:6px"{title}>{text}\n</span>'
        )
    if shown < len(rows):
        last = source.lines[-1].number
        blocks.append(f"<em>lines {source.lines[shown].number}-{last} are left out</em>\n")
    return (
        f"<details{' open' if opened else ''}><summary><strong>{escape(visible(source.name))}"
        f"</strong> {_bar(source)} {escape(source.figures + _state(source))}</summary>\n"
        f'<pre dir="ltr" style="{_PRE}">{"".join(blocks)}</pre>{_who(source)}</details>'
    )


def _rows(lines: Sequence[Line]) -> Iterator[str]:
    """Each line as HTML: its number, its sign, its text and what there is to say of it."""
    if not lines:
        return
    width = len(str(lines[-1].number))
    texts = coloured("\n".join(line.text for line in lines))
    for line, text in zip(lines, texts, strict=True):
        state = STATES[line.state]
        told = line.state in ("missing", "partial", "excluded", "before") and not line.continued
        said = state.word if told else ""
        if line.note:
            said = f"{said}: {line.note}" if said else line.note
        colour = "m" if line.state in ("missing", "partial") else "q"
        note = f'  <em style="color:var(--{colour})">← {escape(visible(said))}</em>' if said else ""
        yield (
            f'<span style="color:var(--{colour})">{line.number:>{width}} {escape(state.sign)}'
            f" </span>{text}{note}"
        )


def _bar(source: Source) -> str:
    """A bar that repeats the figure beside it, and is nothing where styles are dropped."""
    percent = source.numbers.pc_covered
    return (
        '<span aria-hidden="true" style="display:inline-block;width:6em;height:.7em;'
        "border:1px solid var(--q);background:linear-gradient(90deg,"
        f'var(--r) {percent:.3g}%,transparent 0)"></span>'
    )


def _percent(source: Source) -> str:
    return f"{escape(source.numbers.pc_covered_str)}%"


def _legend(shown: Sequence[Source]) -> str:
    """The signs in words, those of branches and of unmeasured lines where there are any."""
    left_out = {""}
    if not any(source.numbers.n_branches for source in shown):
        left_out.add("partial")
    if not any(line.state == "before" for source in shown for line in source.lines):
        left_out.add("before")
    return "Signs: " + ", ".join(
        f"{state.sign} {state.word}" for name, state in STATES.items() if name not in left_out
    )


def _left_out(rest: Sequence[Source]) -> list[str]:
    """The names and figures of sources that are not shown."""
    if not rest:
        return []
    lines: list[str] = []
    size = 0
    for source in rest:
        size += len(source.name) * 2 + len(source.state) + 60
        if size > _MOST_NAMES:
            lines.append(f"and {len(rest) - len(lines)} more")
            break
        lines.append(f"{visible(source.name)}  {source.figures}{_state(source)}")
    text = escape("\n".join(lines))
    return [
        f"<details><summary>{plural(len(rest), 'more source')} left out, each covered at least "
        f"{_percent(rest[0])}</summary>\n"
        f'<pre dir="ltr" style="{_PRE};padding:4px">{text}</pre></details>'
    ]


# ---------------------------------------------------------------- who ran it


def _title(state: str, ran_by: Sequence[str]) -> str:
    words = [] if ran_by and state == "run" else [STATES[state].word]
    return escape("; ".join([*words, *([f"run by {_some(ran_by)}"] if ran_by else [])]))


def _who(source: Source) -> str:
    """The cells that ran each line, folded."""
    rows = [f"{where}  {_some(cells)}" for where, cells in _runs(source.lines)]
    if not rows:
        return ""
    text = "\n".join(rows)
    return (
        "\n<details><summary>Which cells ran its lines</summary>\n"
        f'<pre dir="ltr" style="{_PRE};padding:4px">{escape(text)}</pre></details>'
    )


def _who_ran(source: Source) -> list[str]:
    return [f"{source.name} {where} run by {_some(cells)}" for where, cells in _runs(source.lines)]


def _runs(lines: Sequence[Line]) -> Iterator[tuple[str, Sequence[str]]]:
    """Ranges of lines that the same cells ran; lines that are no statements part none."""
    ran = [line for line in lines if line.state]
    for cells, group in groupby(ran, key=lambda line: line.ran_by):
        numbers = [line.number for line in group]
        if cells:
            first, last = numbers[0], numbers[-1]
            yield (str(first) if first == last else f"{first}-{last}"), cells


def _some(cells: Sequence[str]) -> str:
    more = len(cells) - _MOST_CELLS
    return ", ".join(cells[:_MOST_CELLS]) + (f" and {more} more" if more > 0 else "")


def _rest(source: Source) -> str:
    return (f": {source.missing}" if source.missing else "") + _state(source)


def _state(source: Source) -> str:
    return f"; {source.state}" if source.state else ""
