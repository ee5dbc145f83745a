"""Programs that Hypothesis makes up: every kind of statement in every other.

They end, and run the same each time: loops count down in names of their own, conditions are
constants or such that Python can't know before it runs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .programs import Program

Lines = list[str]
T = TypeVar("T")

#: Told apart by what a compiler can know of them.
_CONDITIONS = ["len('a')", "len('')", "not len('')", "1", "0", "True", "False", "None", "''"]
_MULTILINE_CONDITIONS = ["(\n    len('a')\n    and len('')\n)", "max(\n    0,\n    len('a'),\n)"]

_SIMPLE = [
    "a = 1",
    "a = 1; b = 2",
    "pass",
    "...",
    "'a string'",
    '"""A string\non two lines."""',
    "17",
    "a: int = 1",
    "a: int",
    "global b",
    "import os",
    "from os import (\n    path,\n    sep,\n)",
    "a = [\n    1,\n    len('a'),\n]",
    "a = max(\n    len('a'),\n    min(\n        1, 2,\n    ),\n)",
    "a = [i for i in range(2)]",
    "a = [\n    i\n    for i in range(2)\n    if i\n]",
    "a = list(i for i in range(2))",
    "a = (lambda: 1)()",
    "a = lambda: 1",
    "a = (lambda x: (\n    x\n    + 1\n))(1)",
    "a = 1 if len('') else 2",
    "a = (\n    len('')\n    or len('a')\n)",
    "assert len('a')",
    "assert len('a'), (\n    'a message'\n)",
    "del [a for a in range(1)][0]",
    "# a comment",
    "",
    "a = 1  # pragma: no cover",
    "def one_line(): return 1",
    "def one_line(): return 1\none_line()",
    "class OneLine: pass",
    "class OneLine: a = lambda self: 1\nOneLine().a()",
]

_HOW_MANY = [1, 1, 2, 3, 4, 5]

_FAILING = ["1 / 0", "raise ValueError", "assert len('')", "raise ValueError(\n    'a'\n)", "[][1]"]


class Draw:
    """Lets Hypothesis choose."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def __call__(self, choices: Sequence[T]) -> T:
        return choices[self._data.draw(_numbers_below(len(choices)))]


@cache
def _numbers_below(number: int) -> st.SearchStrategy[int]:
    return st.integers(0, number - 1)


@dataclass(frozen=True)
class _Place:
    """Where a statement stands: how deep, and in what."""

    depth: int = 0
    loop: bool = False
    function: bool = False
    generator: bool = False
    star: bool = False

    def inside(self, **changes: bool) -> _Place:
        return replace(self, depth=self.depth + 1, **changes)


def _indented(lines: Lines) -> Lines:
    # the second line of a string may stand anywhere
    return [textwrap.indent(line, "    ") for line in lines]


def _condition(draw: Draw) -> str:
    return draw(_CONDITIONS * 2 + _MULTILINE_CONDITIONS)


def _suite(draw: Draw, place: _Place) -> Lines:
    """The lines of an indented suite, which holds one statement at least."""
    lines = _statements(draw, place, most=4)
    if not any(line.strip() and not line.strip().startswith("#") for line in lines):
        lines = [*lines, "pass"]
    return _indented(lines)


def _statements(draw: Draw, place: _Place, most: int) -> Lines:
    lines: Lines = []
    for _ in range(draw(_HOW_MANY[:most])):
        lines += _statement(draw, place)
    return lines


def _statement(draw: Draw, place: _Place) -> Lines:
    kinds = ["simple"] * (3 + 4 * place.depth)
    if place.depth < 3:
        kinds += ["if", "if", "for", "while", "while true", "try", "with", "match"]
        kinds += ["one line", "function", "class", "generator"]
    kinds += ["fail"] if place.depth else []
    kinds += ["leave"] * 3 if place.loop or place.function else []
    kind = draw(kinds)
    if kind == "simple":
        return [draw(_SIMPLE)]
    if kind == "fail":
        return [draw(_FAILING)]
    if kind == "leave":
        return _leaving(draw, place)
    makers = {
        "if": _if,
        "for": _for,
        "while": _while,
        "while true": _while_true,
        "try": _try,
        "with": _with,
        "match": _match,
        "one line": _one_line,
        "function": _function,
        "class": _class,
        "generator": _generator,
    }
    return makers[kind](draw, place)


def _leaving(draw: Draw, place: _Place) -> Lines:
    ways = []
    if place.loop and not place.star:
        ways += ["break", "continue"]
    if place.function and not place.star:
        ways += ["return", "return 1", "return (\n    1\n)"]
    if place.generator:
        ways += ["yield 1", "a = yield (\n    1\n)"]
    return [draw(ways or ["raise ValueError"])]


def _if(draw: Draw, place: _Place) -> Lines:
    comment = draw([""] * 6 + ["  # pragma: no cover", "  # pragma: no branch"])
    lines = [f"if {_condition(draw)}:{comment}", *_suite(draw, place.inside())]
    for _ in range(draw([0, 0, 0, 1, 2])):
        lines += [f"elif {_condition(draw)}:", *_suite(draw, place.inside())]
    if draw((False, True)):
        lines += ["else:", *_suite(draw, place.inside())]
    return lines


def _else_of_loop(draw: Draw, place: _Place) -> Lines:
    if draw(range(3)):
        return []
    return ["else:", *_suite(draw, place.inside())]


def _for(draw: Draw, place: _Place) -> Lines:
    over = draw(["range(2)", "[]", "(\n    1,\n    2,\n)", "(i for i in 'ab')"])
    return [
        f"for x in {over}:",
        *_suite(draw, place.inside(loop=True, star=False)),
        *_else_of_loop(draw, place),
    ]


def _while(draw: Draw, place: _Place) -> Lines:
    name = f"n{place.depth}"
    return [
        f"{name} = 2",
        f"while {name}:",
        f"    {name} -= 1",
        *_suite(draw, place.inside(loop=True, star=False)),
        *_else_of_loop(draw, place),
    ]


def _while_true(draw: Draw, place: _Place) -> Lines:
    name = f"n{place.depth}"
    return [
        f"{name} = 2",
        f"while {draw(['True', '1', 'not 0'])}:",
        f"    {name} -= 1",
        f"    if {name} < 0:",
        "        break",
        *_suite(draw, place.inside(loop=True, star=False)),
    ]


def _try(draw: Draw, place: _Place) -> Lines:
    star = draw(range(6)) == 0
    shape = "except" if star else draw(["except", "finally", "both"])
    lines = ["try:", *_suite(draw, place.inside())]
    if shape != "finally":
        word = "except*" if star else "except"
        for error in draw([["ValueError"], ["KeyError", "Exception"]]):
            lines.append(f"{word} {error}:")
            lines += _suite(draw, place.inside(star=star or place.star))
        if draw(range(3)) == 0:
            lines += ["else:", *_suite(draw, place.inside())]
    if shape != "except":
        lines += ["finally:", *_suite(draw, place.inside())]
    return lines


def _with(draw: Draw, place: _Place) -> Lines:
    managers = [
        "__import__('contextlib').nullcontext()",
        "__import__('contextlib').suppress(Exception)",
        "(\n    __import__('contextlib').nullcontext(1) as b,\n"
        "    __import__('contextlib').suppress(ValueError),\n)",
    ]
    # coverage.py 7.17 can't analyse a `with` that holds nothing but `global`
    body = [line.replace("global b", "pass") for line in _suite(draw, place.inside())]
    return [f"with {draw(managers)}:", *body]


def _match(draw: Draw, place: _Place) -> Lines:
    subject = draw(["2", "[1, 2]", "{}", "dict(\n    a=1,\n)"])
    lines = [f"match {subject}:"]
    patterns = ["1", "2 | 3", "[x, *_] if x", "{'a': 1}", "[\n    1,\n    2,\n]"]
    for _ in range(draw((1, 2))):
        lines += [f"    case {draw(patterns)}:"]
        lines += _indented(_suite(draw, place.inside()))
    if draw((False, True)):
        lines += ["    case _:", *_indented(_suite(draw, place.inside()))]
    return lines


def _one_line(draw: Draw, place: _Place) -> Lines:
    body = draw(["pass", "a = 1; b = 2", "raise ValueError", "a = lambda: 1"])
    head = draw(["if len('a')", "if len('')", "for x in range(2)", "while len('')", "if 0", "if 1"])
    return [f"{head}: {body}"]


def _function(draw: Draw, place: _Place) -> Lines:
    lines = draw(
        [[], ["@(lambda f: f)"], ["@(lambda f: f)", "# a comment", "@(\n    lambda f: f\n)"]]
    )
    lines = [*lines, draw(["def f():", "def f(\n    x=1,\n    *y,\n):"])]
    if draw((False, True)):
        lines += ['    """What it does."""']
    inside = place.inside(function=True, loop=False, generator=False, star=False)
    lines += [line.replace("global b", "global g") for line in _suite(draw, inside)]
    calls = [[], ["f()"], ["f()"], ["try:", "    a = f()", "except Exception:", "    pass"]]
    return lines + draw(calls)


def _generator(draw: Draw, place: _Place) -> Lines:
    inside = place.inside(function=True, loop=False, generator=True, star=False)
    lines = ["def g():", "    yield 0", *_suite(draw, inside)]
    uses = [["list(g())"], ["for x in g():", "    a = x"], ["next(g())"], ["a = g()"]]
    return lines + draw(uses)


def _class(draw: Draw, place: _Place) -> Lines:
    inside = place.inside(function=False, loop=False, generator=False, star=False)
    body = _suite(draw, inside)
    method = ["    def m(self):", *_indented(_suite(draw, inside.inside(function=True)))]
    use = draw([[], ["A()"], ["try:", "    A().m()", "except Exception: pass"]])
    return ["class A:", *body, *draw([[], method]), *use]


def _compiles(text: str) -> bool:
    try:
        compile(text, "<generated>", "exec", dont_inherit=True)
    except SyntaxError:  # such as a name that is global after it was used
        return False
    return not text.partition("\n")[2].startswith("...")  # a prompt, for IPython 7


def generated(number: int) -> list[Program]:
    """`number` programs, the same ones each time, shortest first."""
    found: dict[str, None] = {}

    @settings(
        max_examples=number * 3 // 2,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        text = "\n".join(_statements(Draw(data), _Place(), most=6)) + "\n"
        if text.strip() and _compiles(text):
            found[text] = None

    collect()
    texts = sorted(list(found)[:number], key=lambda text: (text.count("\n"), text))
    return [Program(f"generated {n}", text) for n, text in enumerate(texts, 1)]
