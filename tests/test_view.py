"""What a notebook shows: values in, text out."""

from __future__ import annotations

import html
import re

import pytest
from coverage.results import Numbers

from ipycov import view
from ipycov.view import Shown, Source

#: figures, and how they are said
FIGURES = [
    ({}, "67%, 3 statements, 1 missed"),
    ({"n_statements": 1, "n_missing": 0}, "100%, 1 statement, 0 missed"),
    (
        {"n_branches": 2, "n_partial_branches": 1},
        "80%, 3 statements, 1 missed, 2 branches, 1 partial",
    ),
    ({"n_branches": 1}, "75%, 3 statements, 1 missed, 1 branch, 0 partial"),
]


@pytest.mark.parametrize(("figures", "said"), FIGURES)
def test_figures_in_words(figures: dict[str, int], said: str) -> None:
    """Figures are said in words, branches where there are any."""
    numbers = Numbers(**{"n_statements": 3, "n_missing": 1} | figures)
    assert Source("In[1]", numbers, []).figures == said


HEADER = ["Name", "Stmts", "Cover", "Missing"]
ROWS = [["In[1]", "3", "67", "2->4"], ["a_b|<i>\x1b.py", "10", "100", ""]]
TOTAL = ["TOTAL", "13", "92", ""]


def test_a_table() -> None:
    """A table has text to the left, numbers to the right, and percentages with their sign."""
    markup = view.table(HEADER, ROWS, TOTAL)
    assert '<td style="text-align:left">In[1]</td><td style="text-align:right">3</td>' in markup
    assert "67%</td>" in markup
    assert re.search(r"<tfoot.*92%</td>.*</tfoot>", markup)
    assert markup.count('<th scope="col"') == 4
    assert "a_b|&lt;i&gt;\\x1b.py" in markup
    assert not re.search(r"<(script|style|link|img|iframe)|\son\w+=|https?:|javascript:", markup)


def test_a_table_in_markdown() -> None:
    """The same table as Markdown, in which names stay text."""
    assert view.markdown_table(HEADER, ROWS, TOTAL).split("\n") == [
        "| Name | Stmts | Cover | Missing |",
        "| :--- | ---: | ---: | :--- |",
        r"| In\[1\] | 3 | 67% | 2-\>4 |",
        r"| a\_b\|\<i\>\\x1b.py | 10 | 100% |  |",
        "| **TOTAL** | **13** | **92%** |  |",
    ]


def test_a_table_in_text() -> None:
    """The same table as text, in columns."""
    rows = [row[:2] for row in ROWS]
    assert view.plain_table(HEADER[:2], rows, TOTAL[:2]).split("\n") == [
        "Name            Stmts",
        "---------------------",
        "In[1]               3",
        "a_b|<i>\\x1b.py     10",
        "---------------------",
        "TOTAL              13",
    ]


def test_notes_in_each_form() -> None:
    """Notes stand below what is shown, and are text in each form."""
    shown = Shown("x", "<p>x</p>", "x", ["<b>*y*\x1b"])
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == "x\n<b>*y*\\x1b"
    assert bundle["text/html"] == "<p>x</p><p>&lt;b&gt;*y*\\x1b</p>"
    assert bundle["text/markdown"] == "x\n\n\\<b\\>\\*y\\*\\\\x1b"
    assert html.unescape(bundle["text/html"]).endswith("<b>*y*\\x1b</p>")


def test_only_the_forms_there_are() -> None:
    """A display that has no HTML offers none."""
    assert set(Shown("x")._repr_mimebundle_()) == {"text/plain"}


#: a text, and the same as code in Markdown
CODE = [("x", "`x`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("\x1b", "`\\x1b`")]


@pytest.mark.parametrize(("text", "code"), CODE)
def test_code_in_markdown(text: str, code: str) -> None:
    """Backticks do not end the code that they stand in."""
    assert view.markdown_code(text) == code
