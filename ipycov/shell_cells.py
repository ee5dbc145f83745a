"""The cells of a running shell, found by the names of their code when they have run already.

IPython keeps the text that it compiled in `linecache`, and what was typed in its history.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ipycov.cells import Cell
from ipycov.compiler import book_of
from ipycov.lines import digest, headers, rows, translate

#: As many line ends as a cell that is a magic's may have had at its end.
_LINE_ENDS = 3


@dataclass(frozen=True)
class Found:
    """The cell that code comes from; `typed_line` gives the typed line of a line of that code."""

    cell: Cell
    typed_line: Callable[[int], int]


class ShellCells:
    """The cells of `shell`, whoever compiled them: IPython alone, or ipycov as it watched."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._found: dict[str, Found] = {}
        self._cells: dict[tuple[int, str], Cell] = {}

    def __contains__(self, filename: str) -> bool:
        return self.find(filename) is not None

    def find(self, filename: str) -> Found | None:
        """The cell whose code has the name `filename`, None where it is no cell's."""
        known = self._found.get(filename)
        if known is not None:
            return known
        book = book_of(self._shell.compile)
        cell = book.get(filename) if book is not None else None
        found = Found(cell, cell.typed_line) if cell is not None else self._in_history(filename)
        if found is not None:
            self._found[filename] = found
        return found

    def typed_as(self, count: int, text: str) -> Found | None:
        """The cell with the execution count `count` whose text has the digest `text`."""
        for cell in book_of(self._shell.compile) or ():
            if cell.count == count and digest(cell.typed) == text:
                return Found(cell, cell.typed_line)
        history = self._history()
        if 0 < count < len(history) and digest(history[count]) == text:
            return self._whole(history[count], count, None)
        names = (name for name in self._uncounted(count) if digest(_cached(name) or "") == text)
        return next((self.find(name) for name in names), None)

    def _in_history(self, filename: str) -> Found | None:
        if os.path.exists(filename):
            return None
        name = _as_compiled(filename)
        compiled = _cached(name)
        count = self._count(name)
        if compiled is None and count is None:
            return None
        history = self._history()
        # What a magic runs may be counted as the cell that is next: the latest of that name it is.
        latest = [] if count is None or count >= len(history) else [count]
        for number in [*latest, *range(len(history) - 1, 0, -1)]:
            typed = history[number]
            if name in self._names(typed, number, compiled):
                return self._whole(typed, number, compiled)
            for above, body in _bodies(typed):
                if name in self._names(body, number, compiled):
                    return self._body(typed, number, above, body, compiled)
        if count is None or compiled is None:
            return None
        # The history does not have it: its number is that of the next that is kept there.
        cell = self._cell(count, compiled, compiled)
        cell.nested = 1 + self._uncounted(count).index(name)
        return Found(cell, cell.typed_line)

    def _whole(self, typed: str, count: int, compiled: str | None) -> Found:
        cell = self._cell(count, typed, compiled)
        for _, body in _bodies(typed):
            if any(_cached(name) is not None for name in self._names(body, count, None)):
                cell.body_was_compiled()
        return Found(cell, cell.typed_line)

    def _body(self, typed: str, count: int, above: int, body: str, compiled: str | None) -> Found:
        cell = self._cell(count, typed, None)
        cell.body_was_compiled()
        origin = translate(body, compiled).origin

        def typed_line(line: int) -> int:
            if line <= 0 or not origin:
                return line
            return above + origin[min(line, len(origin)) - 1]

        return Found(cell, typed_line)

    def _cell(self, count: int, typed: str, compiled: str | None) -> Cell:
        """One object for the code of a cell and that of the body in it."""
        cell = self._cells.get((count, typed))
        if cell is None:
            name = self._name(typed, count)
            cell = self._cells[count, typed] = Cell(name, typed, compiled, count=count)
        return cell

    def _history(self) -> list[str]:
        manager = getattr(self._shell, "history_manager", None)
        return manager.input_hist_raw if manager is not None else []

    def _name(self, typed: str, count: int) -> str:
        name: str = self._shell.compile.get_code_name(typed, typed, count)
        return name

    def _names(self, typed: str, count: int, compiled: str | None) -> Iterator[str]:
        """The names that the code of `typed` can have: the history keeps no line ends at its end.

        Magics get one more, or what was typed; `compiled` tells how many there were.
        """
        ends = len(compiled) - len(compiled.rstrip("\n")) if compiled is not None else 0
        text = typed.rstrip("\n")
        for number in range(max(ends, _LINE_ENDS) + 1):
            yield self._name(text + "\n" * number, count)

    def _uncounted(self, count: int) -> list[str]:
        """The names of all texts that IPython compiled under an execution count."""
        return [name for name in list(linecache.cache) if self._count(name) == count]

    def _count(self, name: str) -> int | None:
        """The execution count that IPython shows in tracebacks for code called `name`."""
        shown = getattr(self._shell.compile, "format_code_name", None)  # not in IPython 7
        label = shown(name) if shown is not None else None
        number = re.search(r"\d+", str(label[1])) if label else None
        return int(number[0]) if number else None


def _bodies(typed: str) -> Iterator[tuple[int, str]]:
    """The texts that the magics above a cell can have got, and the lines above each."""
    for header in headers(typed):
        yield header.line, "\n".join(rows(typed)[header.line :])


def _as_compiled(filename: str) -> str:
    """The name in the code objects for the canonical one that coverage.py has."""
    if filename in linecache.cache:
        return filename
    base = os.path.basename(filename)
    for name in list(linecache.cache):
        if os.path.basename(name) == base and os.path.realpath(name) == filename:
            return name
    return filename


def _cached(name: str) -> str | None:
    entry = linecache.cache.get(name)
    return "".join(entry[2]) if entry is not None and len(entry) > 2 else None
