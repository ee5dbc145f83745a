"""Finding notebooks on disk, and the one that cells which ran are the code of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ipycov import notebooks
from ipycov.cells import Cell
from ipycov.errors import BadNotebook
from ipycov.lines import digest
from ipycov.notebooks import Notebook

_SKIPPED = {"node_modules", "site-packages", "__pycache__"}


def notebook_files(directories: Iterable[str]) -> Iterator[str]:
    """The notebook files in and below directories, each once; hidden ones are left out."""
    yield from _files(directories, ".ipynb")


def python_files(directory: str) -> Iterator[str]:
    """The Python source files in and below a directory; hidden and installed ones are left out."""
    yield from _files([directory], ".py")


def _files(directories: Iterable[str], ending: str) -> Iterator[str]:
    seen: set[str] = set()
    for top in directories:
        for directory, subdirectories, files in os.walk(os.path.realpath(top)):
            subdirectories[:] = sorted(
                name
                for name in subdirectories
                if not name.startswith(".")
                and name not in _SKIPPED
                and not os.path.exists(os.path.join(directory, name, "pyvenv.cfg"))
                and os.path.join(directory, name) not in seen
            )
            if directory in seen:
                subdirectories.clear()
                continue
            seen.add(directory)
            yield from (os.path.join(directory, f) for f in sorted(files) if f.endswith(ending))


def notebook_of(cells: Sequence[Cell], paths: Iterable[str], ran_in: str) -> Notebook | None:
    """The notebook that most of `cells`, at least one, are of; None where it is none.

    A cell is of a notebook that has its text, or where it has been edited since, its id.
    Of notebooks that share as many it is the one in the directory that the cells `ran_in`. A
    runner's executed copy has the same code: the notebook that it was made from is where the copy
    says that it is, or has no times of execution, or is older.
    """
    found = _best(cells, paths, ran_in)
    if found is None or not found.copy_of:
        return found
    original = os.path.join(ran_in, found.copy_of)
    if not os.path.isfile(original):  # it may name what is never read to its end
        return found
    return _best(cells, [original], ran_in) or found


def _best(cells: Sequence[Cell], paths: Iterable[str], ran_in: str) -> Notebook | None:
    ran_in = os.path.realpath(ran_in)
    wanted = {digest(cell.typed): cell.id for cell in cells}
    best: tuple[Any, Notebook] | None = None
    for path in paths:
        try:
            notebook = notebooks.read(path)
        except BadNotebook:
            continue
        digests = [digest(cell.text) for cell in notebook.cells if cell.text.strip()]
        shared = len(wanted.keys() & set(digests))
        ids = {cell.id for cell in notebook.cells} - {None}
        edited = sum(id in ids for text, id in wanted.items() if text not in digests)
        if not notebook.is_python or not shared + edited or (shared + edited) * 2 < len(wanted):
            continue
        rank = (
            not notebook.copy_of,
            shared,
            os.path.dirname(os.path.realpath(path)) == ran_in,
            -len(digests),
            not notebook.has_times,
            -os.stat(path).st_mtime_ns,
        )
        if best is None or rank > best[0]:
            best = rank, notebook
    return best[1] if best is not None else None
