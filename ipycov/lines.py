"""What each line of a cell, as it was typed, means in Python.

IPython turns the text of a cell into Python before it compiles it: it drops leading blank lines,
takes common indentation away, joins continued magics, and makes one call out of a whole
`%%magic` cell. A report must speak of the lines that the front end shows beside the cell, so
`translate` keeps them: line n of its Python is what line n of the typed text means.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

#: Cell magics of IPython that run their body as Python in the user's namespace: it is measured
#: line by line, and the magic's own line is no statement.
PYTHON_BODIES = frozenset({"time", "timeit", "capture"})

#: ipycov's cell magic, which stands for nothing but its body.
OWN_CELL_MAGIC = "cov"

#: ipycov's line magics that are about coverage, not part of the user's program.
OWN_LINE_MAGICS = frozenset(
    {"coverage_report", "coverage_start", "coverage_stop", "coverage_erase", "coverage_live"}
)

_MAGIC_LINE = re.compile(r"\s*%%(?P<name>[^\s?]+)(?:[ \t]+(?P<line>[^\n]*?))?\s*$")
_PROMPTED_MAGIC = re.compile(r"(?:>>>|In \[\d+\]:) %%")
_OWN_CALL = re.compile(
    r"\s*get_ipython\(\)\.run_line_magic\('(?:" + "|".join(sorted(OWN_LINE_MAGICS)) + r")',"
)
_OWN_STATEMENT = re.compile(
    r"%cov(?P<options>(?:\s+(?:-q|--quiet|--branch"
    r"|--(?:source|include|omit|fail-under)(?:=|\s+)(?:\"[^\"]*\"|'[^']*'|\S)+))*)"
    r"\s+(?P<statement>[^-\s].*)"
)
_SPECIAL = re.compile(r"[%!?]|>>>|\.\.\.|^\s*In \[|^[,;/]", re.MULTILINE)


@dataclass(frozen=True)
class Header:
    """A `%%magic` line above the body of a cell.

    `line` is the 1-based typed line it stands on, `name` the magic's name without the percent
    signs, `arguments` the rest of the line.
    """

    line: int
    name: str
    arguments: str


@dataclass(frozen=True)
class Translation:
    """A typed text as Python.

    `python` has as many lines as the typed text; a line that means nothing of its own is blank.
    `origin[i]` is the typed line of line i + 1 of the body as IPython compiles it. `headers` are
    the cell magics above the body, outermost first. `own` are the typed lines that hold ipycov's
    own magics only.
    """

    python: str
    origin: tuple[int, ...]
    headers: tuple[Header, ...] = ()
    own: frozenset[int] = frozenset()

    @property
    def body_line(self) -> int:
        """The 1-based typed line of the first line below the headers."""
        return self.headers[-1].line + 1 if self.headers else 1

    @property
    def compiled_headers(self) -> tuple[Header, ...]:
        """The headers that IPython turns into a call, which ipycov's own is not."""
        if not self.headers:
            return ()
        return tuple(header for header in self.headers if header.name != OWN_CELL_MAGIC)


def rows(text: str) -> list[str]:
    """The lines of `text`, as front ends and Python's tokenizer count them, without their ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def unprompted(text: str) -> list[str]:
    """The rows of `text`, without prompts where a `%%magic` stands behind the first of them.

    IPython takes prompts off before it looks for cell magics.
    """
    typed = rows(text)
    first = next((number for number, row in enumerate(typed) if row.strip()), 0)
    if not _PROMPTED_MAGIC.match(typed[first]):
        return typed
    from IPython.core.inputtransformer2 import classic_prompt, ipython_prompt

    without = _on_lines(ipython_prompt)(_on_lines(classic_prompt)(typed[first:]))
    return [*typed[:first], *without]


def digest(text: str) -> str:
    """What tells a cell's text from others."""
    return hashlib.sha1(
        "\n".join(rows(text)).encode("utf-8", "surrogatepass"), usedforsecurity=False
    ).hexdigest()[:16]


def headers(typed: str) -> tuple[Header, ...]:
    """The `%%magic` lines that `typed` starts with, down to the first that has no Python below."""
    found: list[Header] = []
    for number, row in enumerate(unprompted(typed), 1):
        if not row.strip():
            continue
        match = _MAGIC_LINE.match(row)
        if match is None:
            break
        found.append(Header(number, match["name"], match["line"] or ""))
        if match["name"] not in PYTHON_BODIES and match["name"] != OWN_CELL_MAGIC:
            break
    return tuple(found)


def translate(typed: str, compiled: str | None = None, *, python_body: bool = False) -> Translation:
    """Translate the text of a cell.

    `compiled` is the text that IPython compiled, where it is known: it decides, for a user's own
    input transformers may have had a say. `python_body` tells that the body below the last
    `%%magic` was compiled as Python, whatever that magic is.
    """
    found = headers(typed)
    typed_rows = unprompted(typed)
    last = found[-1] if found else None
    if last and last.name not in PYTHON_BODIES and last.name != OWN_CELL_MAGIC and not python_body:
        python = [""] * len(typed_rows)
        call = f"get_ipython().run_cell_magic({last.name!r}, {last.arguments!r}, '')"
        python[last.line - 1] = call
        return Translation("\n".join(python), (last.line,), found)

    first = last.line if last else 0
    if any(header.name != OWN_CELL_MAGIC for header in found):
        compiled = None  # it is the call that the magic became, not its body
    body = typed_rows[first:]
    body_python, origin = _translate_body(body, compiled)
    own = frozenset(
        number for number, row in enumerate(body_python, first + 1) if _OWN_CALL.match(row)
    )
    return Translation(
        "\n".join([""] * first + body_python),
        tuple(first + number for number in origin),
        found,
        own,
    )


def own_statement(typed: Sequence[str]) -> tuple[str, str] | None:
    """The options and the statement of a text that is one `%cov` line and no more, else None."""
    filled = [row for row in typed if row.strip()]
    match = _OWN_STATEMENT.fullmatch(filled[0].strip()) if len(filled) == 1 else None
    return (match["options"].strip(), match["statement"]) if match else None


def _translate_body(typed: list[str], compiled: str | None) -> tuple[list[str], list[int]]:
    """Return the Python of `typed`, row by row, and the typed row of each compiled row."""
    text = "\n".join(typed)
    stages = _Stages(typed)
    stages.apply(_drop_leading_blank)
    stages.apply(_statement_alone)
    if compiled is None and not _SPECIAL.search(text) and not _is_indented(typed):
        pass
    elif compiled is None or _without_end(compiled) != _without_end("\n".join(stages.rows)):
        _apply_ipython(stages)
        if compiled is not None:
            stages.become(rows(_without_end(compiled)))
    return stages.aligned(len(typed))


class _Stages:
    """Rows on their way from typed to compiled, each with the typed row it came from."""

    def __init__(self, typed: Sequence[str]) -> None:
        self.rows = list(typed)
        self.origin = list(range(1, len(self.rows) + 1))

    def apply(self, stage: Callable[[list[str]], list[str]]) -> None:
        self.become(stage(self.rows))

    def become(self, new: list[str]) -> None:
        """Replace the rows, keeping track of where each came from."""
        old = self.rows
        if new == old:
            return
        if len(new) == len(old):
            self.rows = new
            return
        origin: list[int] = []
        for tag, i1, i2, j1, j2 in _changes(old, new):
            if tag == "equal":
                origin += self.origin[i1:i2]
                continue
            for offset in range(j2 - j1):
                at = min(i1 + offset, i2 - 1) if i2 > i1 else max(i1 - 1, 0)
                origin.append(self.origin[at] if self.origin else 1)
        self.rows, self.origin = new, origin

    def aligned(self, length: int) -> tuple[list[str], list[int]]:
        """The rows put where they were typed, blank rows between, and where each was typed.

        Where a transformer made several rows of one, they are put together on it, if they can be;
        else its own rows must do.
        """
        out = [""] * length
        for row, number in zip(self.rows, self.origin, strict=True):
            above = out[number - 1]
            if not above.strip():
                out[number - 1] = row
            elif row.strip():
                out[number - 1] = f"{above}; {row.lstrip()}"
        if len(set(self.origin)) < len(self.origin) and _statements(out) != _statements(self.rows):
            return self.rows, list(range(1, len(self.rows) + 1))
        return out, self.origin


def _statements(rows: list[str]) -> int:
    """How many statements a text has, those in others too; -1 where it is no Python."""
    try:
        tree = ast.parse("\n".join(rows))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return -1
    return sum(isinstance(node, ast.stmt) for node in ast.walk(tree))


def _changes(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    """What differs between `old` and `new`, as difflib's opcodes.

    One step of IPython replaces one run of lines, which the common start and end tell exactly;
    difflib is for transformers that do more at once.
    """
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    i2, j2 = len(old) - end, len(new) - end
    if min(i2, j2) - start <= 1:
        middle = [("replace", start, i2, start, j2)]
    else:
        matcher = difflib.SequenceMatcher(None, old[start:i2], new[start:j2], autojunk=False)
        middle = [
            (tag, start + a, start + b, start + c, start + d)
            for tag, a, b, c, d in matcher.get_opcodes()
        ]
    return [("equal", 0, start, 0, start), *middle, ("equal", i2, len(old), j2, len(new))]


def _apply_ipython(stages: _Stages) -> None:
    """Take the rows through IPython's own transformations, one at a time."""
    from IPython.core.inputtransformer2 import (
        TRANSFORM_LOOP_LIMIT,
        TransformerManager,
        cell_magic,
    )

    manager: Any = TransformerManager()  # type: ignore[no-untyped-call]
    transforms: list[Any] = [*manager.cleanup_transforms, *manager.line_transforms]
    for transform in transforms:
        if transform is not cell_magic:
            stages.apply(_on_lines(transform))
    for _ in range(TRANSFORM_LOOP_LIMIT):
        before = stages.rows
        try:
            stages.apply(_on_lines(lambda lines: manager.do_one_token_transform(lines)[1]))
        except (SyntaxError, UnicodeEncodeError):  # as for the user, who sees it there
            return
        if stages.rows == before:
            return


def _on_lines(transform: Callable[[list[str]], list[str]]) -> Callable[[list[str]], list[str]]:
    """A transformation of IPython's, which wants lines with their ends, as one of rows."""

    def stage(old: list[str]) -> list[str]:
        lines = [row + "\n" for row in old]
        return rows(_without_end("".join(transform(lines))))

    return stage


def _drop_leading_blank(old: list[str]) -> list[str]:
    for number, row in enumerate(old):
        if row.strip():
            return old[number:]
    return old


def _statement_alone(old: list[str]) -> list[str]:
    own = own_statement(old)
    return [own[1] if row.strip() else row for row in old] if own else old


def _is_indented(typed: list[str]) -> bool:
    return any(row[:1].isspace() for row in typed if row.strip()) and (
        next(row for row in typed if row.strip())[:1].isspace()
    )


def _without_end(text: str) -> str:
    """`text` without the line end that IPython adds."""
    return text[:-1] if text.endswith("\n") else text
