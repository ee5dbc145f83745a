"""Source text as coloured HTML."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipycov import highlighting
from ipycov.colours import TEXT
from ipycov.highlighting import LONGEST, coloured
from ipycov.view import visible

#: texts that are kept to the letter, whatever they are
TEXTS = [
    "",
    "\n\n",
    "x = 1",
    "\n\n  x = 1\n\n\n",
    "def f(a, *, b: int = 1) -> str:\n\t'''Doc\n    é ✓ 😀'''\n    return f'{a!r} {b:>3}'  # end  ",
    "%%time\nfor i in range(3):\n    pass",
    "%%cov --branch\n\n%%time\nx = 1",
    "%%cov",
    "%%bash\necho '$x' && ls",
    "%matplotlib inline\n!ls $x\nfiles = !ls\nx = %who\nf?\n??g\n%cov f(1)",
    "x = (",
    "'''never closed\nx = 1",
    "x = 'never closed\ny = 1",
    "$?§ \\ `",
    "match x:\n    case 1: pass",
    "\x0c\x0bx = 1",
    "async def f(): await g()\n@decorated\nclass C(Base): x = True",
]


def text(lines: tuple[str, ...]) -> str:
    """What is read, styles or not."""
    return "\n".join(html.unescape(re.sub(r"<[^>]+>", "", line)) for line in lines)


@pytest.mark.parametrize("source", TEXTS)
def test_the_text_is_kept(source: str) -> None:
    """Each line of the HTML holds the characters of its line, and each element ends in it."""
    lines = coloured(source)
    assert text(lines) == source.replace("\x0c", "\\x0c").replace("\x0b", "\\x0b")
    assert all(line.count("<span") == line.count("</span>") for line in lines)


@given(st.text("ab1 \t\n'\"#%!?({[\\\\$:=é\u202e\x1b<&", max_size=60))
def test_any_text_is_kept(source: str) -> None:
    """Whatever is typed is read line by line, with what is not seen written out."""
    assert text(coloured(source)).split("\n") == [visible(line) for line in source.split("\n")]


#: a source, and the colour of a part of it
COLOURS = [
    ("def f(): pass", "def ", "k"),
    ("def f(): pass", "f", "d"),
    ("x = 12", "12", "n"),
    ("x = 'a'", "'a'", "s"),
    ("x  # note", "# note", "q"),
    ("print(x)", "print", "b"),
    ("%%cov\nimport os", "import ", "k"),
    ("%%time\nimport os", "import ", "k"),
    ("x = 1\nfiles = !ls\nimport os", "import ", "k"),
]


@pytest.mark.parametrize(("source", "part", "name"), COLOURS)
def test_colours(source: str, part: str, name: str) -> None:
    """Keywords, names, strings and so on have colours, below magics too."""
    assert f'<span style="color:var(--{name})">{part}</span>' in "\n".join(coloured(source))


def test_each_colour_is_declared() -> None:
    """The names of colours are those that a view declares."""
    assert set(highlighting._STYLES.values()) - {""} <= set(TEXT)


def test_without_ipythons_lexer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where IPython's lexer is missing, Python's colours what it knows."""
    for name in ("ipython_pygments_lexers", "IPython.lib.lexers"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    source = "!ls  # without\nimport os"
    assert text(coloured(source)) == source
    assert '<span style="color:var(--k)">import </span>' in coloured(source)[1]


def test_a_long_line_is_cut() -> None:
    """A line of a million characters is cut, with a note of how many were left out."""
    (line,) = coloured("x = '" + "<" * 1_000_000 + "'")
    assert len(line) < 10 * LONGEST
    assert line.endswith("… <em>(999,506 more characters are left out)</em>")
    (line,) = coloured("x" * LONGEST)
    assert line == "x" * LONGEST


def test_lines_after_a_long_one() -> None:
    """The lines after one that was cut are as they were."""
    lines = coloured("x = '" + "a" * 600 + "'\nimport os")
    assert text(lines[1:]) == "import os"
    assert "(106 more characters are left out)" in lines[0]
