"""Whether what was measured is still true: of cells that were edited, and modules that changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ipycov import notebooks
from ipycov.cells import Cell
from ipycov.errors import BadNotebook
from ipycov.lines import digest
from ipycov.notebooks import Notebook

#: What identifies the text of a file on disk: when it was changed, and its size in bytes.
Stamp = tuple[int, int]


@dataclass
class ModuleStamps:
    """What modules were on disk when lines of them ran."""

    _stamps: dict[str, Stamp | None] = field(default_factory=dict)
    _mixed: set[str] = field(default_factory=set)

    def ran(self, filenames: Iterable[str]) -> None:
        """Lines of these files ran just now."""
        for filename in filenames:
            stamp = _stamp(filename)
            if self._stamps.setdefault(filename, stamp) != stamp:
                self._mixed.add(filename)
                self._stamps[filename] = stamp

    def remarks(self, name: Callable[[str], str]) -> list[str]:
        """A line for each file that has changed; `name` gives what reports call it."""
        said = []
        for filename, stamp in self._stamps.items():
            if stamp != _stamp(filename):
                said.append(
                    f"{name(filename)} has changed since its lines were measured: import it anew"
                )
            elif filename in self._mixed:
                said.append(
                    f"{name(filename)} was changed while it was measured: what ran before counts "
                    "for the lines of now; %coverage_erase forgets it"
                )
        return said


@dataclass
class NotebookFile:
    """The notebook file whose cells a session runs, as it is on disk.

    `directory` is where the session began. `named` gives the file's path where the front end
    tells it; else it is the notebook there that has cells with the ids that the front end sends.
    """

    directory: str
    named: Callable[[], str | None] = lambda: None
    _path: str | None = None
    _read: tuple[Stamp | None, Notebook | None] = (None, None)

    def stale(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of `cells` whose text in the file is another, and was saved after they ran."""
        cells = [cell for cell in cells if cell.id is not None]
        notebook, saved = self._current(cells)
        if notebook is None:
            return []
        texts = {cell.id: digest(cell.text) for cell in notebook.cells}
        return [
            cell
            for cell in cells
            if cell.ran < saved and texts.get(cell.id, digest(cell.typed)) != digest(cell.typed)
        ]

    def never_run(self, cells: Iterable[Cell]) -> tuple[str, int]:
        """The name of the notebook, and how many of its code cells are none of `cells`."""
        cells = list(cells)
        notebook, _ = self._current([cell for cell in cells if cell.id is not None])
        if notebook is None:
            return "", 0
        ids = {cell.id for cell in cells}
        texts = {digest(cell.typed) for cell in cells}
        left = [
            cell
            for cell in notebook.cells
            if cell.text.strip() and cell.id not in ids and digest(cell.text) not in texts
        ]
        return os.path.basename(notebook.path), len(left)

    def _current(self, cells: Sequence[Cell]) -> tuple[Notebook | None, float]:
        """The notebook as it is now, and when it was saved."""
        if not cells:
            return None, 0.0
        if self._path is None or not os.path.exists(self._path):
            self._path = self._find({cell.id for cell in cells})
        stamp = _stamp(self._path) if self._path is not None else None
        if self._path is None or stamp is None:
            return None, 0.0
        if self._read[0] != stamp:
            self._read = stamp, _read(self._path)
        return self._read[1], stamp[0] / 1e9

    def _find(self, ids: set[str | None]) -> str | None:
        named = self.named()
        if named is not None and os.path.isfile(named):
            return named
        for path in sorted(Path(self.directory).glob("*.ipynb")):
            notebook = _read(str(path))
            if notebook is not None and ids & {cell.id for cell in notebook.cells}:
                return str(path)
        return None


def _read(path: str) -> Notebook | None:
    try:
        return notebooks.read(path)
    except BadNotebook:
        return None


def _stamp(filename: str) -> Stamp | None:
    try:
        status = os.stat(filename)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
