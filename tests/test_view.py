"""What a notebook shows: values in, text out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from ipycov import view
from ipycov.view import Line, Shown, Source


@dataclass
class Numbers:
    n_statements: int = 3
    n_missing: int = 1
    n_branches: int = 0
    n_partial_branches: int = 0
    pc_covered_str: str = "67"


def source(name: str = "In[1]", **figures: int) -> Source:
    lines = [
        Line(1, "if x:", "partial", "line 1 didn't jump to line 2"),
        Line(2, "    y = 1", "missing"),
        Line(3, "# comment"),
        Line(4, "z = '<b>&'", "run"),
        Line(5, "w = 1", "excluded"),
    ]
    return Source(name, Numbers(**figures), lines, "2")


def text(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


#: figures, and how they are said
FIGURES = [
    ({}, "67%, 3 statements, 1 missed"),
    ({"n_statements": 1, "n_missing": 0}, "67%, 1 statement, 0 missed"),
    (
        {"n_branches": 2, "n_partial_branches": 1},
        "67%, 3 statements, 1 missed, 2 branches, 1 partial",
    ),
    ({"n_branches": 1}, "67%, 3 statements, 1 missed, 1 branch, 0 partial"),
]


@pytest.mark.parametrize(("figures", "said"), FIGURES)
def test_figures_in_words(figures: dict[str, int], said: str) -> None:
    """Figures are said in words, branches where there are any."""
    assert source(**figures).figures == said


def test_lines_are_told_by_signs() -> None:
    """Each state has a sign and, but for lines that ran, a word: colour is not needed."""
    shown = text(view.sources("Covered", [source()]))
    assert "1 ~ if x:  # line 1 didn" in shown
    assert "2 !     y = 1  # missed" in shown
    assert "3   # comment\n" in shown
    assert "4   z = " in shown
    assert "5 - w = 1  # excluded" in shown


def test_html_is_static() -> None:
    """The HTML has no script, no style sheet, no event and no address."""
    html = view.sources("Covered", [source()]) + view.table(["Name"], [["In[1]"]], ["TOTAL"])
    assert not re.search(r"<(script|style|link|img|iframe)|\son\w+=|https?:|javascript:", html)


#: a text that wants to be more, and what is shown
HOSTILE = [
    ("</pre><script>alert(1)</script>", "&lt;/pre&gt;&lt;script&gt;"),
    ('" onclick="x', "&quot; onclick=&quot;x"),
    ("\x1b[31m", "\\x1b[31m"),
    ("a\u202eb", "a\\u202eb"),
    ("\x00", "\\x00"),
    ("a\tb é ✓ 😀", "a\tb é ✓ 😀"),
]


@pytest.mark.parametrize(("given", "shown"), HOSTILE)
def test_source_is_only_text(given: str, shown: str) -> None:
    """Markup is escaped, and control and bidirectional characters are written out."""
    named = Source(given, Numbers(), [Line(1, given, "missing", given)])
    html = view.sources("Covered", [named])
    assert shown in html
    assert "<script" not in html


def test_several_sources_are_folded() -> None:
    """Of many sources the first alone is open; few are all open."""
    assert view.sources("", [source()] * 4).count("<details open>") == 1
    assert view.sources("", [source()] * 3).count("<details open>") == 3


def test_a_table() -> None:
    """A table has names to the left, numbers to the right, and percentages with their sign."""
    html = view.table(["Name", "Cover"], [["In[1]", "67"]], ["TOTAL", "67"])
    assert '<td style="text-align:left">In[1]</td><td style="text-align:right">67%</td>' in html
    assert "<tfoot" in html
    assert "67%</td></tr></tfoot>" in html


def test_a_run_in_each_form() -> None:
    """A run is shown as text, Markdown and HTML, with its notes."""
    shown = view.run([source(), source("a.py f")], ["x is not in the report"])
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"].split("\n") == [
        "In[1]   67%, 3 statements, 1 missed: 2",
        "a.py f  67%, 3 statements, 1 missed: 2",
        "x is not in the report",
    ]
    assert bundle["text/markdown"].startswith("- `In[1]` 67%")
    assert "<p>x is not in the report</p>" in bundle["text/html"]


def test_only_the_forms_there_are() -> None:
    """A display that has no HTML offers none."""
    assert set(Shown("x")._repr_mimebundle_()) == {"text/plain"}
