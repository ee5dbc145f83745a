"""What one measurement has collected: kept by context, until each of those who want it has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coverage import CoverageData

from ipycov.taken import Taken, measured_from


class MeasuredData:
    """What was collected, lines or with `branch` arcs, as `context` at the time.

    It is put into `data`, coverage.py's, when that is asked for: it would take longer than a small
    cell does.
    """

    def __init__(self, data: CoverageData, *, branch: bool) -> None:
        self._data = data
        self.branch = branch
        self.context = ""
        self._contexts: set[str] = set()
        self._pending: list[Taken] = []
        self._new: list[Taken] = []
        self._unreported: list[Taken] = []
        self._touched: set[str] = set()

    @property
    def data(self) -> CoverageData:
        """All that was measured."""
        pending, self._pending = self._pending, []
        for taken in pending:
            self._data.set_context(taken.context or None)
            if self.branch:
                self._data.add_arcs(taken.files)
            else:
                self._data.add_lines(taken.files)
        return self._data

    def add(self, files: dict[str, set[Any]]) -> None:
        """Keep what was collected, by filename."""
        if files:
            taken = Taken(self.context, files, self.branch)
            self._pending.append(taken)
            self._new.append(taken)
            self._unreported.append(taken)
            self._touched |= files.keys()
            self._contexts.add(self.context)

    def add_as(self, files: dict[str, set[Any]], *, arcs: bool) -> None:
        """Keep what was collected elsewhere, as arcs or as lines."""
        if arcs and not self.branch:
            files = {name: measured_from(each, True).lines for name, each in files.items()}
        elif self.branch and not arcs:
            files = {name: {(-1, line) for line in each} for name, each in files.items()}
        self.add(files)

    def measured_in(self, contexts: Iterable[str]) -> bool:
        """Whether anything was measured in any of `contexts`."""
        return not self._contexts.isdisjoint(contexts)

    def touched(self) -> set[str]:
        """The names of the files that were measured since this was last asked."""
        touched, self._touched = self._touched, set()
        return touched

    def new(self) -> list[Taken]:
        """What was measured since this was last asked."""
        new, self._new = self._new, []
        return new

    def new_in(self, context: str) -> dict[str, set[int]]:
        """The lines of `context` that `new` would tell, by filename."""
        lines: dict[str, set[int]] = {}
        for taken in self._new:
            if taken.context == context:
                for name, measured in taken.measured().items():
                    lines.setdefault(name, set()).update(measured.lines)
        return lines

    def told(self) -> list[Taken]:
        """The same, which is then not put into `data`: another process has it."""
        self._pending = []
        return self.new()

    def not_reported(self) -> list[Taken]:
        """What was measured since a report has last asked."""
        unreported, self._unreported = self._unreported, []
        return unreported

    def leave(self) -> None:
        """Leave what was measured so far to the process that this one was forked from."""
        self._pending, self._new, self._unreported = [], [], []
        self._touched, self._contexts = set(), set()

    def erase(self) -> None:
        """Forget everything."""
        self.leave()
        self._data.erase()
