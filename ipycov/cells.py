"""What a cell is, and the book of all cells that a session has run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from ipycov.lines import Translation, digest, translate


@dataclass(eq=False)
class Cell:
    """A cell's text under the name that its code was compiled with.

    `filename` is the name in its code objects, as coverage.py records it. `typed` is the text as
    the user typed it, `compiled` the text that IPython compiled, None where it is not known. `id`
    is the front end's id of the cell, None where it sends none. `runs` is how often it ran, `count`
    the execution count of its latest run, `ran` when that was, as `time.time` tells it. `measured`
    tells whether measuring was on in any of its runs; of a cell that is read from a store and was
    not measured, `defined` are the names in it that were defined after it had run. `file` is the
    path of the file that it comes from, where %run ran it. `ran_as` is the id that its latest run
    had, None where it had none, such as one by %rerun.
    """

    filename: str
    typed: str
    compiled: str | None = None
    id: str | None = None
    count: int = 0
    counts: set[int] = field(default_factory=set)
    runs: int = 0
    nested: int = 0
    python_body: bool = False
    error: str | None = None
    replaced: bool = False
    ran: float = 0.0
    measured: bool = False
    defined: frozenset[str] | None = None
    file: str | None = None
    ran_as: str | None = None

    @property
    def label(self) -> str:
        """What reports call the cell: `In[n]`, n its latest execution count."""
        return label_of(self.count, self.nested)

    @cached_property
    def digest(self) -> str:
        """What tells the cell's text from others."""
        return digest(self.typed)

    @cached_property
    def translation(self) -> Translation:
        """The cell's text as Python."""
        return translate(self.typed, self.compiled, python_body=self.python_body)

    @cached_property
    def is_ours(self) -> bool:
        """Whether it holds ipycov's own magics and nothing else."""
        rows = enumerate(self.translation.python.split("\n"), 1)
        held = {number for number, row in rows if row.strip()}
        return bool(held) and held <= self.translation.own

    def typed_line(self, compiled_line: int) -> int:
        """The 1-based typed line of a 1-based line of the cell's code objects.

        Zero stays zero: it stands for the cell itself, not for a line.
        """
        if compiled_line <= 0:
            return compiled_line
        headers = self.translation.compiled_headers
        if headers:
            return compiled_line + headers[0].line - 1
        origin = self.translation.origin
        if not origin:
            return compiled_line
        return origin[min(compiled_line, len(origin)) - 1]

    def compiled_line(self, typed_line: int) -> int:
        """The line of the cell's code objects for a typed line under a compiled header."""
        return typed_line - self.translation.compiled_headers[0].line + 1

    def body_was_compiled(self) -> None:
        """Take note that the magic above the body ran it as Python."""
        if not self.python_body:
            self.python_body = True
            self.__dict__.pop("translation", None)


def label_of(count: int, nested: int = 0) -> str:
    """The name of the cell with the execution count `count`, and of what it ran.

    `nested` tells others of that count from it.
    """
    return f"In[{count}]" + (f".{nested}" if nested else "")


class CellBook:
    """Every cell that a session has compiled, found by its filename and by its id."""

    def __init__(self) -> None:
        self._by_filename: dict[str, Cell] = {}
        self._by_id: dict[str, Cell] = {}
        self._compiled: dict[str, Cell] = {}  # by id, what its latest text replaced
        self._highest = 0  # execution count so far

    def __iter__(self) -> Iterator[Cell]:
        """The cells as they are now, in the order of their execution counts."""
        current = [cell for cell in self._by_filename.values() if not cell.replaced]
        return iter(sorted(current, key=lambda cell: (cell.count, cell.nested)))

    def __contains__(self, filename: object) -> bool:
        return filename in self._by_filename

    def get(self, filename: str) -> Cell | None:
        """The cell whose code is compiled under `filename`, replaced or not."""
        return self._by_filename.get(filename)

    def names_of_runs(self) -> dict[str, str]:
        """What the cell of each run is called now, by the label that it had in the run.

        The runs of texts that were replaced are runs of the cell that holds another text now.
        """
        names = {}
        for cell in self._by_filename.values():
            if not cell.nested:
                names.update(dict.fromkeys(map(label_of, cell.counts), self.now(cell).label))
        return names

    def now(self, cell: Cell) -> Cell:
        """The latest text that compiled of the front end's cell that `cell` was a text of."""
        now = self._by_id.get(cell.id, cell) if cell.id is not None else cell
        if now.error is not None and now.id is not None:
            now = self._compiled.get(now.id, now)
        return now

    def is_edited(self, cell: Cell) -> bool:
        """Whether the front end's cell holds another text by now, which has not run."""
        return cell.id is not None and self._by_id.get(cell.id, cell) is not cell

    def at_count(self, count: int, nested: int = 0) -> Cell | None:
        """The cell that ran under an execution count, whatever has become of it since.

        What it had IPython run has the same count, and is asked for with `nested`; so has, in
        IPython 7, a cell after one that was interrupted.
        """
        ran = [cell for cell in self._by_filename.values() if count in cell.counts]
        if nested:
            return next((cell for cell in ran if cell.nested == nested), None)
        return max(ran, key=lambda cell: (not cell.nested, cell.ran), default=None)

    def filename_for(self, filename: str, typed: str, id: str | None) -> str:
        """A name for a cell's code that no other cell has.

        A front end's cells are told apart by their ids, but IPython names code by its text: the
        second cell with the same text gets a name of its own.
        """
        stem, extension = os.path.splitext(filename)
        candidate, number = filename, 1
        while (holder := self._by_filename.get(candidate)) is not None:
            if holder.typed == typed and (id is None or holder.id is None or holder.id == id):
                break
            number += 1
            candidate = f"{stem}_{number}{extension}"
        return candidate

    def number(self, cell: Cell, *, counted: bool) -> None:
        """Tell a cell that has run from others of its execution count.

        Where the count is not `counted` for it, another cell has it: the one that ran it, or the
        next that the history keeps.
        """
        if counted:
            cell.nested = 0
            if cell.count <= self._highest:  # it was set back, or not raised after an interrupt
                for other in [other for other in self if other.label == cell.label]:
                    if other is not cell:
                        self.number(other, counted=False)
            self._highest = max(self._highest, cell.count)
            return
        others = [other for other in self if other is not cell and other.count == cell.count]
        taken = {0, *(other.nested for other in others)}
        if cell.nested in taken:
            cell.nested = max(taken) + 1

    def clear(self) -> None:
        """Forget every cell."""
        self._by_filename.clear()
        self._by_id.clear()
        self._compiled.clear()

    def take(self, cell: Cell) -> None:
        """Take a cell that another book holds too."""
        self._by_filename[cell.filename] = cell

    def add(
        self, filename: str, typed: str, compiled: str | None, id: str | None, count: int
    ) -> Cell:
        """Record a run of a cell, whose text replaces what the cell with that id held before."""
        cell = self._by_filename.get(filename)
        if cell is None or cell.typed != typed:
            cell = self._by_filename[filename] = Cell(filename, typed, compiled)
        cell.error = None
        cell.count = count
        cell.counts.add(count)
        cell.runs += 1
        cell.ran_as = id
        if id is not None:
            before = self._by_id.get(id)
            if before is not None and before is not cell:
                self._compiled.get(id, before).replaced = before.replaced = True
                if before.error is None:
                    self._compiled[id] = before
            cell.id = id
            self._by_id[id] = cell
        cell.replaced = False
        return cell

    def did_not_compile(self, cell: Cell, error: str) -> None:
        """Take note of why nothing of a cell ran: what its id held before stays what has run."""
        cell.error = error
        before = self._compiled.get(cell.id) if cell.id is not None else None
        if before is not None:
            before.replaced = False
