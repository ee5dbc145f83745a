"""Whether what was measured is still true: of cells that were edited, and modules that changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ipycov import notebooks
from ipycov.cells import Cell
from ipycov.errors import BadNotebook
from ipycov.notebooks import Notebook

#: What identifies the text of a file on disk: when it was changed, and its size in bytes.
Stamp = tuple[int, int]


#: What becomes of modules, and what to say of it below a report.
_CHANGES = {
    "changed since it was measured": "has changed since its lines were measured: import it anew",
    "changed since it was measured, and reloaded": (
        "has changed since its lines were measured, and was reloaded: %coverage_erase forgets them"
    ),
    "changed while it was measured": (
        "was changed while it was measured: what ran before counts for the lines of now; "
        "%coverage_erase forgets it"
    ),
    "reloaded since some of it ran": (
        "was reloaded since some of its lines ran: its text is the same, and they still count"
    ),
}


class _Seen(NamedTuple):
    """A module as it was when lines of it ran: its file, its name, and the spec of its import.

    Each import has a spec of its own: by `import`, `importlib.reload` and `%autoreload` alike.
    """

    stamp: Stamp | None
    name: str | None
    spec: object


@dataclass
class ModuleStamps:
    """What modules were, on disk and as imported, when lines of them ran."""

    _seen: dict[str, _Seen] = field(default_factory=dict)
    _mixed: set[str] = field(default_factory=set)
    _reloaded: set[str] = field(default_factory=set)

    def ran(self, filenames: Iterable[str]) -> None:
        """Lines of these files ran just now."""
        for filename in filenames:
            known = self._seen.get(filename)
            stamp = _stamp(filename)
            name = known.name if known is not None else None
            name = name or _module_name(filename)
            spec = _spec(name)
            if known is not None and stamp != known.stamp:
                self._mixed.add(filename)
            elif known is not None and _is_another(spec, known.spec):
                self._reloaded.add(filename)
            self._seen[filename] = _Seen(stamp, name, spec)

    def remarks(self, name: Callable[[str], str]) -> list[str]:
        """A line for each file that has changed or was reloaded; `name` is what reports call it."""
        return [f"{name(file)} {_CHANGES[state]}" for file, state in self.states().items()]

    def states(self) -> dict[str, str]:
        """What has become of the files that have changed or were reloaded, in short."""
        changed, reloaded, mixed, again = _CHANGES
        states = {}
        for filename, seen in self._seen.items():
            imported = _is_another(_spec(seen.name), seen.spec)
            if seen.stamp != _stamp(filename):
                states[filename] = reloaded if imported else changed
            elif filename in self._mixed:
                states[filename] = mixed
            elif imported or filename in self._reloaded:
                states[filename] = again
        return states


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
    _ids_in: dict[str, tuple[Stamp | None, frozenset[str | None]]] = field(default_factory=dict)

    def stale(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of `cells` whose text in the file is another, and was saved after they ran.

        Where the front end's ids are not the file's, as in VS Code, those whose text is not there.
        """
        cells = [cell for cell in cells if cell.id is not None]
        notebook, saved = self._current(cells)
        if notebook is None:
            return []
        texts = {cell.id: cell.digest for cell in notebook.cells}
        if texts.keys().isdisjoint([cell.id for cell in cells]):
            there = {cell.digest for cell in notebook.cells}
            return [cell for cell in cells if cell.ran < saved and cell.digest not in there]
        return [
            cell
            for cell in cells
            if cell.ran < saved and texts.get(cell.id, cell.digest) != cell.digest
        ]

    def never_run(self, cells: Iterable[Cell]) -> tuple[str, int]:
        """The name of the notebook, and how many of its code cells are none of `cells`."""
        cells = list(cells)
        notebook, _ = self._current([cell for cell in cells if cell.id is not None])
        if notebook is None:
            return "", 0
        ids = {cell.id for cell in cells}
        texts = {cell.digest for cell in cells}
        left = [
            cell
            for cell in notebook.cells
            if cell.text.strip() and cell.id not in ids and cell.digest not in texts
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
        for path in map(str, sorted(Path(self.directory).glob("*.ipynb"))):
            if ids & self._ids(path):
                return path
        return None

    def _ids(self, path: str) -> frozenset[str | None]:
        """The ids of the cells in a file, which is read again only when it has changed."""
        stamp = _stamp(path)
        known = self._ids_in.get(path)
        if known is None or known[0] != stamp:
            notebook = _read(path)
            cells = notebook.cells if notebook is not None else ()
            known = self._ids_in[path] = stamp, frozenset(cell.id for cell in cells)
        return known[1]


def _read(path: str) -> Notebook | None:
    try:
        return notebooks.read(path)
    except BadNotebook:
        return None


def _module_name(filename: str) -> str | None:
    """The name that the module of a file is imported by, as the end of its path tells it.

    To look through all that is imported would cost more than a small cell does.
    """
    path, _ = os.path.splitext(filename)
    name = ""
    for part in reversed(path.split(os.sep)):
        if not part.isidentifier():
            return None
        if part == "__init__" and not name:
            continue
        name = f"{part}.{name}" if name else part
        file = _names_in(name).get("__file__")
        if file == filename or (isinstance(file, str) and os.path.realpath(file) == filename):
            return name
    return None


def _names_in(module: str) -> dict[str, Any]:
    """The names in a module that is imported, with none that it makes when it is asked."""
    found = sys.modules.get(module)
    return found.__dict__ if isinstance(found, ModuleType) else {}


def _spec(name: str | None) -> object:
    return _names_in(name).get("__spec__") if name is not None else None


def _is_another(spec: object, known: object) -> bool:
    """Whether a spec is that of a later import than the known one."""
    return spec is not None and known is not None and spec is not known


def _stamp(filename: str) -> Stamp | None:
    try:
        status = os.stat(filename)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
