"""Statements under %cov that await, among other lines of a cell.

IPython makes a call of a line magic, and a call can't await for the line that it stands on. Its
result can be awaited.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from inspect import CO_COROUTINE

from ipycov.lines import own_statement

_CALL = "run_line_magic('cov',"


def awaits(statement: str) -> bool:
    """Whether a statement is one that a cell alone may run, for it awaits."""
    if "await" not in statement and "async" not in statement:
        return False
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        code = compile(statement, "<cov>", "exec", flags=flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False  # as it will be said where it is compiled to run
    return bool(code.co_flags & CO_COROUTINE)


def awaited(lines: list[str]) -> list[str]:
    """Await the calls of %cov whose statements do, in the lines of a cell as Python."""
    text = "".join(lines)
    if _CALL not in text or ("await" not in text and "async" not in text):
        return lines
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return lines
    octets = [line.encode() for line in lines]
    for call in sorted(_calls(tree), key=lambda call: (call.lineno, call.col_offset), reverse=True):
        row = octets[call.lineno - 1]
        octets[call.lineno - 1] = row[: call.col_offset] + b"await " + row[call.col_offset :]
    return [row.decode() for row in octets]


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls of %cov that await, where an await may stand."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        match child:
            case ast.Call(
                func=ast.Attribute(attr="run_line_magic"),
                args=[ast.Constant(value="cov"), ast.Constant(value=str(line))],
            ):
                alone = own_statement([f"%cov {line}"])
                if alone is not None and awaits(alone[1]):
                    yield child
            case _:
                yield from _calls(child)
