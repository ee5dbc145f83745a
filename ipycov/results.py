"""What was measured, brought together under the names that reports use."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coverage import CoverageData

from ipycov.analysis import Arc

#: Stands in a context between the cell's and the number of a %cov in it.
PART = "!"

#: Stands in a context between the cell's and the name of a test that it ran.
TEST = "|"

#: What stands in a report by tests for what cells ran and no test did.
NO_TEST = "no test"


@dataclass
class Measured:
    """The raw data of one file: lines and arcs as its code objects number them.

    `arcs` is None where no branches were measured. `version` grows with each change; -1 says that
    the data is made for once.
    """

    lines: set[int] = field(default_factory=set)
    arcs: set[Arc] | None = None
    version: int = 0


class Collected:
    """What ran, file by file, whatever ran it."""

    def __init__(self) -> None:
        self._files: dict[str, Measured] = {}

    def files(self) -> Mapping[str, Measured]:
        """What was added so far, by filename."""
        return self._files

    def add(self, filename: str, lines: Iterable[int], arcs: Iterable[Arc] | None) -> None:
        """Add what ran of a file; `arcs` is None where no branches were measured."""
        measured = self._files.setdefault(filename, Measured())
        measured.version += 1
        measured.lines.update(lines)
        if arcs is not None:
            measured.arcs = (measured.arcs or set()) | set(arcs)

    def touch(self, filenames: Iterable[str], branch: bool) -> None:
        """Add files that could have run and did not."""
        for filename in filenames:
            self._files.setdefault(filename, Measured(arcs=set() if branch else None))


def collected_in(
    datas: Iterable[CoverageData], filenames: Collection[str], contexts: Iterable[str]
) -> Collected:
    """What ran in `filenames` in any of `contexts`, made for once."""
    collected = Collected()
    for data in datas:
        for context in contexts:
            with in_context(data, context):
                for name in filenames:
                    arcs = data.arcs(name) if data.has_arcs() else None
                    collected.add(name, data.lines(name) or (), arcs)
    for measured in collected.files().values():
        measured.version = -1
    return collected


@contextmanager
def in_context(data: CoverageData, context: str) -> Iterator[None]:
    """Have `data` answer for one context alone."""
    data.set_query_context(context)
    try:
        yield
    finally:
        data.set_query_contexts(None)


@dataclass
class ReportedFile:
    """One file of a report: its name there, the lines and arcs that ran, as reports number them.

    `raw` is the filename in the data that it stands for. Where it stands for several, `lines_of`
    tells for each which reported lines a measured line stands for.
    """

    name: str
    lines: set[int]
    arcs: set[Arc] | None
    raw: str
    version: int
    lines_of: Mapping[str, Callable[[int], Iterable[int]]] | None = None


#: Tells which reported lines of a file a measured line stands for.
LinesOf = Callable[[ReportedFile, int], Iterable[int]]


class Results(CoverageData):
    """Measured files that coverage.py's reporters can read as they read a data file.

    It holds plain sets: a report over a thousand cells would need thousands of queries. `datas`
    are gone through for contexts only, whose lines `lines_of` translates. `tracers` are the names
    of the file tracers that measured files, by filename.
    """

    def __init__(
        self,
        files: Iterable[ReportedFile],
        datas: Iterable[CoverageData],
        lines_of: LinesOf,
        tracers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(os.devnull, no_disk=True)  # whose path needs no current directory
        self.files = {file.name: file for file in files}
        self._datas = datas
        self._lines_of = lines_of
        self._tracers = tracers or {}
        self._contexts: dict[str, dict[int, set[str]]] = {}
        self.by_test = False
        self._has_arcs = any(file.arcs is not None for file in self.files.values())

    def has_arcs(self) -> bool:
        return self._has_arcs

    def for_file(self, filename: str) -> CoverageData:
        """What to analyse a file with: lines alone where its branches were not measured."""
        file = self.files[filename]
        if file.arcs is not None or not self.has_arcs():
            return self
        return Results([file], self._datas, self._lines_of, self._tracers)

    def measured_files(self) -> set[str]:
        return set(self.files)

    def lines(self, filename: str) -> list[int] | None:
        file = self.files.get(filename)
        return None if file is None else list(file.lines)

    def arcs(self, filename: str) -> list[Arc] | None:
        file = self.files.get(filename)
        return None if file is None else list(file.arcs or ())

    def file_tracer(self, filename: str) -> str | None:
        file = self.files.get(filename)
        return None if file is None else self._tracers.get(file.raw, "")

    def contexts_by_lineno(self, filename: str) -> dict[int, list[str]]:
        found = self.contexts_of(filename)
        return {line: self._shown(found[line]) for line in sorted(found)}

    def contexts_of(self, filename: str) -> dict[int, set[str]]:
        """The contexts that ran each line, parts of cells too; "" stands for no cell."""
        known = self._contexts.get(filename)
        if known is not None:
            return known
        file = self.files.get(filename)
        found: defaultdict[int, set[str]] = defaultdict(set)
        if file is not None:
            lines_of = file.lines_of or {file.raw: lambda line: self._lines_of(file, line)}
            for data in self._datas:
                for raw, lines in lines_of.items():
                    for line, contexts in data.contexts_by_lineno(raw).items():
                        for reported in lines(line):
                            found[reported].update(contexts)
        self._contexts[filename] = dict(found)
        return self._contexts[filename]

    def measured_contexts(self) -> set[str]:
        contexts = {context for data in self._datas for context in data.measured_contexts()}
        return {shown for context in contexts for shown in self._shown([context])}

    def _shown(self, contexts: Iterable[str]) -> list[str]:
        """What reports call contexts: their cells, or with `by_test` their tests."""
        return tests_of(contexts) if self.by_test else whole_contexts(contexts)

    def set_query_contexts(self, contexts: Any) -> None:
        """Do nothing: what the contexts choose was read already."""

    def set_query_context(self, context: str) -> None:
        """Do nothing: what the context chooses was read already."""

    def __bool__(self) -> bool:
        return bool(self.files)


def whole_contexts(contexts: Iterable[str]) -> list[str]:
    """The contexts of the cells that these contexts, or the parts that they name, belong to."""
    cells = {re.split(f"[{PART}{TEST}]", context, maxsplit=1)[0] for context in contexts if context}
    return sorted(cells, key=by_number)


def tests_of(contexts: Iterable[str]) -> list[str]:
    """The tests of contexts; `NO_TEST` where they are cells' alone."""
    tests = {
        re.sub(rf"{PART}\d+$", "", context.partition(TEST)[2]) or NO_TEST
        for context in contexts
        if context
    }
    return sorted(tests - {NO_TEST} or tests, key=by_number)


def by_number(context: str) -> tuple[int, str]:
    """Sorts In[2] before In[10]."""
    number = re.search(r"\d+", context)
    return (int(number[0]) if number else 0, context)
