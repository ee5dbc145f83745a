"""What each typed line means in Python."""

from __future__ import annotations

import pytest

from ipycov.lines import Header, headers, own_statement, rows, translate


def shell_transform(typed: str) -> str:
    """`typed` as IPython compiles it."""
    from IPython.core.inputtransformer2 import TransformerManager

    text: str = TransformerManager().transform_cell(typed)
    return text


SAME = [
    "x = 1\ny = 2",
    "if x:\n    y = 1\nelse:\n    y = 2\n",
    "s = '''\n%time x\n!ls\n'''\nx = 1",
    "",
    "x = 5 % 3\ny = x != 4",
]


@pytest.mark.parametrize("typed", SAME)
def test_python_stays(typed: str) -> None:
    """Python without magics is its own translation, line for line."""
    translation = translate(typed, shell_transform(typed))
    assert translation.python == typed
    assert translation.headers == ()


#: typed text, and each line's Python; a line that means nothing of its own is blank
TRANSLATED = [
    ("\n\nx = 1\ny = 2", ["", "", "x = 1", "y = 2"]),
    ("  x = 1\n  if x:\n      y = 2", ["x = 1", "if x:", "    y = 2"]),
    (
        "x = 1\n!echo a",
        ["x = 1", "get_ipython().system('echo a')"],
    ),
    (
        "%config \\\n  A\nx = 1",
        ["get_ipython().run_line_magic('config', '   A')", "", "x = 1"],
    ),
    (
        "x = 1\ny = %ls \\\n  a\nz = 2",
        ["x = 1", "y = get_ipython().run_line_magic('ls', '   a')", "", "z = 2"],
    ),
    (">>> x = 1\n>>> if x:\n...     y = 2", ["x = 1", "if x:", "    y = 2"]),
    ("In [1]: x = 1\n   ...: y = 2", ["x = 1", "y = 2"]),
    ("x = 1\nlen?", ["x = 1", "get_ipython().run_line_magic('pinfo', 'len')"]),
    ("%cov -q f(1)", ["f(1)"]),
    ("\n%cov x = 1\n", ["", "x = 1", ""]),
    ("%%cov\nx = 1\n!echo", ["", "x = 1", "get_ipython().system('echo')"]),
    ("%%time\n\nx = 1", ["", "", "x = 1"]),
    ("%%cov -q\n%%capture out\nx = 1", ["", "", "x = 1"]),
    (">>> %%time\n... x = 1\n... y = 2", ["", "x = 1", "y = 2"]),
    ("%%bash\necho a\necho b", ["get_ipython().run_cell_magic('bash', '', '')", "", ""]),
    (
        "%%time\n%%html\n<b>",
        ["", "get_ipython().run_cell_magic('html', '', '')", ""],
    ),
]


@pytest.mark.parametrize(("typed", "python"), TRANSLATED)
def test_lines_stay_where_they_were_typed(typed: str, python: list[str]) -> None:
    """Line n of the translation is what line n of the typed text means."""
    assert [row.rstrip() for row in translate(typed).python.split("\n")] == python


@pytest.mark.parametrize(
    "typed", [typed for typed, _ in TRANSLATED if not typed.lstrip().startswith(("%%", "%cov"))]
)
def test_compiled_text_agrees(typed: str) -> None:
    """The text that IPython compiled gives the translation that is found without it."""
    with_it = translate(typed, shell_transform(typed))
    assert with_it.python.split("\n") == translate(typed).python.split("\n")


#: typed text, and the typed line of each compiled line
ORIGINS = [
    ("x = 1\ny = 2", (1, 2)),
    ("\n\nx = 1\ny = 2", (3, 4)),
    ("%config \\\n  A\nx = 1", (1, 3)),
    ("x = 1\n%a \\\n  b \\\n  c\ny\n!d \\\n  e\nz", (1, 2, 5, 6, 8)),
    ("%%time\n\nx = 1", (3,)),
]


@pytest.mark.parametrize(("typed", "origin"), ORIGINS)
def test_origin_of_compiled_lines(typed: str, origin: tuple[int, ...]) -> None:
    """Each line that IPython compiles is traced to the line that was typed."""
    assert translate(typed).origin == origin


#: A user's own transformer may make anything of a text.
OWN_TRANSFORMERS = [
    ("x = 1\nSWAP\ny = 2", "x = 1\nz = 3\ny = 2\n", (1, 2, 3)),
    ("x = 1\ny = 2", "import a\nx = 1\ny = 2\n", (1, 1, 2)),
    ("x = 1\n# gone\ny = 2", "x = 1\ny = 2\n", (1, 3)),
]


@pytest.mark.parametrize(("typed", "compiled", "origin"), OWN_TRANSFORMERS)
def test_transformers_of_the_users(typed: str, compiled: str, origin: tuple[int, ...]) -> None:
    """The compiled text decides where a user's own transformers had a say."""
    assert translate(typed, compiled).origin == origin


#: typed text and its cell magics: name and line of each
HEADERS = [
    ("x = 1", []),
    ("%%time", [("time", 1)]),
    ("\n%%time -x\nx", [("time", 2)]),
    ("%%cov\n\n%%time\nx", [("cov", 1), ("time", 3)]),
    ("%%bash\n%%time\nx", [("bash", 1)]),
    (">>> %%cov\n... %%time\n... x", [("cov", 1), ("time", 2)]),
    ("\nIn [1]: %%time\n   ...: x", [("time", 2)]),
    ("%%cov?", []),
    ("x\n%%time\ny", []),
    ("%time x\n%%time", []),
]


@pytest.mark.parametrize(("typed", "found"), HEADERS)
def test_headers(typed: str, found: list[tuple[str, int]]) -> None:
    """The cell magics above a body are found down to the first whose body is no Python."""
    assert [(header.name, header.line) for header in headers(typed)] == found


def test_header_arguments() -> None:
    """A header knows its arguments."""
    assert headers("%%cov --branch -q \nx") == (Header(1, "cov", "--branch -q"),)


#: a %cov line, its options and its statement
STATEMENTS = [
    ("%cov f(1)", ("", "f(1)")),
    ("%cov x = 1", ("", "x = 1")),
    ("  %cov -q --branch f(1)  ", ("-q --branch", "f(1)")),
    (
        "%cov --source a --omit='b c' --fail-under=5 f(-1)",
        ("--source a --omit='b c' --fail-under=5", "f(-1)"),
    ),
    ("%cov --source a --omit 'b c' -q f(--x)", ("--source a --omit 'b c' -q", "f(--x)")),
    ("%cov await f()", ("", "await f()")),
    ("%cov", None),
    ("%cov -q", None),
    ("%cov --nope f(1)", None),
    ("%%cov f(1)", None),
    ("%coverage_report json", None),
    ("%cov a\n%cov b", None),
    ("x", None),
]


@pytest.mark.parametrize(("text", "found"), STATEMENTS)
def test_own_statement(text: str, found: tuple[str, str] | None) -> None:
    """A cell that is one %cov line is told apart, with its options and its statement."""
    assert own_statement(rows(text)) == found


#: typed text and the lines that hold ipycov's own magics only
OWN = [
    ("%coverage_report", {1}),
    ("x = 1\n%coverage_report json -o x\n%coverage_start\n%coverage_stop\ny", {2, 3, 4}),
    ("%coverage_erase\n%coverage_reports\n%cov x\n%config IPyCov", {1}),
]


@pytest.mark.parametrize(("typed", "own"), OWN)
def test_own_magics_are_told(typed: str, own: set[int]) -> None:
    """Lines that are ipycov's own magics are known, for they are no statements."""
    assert translate(typed).own == own


@pytest.mark.parametrize("magic", ["mine", "px"])
def test_a_body_that_was_compiled_is_python(magic: str) -> None:
    """The body of any magic counts line by line once it was compiled as Python."""
    translation = translate(f"%%{magic}\nx = 1\ny = 2", python_body=True)
    assert translation.python == "\nx = 1\ny = 2"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """Lines are counted whatever ends them."""
    assert rows(f"a{end}b{end}c") == ["a", "b", "c"]


@pytest.mark.parametrize("typed", ["%%time", "%%cov", "%%cov\n", "%%time\n\n", "\n\n", "%%bash"])
def test_nothing_below_a_header(typed: str) -> None:
    """A text with nothing to run has a translation of as many lines."""
    assert len(translate(typed).python.split("\n")) == len(typed.split("\n"))
