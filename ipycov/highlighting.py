"""Source text as coloured HTML, line by line, with each character that was typed.

Pygments colours it, by IPython's lexer where a text may hold magics. The HTML is text first: what
drops styles shows the same characters, and nothing in a text is ever markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from html import escape
from typing import Any

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token

from ipycov.lines import OWN_CELL_MAGIC, PYTHON_BODIES, headers
from ipycov.view import visible

#: How many characters of a line are shown.
LONGEST = 500

#: A longer text is shown without colours: they would take the better part of a second.
_TOO_LONG = 100_000

#: The colours of texts of up to so many characters are kept.
_KEPT = 10_000

#: What may not be Python alone: IPython's lexer is slower, and needed nowhere else.
_MAGIC = re.compile(r"^\s*[%!?]|=\s*[%!]|\?\s*$", re.MULTILINE)

#: The name in `ipycov.colours` for each kind of token; a kind below one of these has its colour.
_STYLES: dict[Any, str] = {
    Token: "",
    Keyword: "k",
    Operator.Word: "k",
    Operator: "o",
    Name.Builtin: "b",
    Name.Function: "d",
    Name.Class: "d",
    Name.Decorator: "o",
    String: "s",
    String.Affix: "k",
    Number: "n",
    Comment: "q",
}


def coloured(text: str) -> tuple[str, ...]:
    """The lines of `text`, which newlines part, as HTML."""
    return _kept(text) if len(text) <= _KEPT else _coloured(text)


@lru_cache(maxsize=1024)
def _kept(text: str) -> tuple[str, ...]:
    """The same, kept: it depends on nothing but the text, and is asked for again and again."""
    return _coloured(text)


def _coloured(text: str) -> tuple[str, ...]:
    lines: list[list[tuple[str, str]]] = [[]]
    for style, value in _tokens(text):
        first, *rest = value.split("\n")
        lines[-1].append((style, first))
        lines += [[(style, each)] for each in rest]
    return tuple(map(_line, lines))


def _tokens(text: str) -> Iterable[tuple[str, str]]:
    """The parts of `text` with the name of the colour of each."""
    if len(text) > _TOO_LONG:
        return [("", text)]
    python = [h.line for h in headers(text) if h.name in PYTHON_BODIES or h.name == OWN_CELL_MAGIC]
    if python:  # IPython's lexer leaves the body below them alone
        lines = text.split("\n")
        body = "\n".join(lines[python[-1] :])
        end = "\n" if len(lines) > python[-1] else ""
        return [("o", "\n".join(lines[: python[-1]]) + end), *_tokens(body)]
    found = [(kind, value) for _, kind, value in _lexer(text).get_tokens_unprocessed(text)]
    if "".join(value for _, value in found) != text:
        return [("", text)]  # a lexer that is not true to the text
    return [(_style(kind), value) for kind, value in found]


def _lexer(text: str) -> Any:
    if _MAGIC.search(text):
        try:
            from ipython_pygments_lexers import IPython3Lexer
        except ImportError:  # IPython 8 and before bring it themselves, if it is there at all
            try:
                from IPython.lib.lexers import IPython3Lexer
            except ImportError:
                return PythonLexer()
        return IPython3Lexer()
    return PythonLexer()


@cache
def _style(kind: Any) -> str:
    while kind not in _STYLES:
        kind = kind.parent
    return _STYLES[kind]


def _line(parts: Iterable[tuple[str, str]]) -> str:
    """A line as HTML, cut where it is too long."""
    html = []
    room = LONGEST
    left_out = 0
    for style, value in _joined(parts):
        shown, left = value[:room], len(value) - room
        room -= len(shown)
        left_out += max(left, 0)
        if shown:
            text = escape(visible(shown), quote=False)
            html.append(f'<span style="color:var(--{style})">{text}</span>' if style else text)
    if left_out:
        html.append(f"… <em>({left_out:,} more characters are left out)</em>")
    return "".join(html)


def _joined(parts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The same text in fewer parts: white space has no colour of its own to show."""
    style, text = "", ""
    for each, value in parts:
        if each == style or not value.strip(" "):
            text += value
        elif text.strip(" "):
            yield style, text
            style, text = each, value
        else:
            style, text = each, text + value
    yield style, text
