"""What a session keeps in its store: cells, and what ran of them, until it can be written."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable

from ipycov.cells import Cell
from ipycov.store import Store
from ipycov.taken import Taken

_REMOVED = (
    "ipycov: what was stored of this session was removed: ipycov report has what is measured from "
    "now on"
)
#: What may be over at the next try: a full disk, and too many open files.
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}
_NAME = re.compile(r"[^\W\d]\w*")


class Keeper:
    """Writes to `store`, where there is one, what a session measures.

    `say` shows the user one line; `defined` tells whether the user's namespace has a name. What
    could not be written is tried again with what comes next; where there is no place to write at
    all, nothing is.
    """

    def __init__(
        self,
        store: Store | None,
        say: Callable[[str], None],
        defined: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self._store = store
        self._say = say
        self._defined = defined
        self._cells: list[Cell] = []  # not in the store yet
        self._taken: list[Taken] = []

    def ran(self, cell: Cell) -> None:
        """A cell runs, or ran before the session began: what is measured may be of it."""
        if self._store is not None:
            self._cells.append(cell)

    def keep(self, taken: Iterable[Taken]) -> None:
        """Write what was taken."""
        if self._store is None:
            return
        self._taken += taken
        try:
            while self._taken:
                self._write(self._store, self._taken.pop(0))
        except OSError as error:
            why = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
            if self._store.began or error.errno in _PASSING:
                self._say(
                    f"ipycov: what is measured is kept in memory until it can be saved: {why}"
                )
            else:
                self._say(f"ipycov: what is measured is kept in memory only: {why}")
                self.stop()

    def _write(self, store: Store, taken: Taken) -> None:
        if store.removed:
            self._say(_REMOVED)
        for cell in self._cells:
            cell.defined = None if cell.measured else self._defined_in(cell)
        try:
            store.add(self._cells, taken.context, taken.measured())
        except OSError:
            self._taken.insert(0, taken)
            raise
        self._cells.clear()

    def _defined_in(self, cell: Cell) -> frozenset[str]:
        """The names in a cell that are defined now."""
        return frozenset(filter(self._defined, _NAME.findall(cell.typed)))

    def erase(self) -> None:
        """Keep nothing of what was measured so far."""
        self._taken.clear()
        if self._store is not None:
            try:
                self._store.erase()
            except OSError as error:
                self._say(f"ipycov: what was stored is not erased: {error.strerror or error}")

    def stop(self) -> None:
        """Keep nothing from now on."""
        self._store = None
        self._cells.clear()
        self._taken.clear()

    def close(self) -> None:
        """Let go of the store's file."""
        if self._store is not None:
            self._store.close()
        self.stop()
