"""Notebook files: their code cells, and the line of the file that each source line stands on."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from json.decoder import JSONDecodeError, JSONDecoder
from typing import Any

from ipycov.errors import BadNotebook
from ipycov.headings import Heading, headings
from ipycov.lines import digest, rows

#: What nbconvert adds to the name of a notebook for what it has executed.
CONVERTED = ".nbconvert.ipynb"
_SPACE = " \t\r\n"


@dataclass(frozen=True)
class NotebookCell:
    """A code cell of a notebook file.

    `number` is its 1-based place among all cells of the notebook, `id` its nbformat id, None
    where it has none, `text` its source, `file_lines[i]` the line of the file that holds row
    i + 1 of it, `tags` those of its metadata.
    """

    number: int
    id: str | None
    text: str
    file_lines: tuple[int, ...]
    tags: frozenset[str] = frozenset()

    @cached_property
    def digest(self) -> str:
        """What tells the cell's text from others."""
        return digest(self.text)


@dataclass(frozen=True)
class Notebook:
    """A notebook file that was read.

    `language` is the language of its kernel in lower case, empty where the file does not tell.
    `copy_of` is the path of the notebook that it says it is a runner's executed copy of, as
    papermill's outputs do, or nbconvert's by their names; empty where it does not say so.
    `has_times` tells that a cell has the times of its execution, which nbclient writes into what it
    has executed.
    `headings` are those of its markdown cells.
    """

    path: str
    cells: tuple[NotebookCell, ...]
    language: str = ""
    kernel_name: str = ""
    copy_of: str = ""
    has_times: bool = False
    headings: tuple[Heading, ...] = ()

    @property
    def is_python(self) -> bool:
        """Whether its code cells hold Python, which a notebook that does not tell is taken for."""
        return self.language in ("", "python", "python3", "ipython")

    @cached_property
    def keys(self) -> dict[int, str]:
        """What tells each cell from the others, by its number.

        It is the digest of its text, with which it is of the cells that have it from the second on.
        """
        keys: dict[int, str] = {}
        texts: Counter[str] = Counter()
        for cell in self.cells:
            texts[cell.digest] += 1
            which = texts[cell.digest]
            keys[cell.number] = cell.digest + (f"-{which}" if which > 1 else "")
        return keys

    @cached_property
    def keeps_lines(self) -> bool:
        """Whether the file keeps each source line on a line of its own."""
        numbers = [
            line
            for cell in self.cells
            for line, row in zip(cell.file_lines, rows(cell.text), strict=True)
            if row.strip()
        ]
        return len(set(numbers)) == len(numbers)

    def file_line(self, cell: NotebookCell, row: int) -> int:
        """The 1-based line that stands for a 1-based row of a cell in reports.

        It is the line of the file; where the file does not keep the source's lines apart, the
        number of the row among all rows of code cells.
        """
        row = min(max(row, 1), len(cell.file_lines))
        if self.keeps_lines:
            return cell.file_lines[row - 1]
        return self._rows_above[cell.number] + row

    @cached_property
    def _rows_above(self) -> dict[int, int]:
        lengths = [len(cell.file_lines) for cell in self.cells]
        above = accumulate(lengths, initial=0)
        return {cell.number: start for cell, start in zip(self.cells, above, strict=False)}


def read(path: str) -> Notebook:
    """Read the notebook file at `path`.

    Raises `BadNotebook` when it can't be read or is no notebook.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise BadNotebook(f"can't read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadNotebook(f"{path} is not a notebook: it is not UTF-8 text") from error
    try:
        notebook = parse(text, path)
    except (ValueError, RecursionError) as error:  # of JSON, or of a number too long to read
        raise BadNotebook(f"{path} is not a notebook: {error}") from error
    converted = path.removesuffix(CONVERTED) + ".ipynb"
    if path.endswith(CONVERTED) and os.path.isfile(converted):
        return replace(notebook, copy_of=os.path.abspath(converted))
    return notebook


def parse(text: str, path: str) -> Notebook:
    """Parse the text of a notebook file of any version of nbformat.

    Raises `json.JSONDecodeError` when it is not JSON, `BadNotebook` when it is no notebook.
    """
    document = _Document(_Reader(text))
    document.read()
    if not document.has_cells:
        raise BadNotebook(f"{path} is not a notebook: it has no cells")
    metadata = document.metadata if isinstance(document.metadata, dict) else {}
    return Notebook(
        path,
        tuple(document.cells),
        *_kernel(metadata),
        copy_of=_input_of_papermill(metadata),
        has_times=document.has_times,
        headings=tuple(document.headings),
    )


def _kernel(metadata: Any) -> tuple[str, str]:
    language = _at(metadata, "kernelspec", "language") or _at(metadata, "language_info", "name")
    return (language or _at(metadata, "language")).lower(), _at(metadata, "kernelspec", "name")


def _input_of_papermill(metadata: Any) -> str:
    """The notebook that papermill was given, where it has not written to that one itself."""
    given, written = (_at(metadata, "papermill", f"{name}_path") for name in ("input", "output"))
    return "" if os.path.normpath(given) == os.path.normpath(written) else given


def _at(value: Any, *keys: str) -> str:
    """The string below `keys`, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


class _Reader:
    """Reads JSON with the positions of what matters, the rest at the speed of `json`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._decoder = JSONDecoder(strict=False)
        self._line_starts = [0]
        at = text.find("\n")
        while at != -1:
            self._line_starts.append(at + 1)
            at = text.find("\n", at + 1)

    def line_at(self, at: int) -> int:
        """The 1-based line of a position."""
        return bisect_right(self._line_starts, at)

    def value(self, at: int) -> tuple[Any, int]:
        """The value at a position and the position behind it."""
        return self._decoder.raw_decode(self.text, self._space(at))

    def read_object(self, at: int, readers: dict[str, Any]) -> int:
        """Read an object, each key's value with its reader if it has one; return its end."""
        at = self._expect(at, "{")
        if self._peek(at) == "}":
            return self._expect(at, "}")
        while True:
            key, at = self.value(at)
            at = self._expect(at, ":")
            reader = readers.get(key) if isinstance(key, str) else None
            at = self.value(at)[1] if reader is None else reader(self._space(at))
            if self._peek(at) != ",":
                return self._expect(at, "}")
            at = self._expect(at, ",")

    def read_array(self, at: int, read_item: Callable[[int], int]) -> int:
        """Read an array, each item with `read_item`; return its end."""
        at = self._expect(at, "[")
        if self._peek(at) == "]":
            return self._expect(at, "]")
        while True:
            at = read_item(self._space(at))
            if self._peek(at) != ",":
                return self._expect(at, "]")
            at = self._expect(at, ",")

    def starts_with(self, at: int, char: str) -> bool:
        """Whether the value at a position starts with `char`."""
        return self._peek(at) == char

    def _space(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in _SPACE:
            at += 1
        return at

    def _peek(self, at: int) -> str:
        at = self._space(at)
        return self.text[at : at + 1]

    def _expect(self, at: int, char: str) -> int:
        at = self._space(at)
        if self.text[at : at + 1] != char:
            raise JSONDecodeError(f"Expecting {char!r}", self.text, at)
        return at + 1


class _Document:
    """A notebook's cells and metadata, picked out of its JSON."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._number = 0
        self.cells: list[NotebookCell] = []
        self.headings: list[Heading] = []
        self.metadata: Any = None
        self.has_cells = False
        self.has_times = False

    def read(self) -> None:
        reader = self._reader
        if not reader.starts_with(0, "{"):
            return
        end = reader.read_object(
            0,
            {
                "cells": self._cells,
                "metadata": self._metadata,
                # nbformat 3
                "worksheets": lambda at: self._array(
                    at, lambda item: reader.read_object(item, {"cells": self._cells})
                ),
            },
        )
        if reader.text[end:].strip(_SPACE):
            raise JSONDecodeError("Extra data", reader.text, end)

    def _metadata(self, at: int) -> int:
        self.metadata, end = self._reader.value(at)
        return end

    def _cells(self, at: int) -> int:
        self.has_cells = self.has_cells or self._reader.starts_with(at, "[")
        return self._array(at, self._cell)

    def _array(self, at: int, read_item: Callable[[int], int]) -> int:
        """Read an array of objects; what is something else is passed over."""

        def read_object(item: int) -> int:
            if self._reader.starts_with(item, "{"):
                return read_item(item)
            return self._reader.value(item)[1]

        if not self._reader.starts_with(at, "["):
            return self._reader.value(at)[1]
        return self._reader.read_array(at, read_object)

    def _cell(self, at: int) -> int:
        self._number += 1
        values: dict[str, Any] = {}
        source: list[tuple[str, int]] = []

        def keep(key: str) -> Callable[[int], int]:
            def read(at: int) -> int:
                values[key], end = self._reader.value(at)
                return end

            return read

        def read_part(at: int) -> int:
            part, end = self._reader.value(at)
            if isinstance(part, str):
                source.append((part, self._reader.line_at(at)))
            return end

        def read_source(at: int) -> int:
            source.clear()
            if self._reader.starts_with(at, "["):
                return self._reader.read_array(at, read_part)
            return read_part(at)

        end = self._reader.read_object(
            at,
            {
                "cell_type": keep("cell_type"),
                "id": keep("id"),
                "language": keep("language"),  # nbformat 3
                "level": keep("level"),  # nbformat 3
                "metadata": keep("metadata"),
                "source": read_source,
                "input": read_source,  # nbformat 3
            },
        )
        metadata = values.get("metadata")
        self.has_times |= isinstance(metadata, dict) and "execution" in metadata
        if values.get("cell_type") == "code":
            id = values.get("id")
            self.cells.append(
                _code_cell(
                    self._number, id if isinstance(id, str) else None, source, _tags(metadata)
                )
            )
        else:
            text = "".join(part for part, _ in source)
            level = values.get("level")
            if values.get("cell_type") == "markdown":
                self.headings += headings(self._number, text)
            elif values.get("cell_type") == "heading" and isinstance(level, int):  # nbformat 3
                self.headings.append(Heading(self._number, min(max(level, 1), 6), text.strip()))
        return end


def _tags(metadata: Any) -> frozenset[str]:
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    if not isinstance(tags, list):
        return frozenset()
    return frozenset(tag for tag in tags if isinstance(tag, str))


def _code_cell(
    number: int, id: str | None, source: list[tuple[str, int]], tags: frozenset[str]
) -> NotebookCell:
    """A cell of parts of source, each with the line of the file that it starts on."""
    text = "".join(part for part, _ in source)
    file_lines: list[int] = []
    open_row = False  # a part that does not end its row goes on in the next part
    for part, line in source:
        starts = len(rows(part)) - part.endswith("\n") - open_row
        file_lines += [line] * starts
        open_row = not part.endswith("\n")
    file_lines += [file_lines[-1] if file_lines else 1] * (len(rows(text)) - len(file_lines))
    return NotebookCell(number, id, text, tuple(file_lines), tags)
