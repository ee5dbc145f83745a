"""The inline view of annotated sources."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import pytest
from coverage.results import Numbers

from ipycov import inline
from ipycov.view import STATES, Line, Source


def numbers(statements: int = 4, missing: int = 1, **figures: int) -> Numbers:
    return Numbers(n_files=1, n_statements=statements, n_missing=missing, **figures)


LINES = [
    Line(1, "if x:", "partial", "line 1 didn't jump to line 3", ("In[2]", "In[3]")),
    Line(2, "    y = 1", "missing"),
    Line(3, "# comment"),
    Line(4, "z = '<b>&'", "run", ran_by=("In[2]",)),
    Line(5, "w = 1", "excluded"),
]


def source(
    name: str = "In[1]", lines: Sequence[Line] = LINES, missing: int = 1, **figures: int
) -> Source:
    return Source(name, numbers(missing=missing, **figures), lines, "2")


def read(markup: str) -> str:
    """What is left where styles, classes and other attributes are dropped."""
    assert not re.search(r"<(?!/?(div|p|br|strong|span|details|summary|pre|em)\b)", markup)
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def test_each_line_is_read_as_text() -> None:
    """One source line stands on each line: its number, a sign for its state, its text, words."""
    shown = read(inline.sources([source(lines=[*LINES, Line(10, "")])])).split("\n")
    start = shown.index(" 1 ~ if x:  ← partial: line 1 didn't jump to line 3")
    assert shown[start + 1 : start + 6] == [
        " 2 !     y = 1  ← missed",
        " 3   # comment",
        " 4 > z = '<b>&'",
        " 5 - w = 1  ← excluded",
        "10   ",
    ]


def test_lines_that_ran_before_measuring() -> None:
    """They have a sign and words of their own, said once for each statement."""
    lines = [Line(1, "import (", "before"), Line(2, "os)", "before", continued=True)]
    shown = read(inline.sources([source(lines=lines)]))
    assert "1 : import (  ← ran before measuring\n2 : os)\n" in shown
    assert ": ran before measuring" in shown.partition("import")[0]


def test_lines_stand_in_pre() -> None:
    """What keeps line ends is an element, not a style."""
    markup = inline.sources([source()])
    (block,) = re.findall(r"<pre[^>]*>(.*?)</pre>", markup, flags=re.S)[:1]
    assert read(block).count("\n") == 5


def test_lines_are_aligned_where_colours_are_dropped() -> None:
    """JupyterLab drops borders with variables from untrusted notebooks: from all lines alike."""
    assert {"var(--" in state.mark for state in STATES.values()} == {True}


def test_figures_and_signs_on_top() -> None:
    """The figures of all that is shown stand on top, and what the signs mean."""
    shown = read(inline.sources([source(), source("f", missing=0)])).split("\n")
    top = [line.strip() for line in shown if line.strip()]
    assert top[0] == "Covered: 88%, 8 statements, 1 missed"
    assert top[1] == "Signs: > run, ! missed, - excluded"
    with_branches = read(inline.sources([source(n_branches=2, n_missing_branches=1)]))
    assert "~ partial" in with_branches


def test_the_html_is_static() -> None:
    """There is no script, no style sheet, no event, no class, no id and no address."""
    markup = inline.sources([source()] * 5)
    forbidden = r"<(script|style|link|img|iframe)|\s(on\w+|class|id|href|src)=|https?:|javascript:"
    assert not re.search(forbidden, markup)
    assert "url(" not in markup


def test_the_least_covered_first() -> None:
    """In a report the least covered come first, those alike in their order; few are all open."""
    shown = [source("a", missing=1), source("b", missing=3), source("c", missing=1), source("d")]
    markup = inline.report(("", ""), shown, [], everything=shown[0]).html
    assert re.findall(r"<summary><strong>(\w)", markup) == ["b", "a", "c", "d"]
    assert re.findall(r"<details open><summary><strong>(\w)", markup) == ["b"]
    assert inline.sources(shown[:3]).count("<details open>") == 3


def test_the_cell_of_a_run_comes_first() -> None:
    """What %%cov shows begins with its cell, and the functions follow, the least covered first."""
    shown = [source("In[3]", missing=0), source("f"), source("g", missing=3)]
    markup = inline.run(shown, []).html
    assert re.findall(r"<summary><strong>([^<]+)", markup) == ["In[3]", "g", "f"]


def test_what_may_not_be_true_any_more() -> None:
    """A source that has changed since is said to have, beside its figures, in every form."""
    stale = Source("In[1]", numbers(), LINES, "2", "stale: edited since it ran")
    bundle = inline.run([stale], [])._repr_mimebundle_()
    said = "75%, 4 statements, 1 missed; stale: edited since it ran"
    assert said in read(bundle["text/html"])
    for form in ("text/plain", "text/markdown"):
        assert "1 missed: 2; stale: edited since it ran" in bundle[form]


def test_a_run_in_each_form() -> None:
    """A run is shown as text, Markdown and HTML, with what it was the first to cover, and notes."""
    bundle = inline.run(
        [source(), source("a.py f")], ["x is not in the report"], "2 lines: In[1] 4-5"
    )._repr_mimebundle_()
    assert bundle["text/plain"].split("\n") == [
        "In[1]   75%, 4 statements, 1 missed: 2",
        "a.py f  75%, 4 statements, 1 missed: 2",
        "2 lines: In[1] 4-5",
        "x is not in the report",
    ]
    assert bundle["text/markdown"].split("\n") == [
        "- `In[1]` 75%, 4 statements, 1 missed: 2",
        "- `a.py f` 75%, 4 statements, 1 missed: 2",
        "- 2 lines: In\\[1\\] 4-5",
        "",
        "x is not in the report",
    ]
    assert "2 lines: In[1] 4-5" in bundle["text/html"]
    assert "<p>x is not in the report</p>" in bundle["text/html"]


def test_who_ran_a_line() -> None:
    """The cells that ran lines are in the title of the lines, and in words to unfold."""
    markup = inline.sources([source()])
    assert 'title="partial; run by In[2], In[3]"' in markup
    assert 'title="run by In[2]"' in markup
    assert 'title="missed"' in markup
    shown = read(markup)
    assert "Which cells ran its lines\n1  In[2], In[3]\n4  In[2]" in shown
    plain = inline.report(("table", "| table |"), [source()], [], everything=source())
    assert plain.plain == "table\n\nIn[1] 1 run by In[2], In[3]\nIn[1] 4 run by In[2]"
    assert "- In\\[1\\] 4 run by In\\[2\\]" in plain.markdown


def test_lines_that_the_same_cells_ran() -> None:
    """They are told as a range, and of very many cells the first are named."""
    cells = tuple(f"In[{number}]" for number in range(30))
    lines = [
        Line(n, "x", "run" if n != 3 else "", ran_by=cells if n != 3 else ()) for n in (2, 3, 4)
    ]
    shown = read(inline.sources([source(lines=lines)]))
    assert re.search(r"\n2-4  In\[0\], .*In\[19\] and 10 more\n", shown)


def test_a_report_that_is_too_long() -> None:
    """A thousand cells stay below two million octets; the best covered are named, not shown."""
    long = [Line(number, f"x_{number} = 'é' + '✓'", "run") for number in range(1, 11)]
    shown = [
        source(f"In[{number}]", long, missing=(number % 4) and 4 - number % 4)
        for number in range(1000)
    ]
    bundle = inline.report(("", ""), shown, [], everything=shown[0])._repr_mimebundle_()
    assert sum(len(form.encode()) for form in bundle.values()) < 2_000_000
    text = read(bundle["text/html"])
    left_out = re.search(r"(\d+) more sources left out, each covered at least (\d+)%", text)
    assert left_out is not None
    assert bundle["text/html"].count("<details") - 1 == 1000 - int(left_out[1])
    assert "\nIn[0]  100%, 4 statements, 0 missed\n" in text
    names = set(re.findall(r"In\[\d+\]", text))
    assert len(names) == 1000, "each is there, with its lines or by name"


def test_a_source_that_is_too_long() -> None:
    """Of a source of very many lines the first are shown, and it is said which are not."""
    long = [Line(number, f"x = {number}", "run") for number in range(1, 20_001)]
    markup = inline.sources([source(lines=long), source("other")])
    assert len(markup) < 1_000_000
    assert re.search(r"\nlines \d{4}-20000 are left out\n", read(markup))
    assert "other" in markup


#: a text that wants to be more, and how it is read
HOSTILE = [
    ("</pre><script>alert(1)</script>", "</pre><script>alert(1)</script>"),
    ('" onclick="x', '" onclick="x'),
    ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
    ("&lt;b&gt;", "&lt;b&gt;"),
    ("x\x1b[31mred", "x\\x1b[31mred"),
    ("x\x1b]8;;http://a\x07", "x\\x1b]8;;http://a\\x07"),
    ("a\u202eb\u2066c\u200f", "a\\u202eb\\u2066c\\u200f"),
    ("a\x00b\x08\x7f\x9b", "a\\x00b\\x08\\x7f\\x9b"),
    ("a\ud800b", "a\\ud800b"),
    ("a\U000e0041b", "a\\U000e0041b"),
    ("a\rb\x85\u2028c", "a\\x0db\\x85\\u2028c"),
    ("`x` *y* [z](javascript:a) | ~~b~~ $c$", "`x` *y* [z](javascript:a) | ~~b~~ $c$"),
    ("\ta é ✓ 😀", "\ta é ✓ 😀"),
]


@pytest.mark.parametrize(("given", "shown"), HOSTILE)
def test_source_is_only_text(given: str, shown: str) -> None:
    """Markup is escaped, and what is not seen is written out, in every form and every place."""
    hostile = Source(
        given, numbers(), [Line(1, given, "missing", given), Line(2, f"# {given}", "run")], given
    )
    bundle = inline.run([hostile, hostile], [given])._repr_mimebundle_()
    text = read(bundle["text/html"])
    assert f"1 ! {shown}  ← missed: {shown}\n2 > # {shown}\n" in text
    for form in bundle.values():
        unseen = [char for char in form if not char.isprintable() and char not in "\n\t"]
        assert unseen == []
    assert "<script" not in bundle["text/html"]
    assert "<img" not in bundle["text/html"]


def test_a_million_characters_in_a_line() -> None:
    """A line of a megabyte is cut in the HTML, and stays out of the other forms."""
    lines = [Line(1, "x = '" + "<\u202e" * 500_000 + "'", "run")]
    bundle = inline.run([source(lines=lines)], [])._repr_mimebundle_()
    assert all(len(form) < 20_000 for form in bundle.values())
    assert "(999,506 more characters are left out)" in read(bundle["text/html"])
