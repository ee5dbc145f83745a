"""Finding notebooks on disk, and the one that cells which ran are the code of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from ipycov import notebooks
from ipycov.cells import Cell
from ipycov.errors import BadNotebook
from ipycov.lines import digest
from ipycov.notebooks import Notebook

_SHORTEST = "they count for the one with the fewest cells, or the oldest"
#: The tag of the cell that papermill puts into what it executes.
_PARAMETERS = "injected-parameters"
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


def is_copy(path: str, places: Iterable[str] = ()) -> bool:
    """Whether the notebook at `path` says that it is an executed copy of one that is there.

    It may name that one from the current directory, from its own, and from any of `places`.
    """
    try:
        with open(path, "rb") as file:
            if not path.endswith(notebooks.CONVERTED) and b'"input_path"' not in file.read():
                return False  # as a rule, and in a fraction of the time of reading a notebook
        original = notebooks.read(path).copy_of
    except (OSError, BadNotebook):
        return False
    found = [os.path.join(at, original) for at in (os.getcwd(), os.path.dirname(path), *places)]
    return bool(original) and any(
        os.path.isfile(each) and not os.path.samefile(each, path) for each in found
    )


def notebook_of(
    cells: Sequence[Cell],
    paths: Iterable[str],
    ran_in: str,
    tell: Callable[[str], object] = lambda message: None,
) -> Notebook | None:
    """The notebook that most of `cells` are of, or that ran whole in its directory, else None.

    Cells that hold nothing but ipycov's magics are typed anywhere, and count for none.
    A cell is of a notebook that has its text, or where it has been edited since, its id.
    A runner's executed copy has the same code, and its parameters: the notebook that it was made
    from is where the copy says that it is, or has no times of execution, or is older. Of others
    that share as many it is the one in the directory that the cells `ran_in`. Where nothing but
    length and age tells one from others, that is said to `tell`.
    """
    found = _best(cells, paths, ran_in, tell)
    if found is None or not found.copy_of:
        return found
    original = os.path.join(ran_in, found.copy_of)
    if not os.path.isfile(original):  # it may name what is never read to its end
        return found
    return _best(cells, [original, found.path], ran_in) or found


def _best(
    cells: Sequence[Cell],
    paths: Iterable[str],
    ran_in: str,
    tell: Callable[[str], object] = lambda message: None,
) -> Notebook | None:
    ran_in = os.path.realpath(ran_in)
    own = [cell for cell in cells if not cell.nested] or cells  # no notebook has what cells ran
    own = [cell for cell in own if not cell.is_ours] or own
    wanted = {digest(cell.typed): cell.id for cell in own}
    typed = {digest(cell.typed) for cell in cells}
    ranked: list[tuple[Any, Notebook]] = []
    for path in paths:
        try:
            notebook = notebooks.read(path)
        except BadNotebook:
            continue
        digests = [digest(cell.text) for cell in notebook.cells if cell.text.strip()]
        parameters = {digest(cell.text) for cell in notebook.cells if _PARAMETERS in cell.tags}
        shared = len(wanted.keys() & set(digests))
        ids = {cell.id for cell in notebook.cells} - {None}
        edited = sum(id in ids for text, id in wanted.items() if text not in digests)
        if not notebook.is_python or not shared + edited:
            continue
        is_here = os.path.dirname(os.path.realpath(path)) == ran_in
        ran_whole = is_here and shared > 1 and typed.issuperset(digests)
        if (shared + edited) * 2 < len(wanted) and not ran_whole:
            continue
        rank = (
            len(wanted.keys() & set(digests) - parameters) + edited,
            not notebook.copy_of,
            is_here,
            -len(digests),
            not notebook.has_times,
            -os.stat(path).st_mtime_ns,
        )
        ranked.append((rank, notebook))
    if not ranked:
        return None
    best, found = max(ranked, key=itemgetter(0))
    alike = [
        os.path.relpath(each.path)
        for rank, each in ranked
        if rank[:3] == best[:3] and each.has_times == found.has_times
    ]
    if len(alike) > 1:
        tell(f"the cells that ran may be those of {' or '.join(alike)}: {_SHORTEST}")
    return found
