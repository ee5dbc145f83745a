"""Odd source in a real kernel: it runs as it would, and every view shows it as text."""

from __future__ import annotations

import pytest
from kernels import Notebook
from projects import command

ESCAPES = "\x1b[31m\u202e\x9b2J\x07"
CONTROLS = set("\x1b\u202e\x9b\x07")
MARKUP = f"</pre><script>alert(1)</script>`|[x](javascript:y) {ESCAPES}"

#: Source, and the lines of it that run and that are missed.
SOURCES = {
    "form feeds": ("x = 1\n\f\ny = 2\n\fz = 3\nif z == 4:\n    z = 5", [1, 3, 4, 5], [6]),
    "other separators": ("x = 'a\x0bb\x1cc\x85d\u2028e'\nif x == 2:\n    y = 4", [1, 2], [3]),
    "carriage returns and line feeds": ("x = 1\r\nif x == 2:\r\n    y = 3\r\n", [1, 2], [3]),
    "a coding cookie": ("# -*- coding: latin-1 -*-\nx = 'é'\nif x == 2:\n    y = 3", [2, 3], [4]),
    "an unknown cookie": ("# -*- coding: no -*-\nx = 'é'\nif x == 2:\n    y = 3", [2, 3], [4]),
    "tabs": ("if 1:\n\tx = 1\n\tif x == 2:\n\t\ty = 3", [1, 2, 3], [4]),
    "brackets": (f"x = {'(' * 150}1{')' * 150}\nif x == 2:\n    y = 3", [1, 2], [3]),
    "blocks": ("\n".join(" " * depth + "if 1:" for depth in range(90)) + " x = 1", None, []),
    "operators": (f"x = {'-' * 900}1\nif x == 2:\n    y = 3", [1, 2], [3]),
    "a chain": ("if 0: pass\n" + "elif 0: pass\n" * 500 + "else: x = 1", None, None),
    "markup": (f"x = {MARKUP!r}  # {MARKUP}\nif x == 2:\n    y = 3", [1, 2], [3]),
    "a megabyte": (f"x = '{'<b>' * 350_000}'\nif x == 2:\n    y = 3", [1, 2], [3]),
    "many lines": ("x = 1\n" * 50_000 + "if x == 2:\n    y = 3", None, [50_002]),
}

#: What does not compile, and the end of what is said of it.
REFUSED = {
    "a null byte": ("x = '\0'\ny = 1", "null byte"),
    "a byte order mark": ("\ufeffx = 1", "U+FEFF"),
    "too many brackets": (f"x = {'(' * 5000}1{')' * 5000}", "too many nested parentheses"),
}

VIEWS = (
    "",
    "markdown",
    "html",
    "html --show-contexts",
    "--cells",
    "--contexts tests",
    *(f"{kind} -o out.{kind}" for kind in ("text", "markdown", "xml", "lcov")),
    "html -o site",
)


def refusal(text: str) -> str:
    """The name of Python's error, which for a null byte is another before 3.11.4."""
    with pytest.raises((SyntaxError, ValueError)) as refused:
        compile(text, "<text>", "exec")
    return refused.type.__name__


def test_odd_source(notebook: Notebook) -> None:
    """Lines are those of the front end, whatever they hold, and each view is made of it."""
    notebook.must("%coverage_live")
    labels = {}
    for kind, (text, _, _) in SOURCES.items():
        reply = notebook.must(text)
        labels[kind] = reply.label
        assert not CONTROLS & set(reply.html + reply.text)
    notebook.must("%coverage_live --off")
    for kind, (text, _) in REFUSED.items():
        reply = notebook.run(text)
        assert (reply.status, reply.ename) == ("error", refusal(text)), kind
        assert "ipycov" not in reply.said
    files = notebook.report()
    for kind, (_, ran, missed) in SOURCES.items():
        entry = files[labels[kind]]
        assert ran is None or entry["executed_lines"] == ran, kind
        assert missed is None or entry["missing_lines"] == missed, kind
    for view in VIEWS:
        reply = notebook.must(f"%coverage_report {view}")
        shown = reply.text + reply.stderr
        shown += "".join(each.get("text/markdown", "") for each in reply.displays)
        assert not CONTROLS & set(shown + reply.html), view
        assert "<script" not in reply.html, view
        for _, why in REFUSED.values():
            assert "-o" in view or why in shown, view
    for kind in ("markup", "a megabyte"):
        reply = notebook.must(f"%%cov\n{SOURCES[kind][0]}")
        assert not CONTROLS & set(reply.text + reply.html)
        assert len(reply.html) < 100_000
    why = notebook.must(f"%coverage_report --why {ESCAPES}.py")
    assert not CONTROLS & set(why.said)
    pages = [path.read_text(encoding="utf-8") for path in notebook.directory.glob("site/*.html")]
    assert pages
    assert not [page for page in pages if "<script>alert" in page or CONTROLS & set(page)]
    done = command("ipycov", "report", cwd=notebook.directory)
    assert not CONTROLS & set(done.stdout + done.stderr)
