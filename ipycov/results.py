"""What was measured, brought together under the names that reports use."""

from __future__ import annotations

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from coverage import CoverageData
from coverage.exceptions import ConfigError

from ipycov.analysis import Arc

#: Stands in a context between the cell's and the number of a %cov in it.
PART = "!"

#: Stands in a context between the cell's and the name of a test that it ran.
TEST = "|"

#: What stands in a report by tests for what cells ran and no test did.
NO_TEST = "no test"


_versions = itertools.count(1)


@dataclass
class Measured:
    """The raw data of one file: lines and arcs as its code objects number them.

    `arcs` is None where no branches were measured. `version` grows with each change, and no two
    have the same once they hold something; -1 says that the data is made for once.
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
        measured.version = next(_versions)
        measured.lines.update(lines)
        if arcs is not None:
            measured.arcs = (measured.arcs or set()) | set(arcs)

    def touch(self, filenames: Iterable[str], branch: bool) -> None:
        """Add files that could have run and did not."""
        for filename in filenames:
            self._files.setdefault(filename, Measured(arcs=set() if branch else None))


def collected_in(
    data: CoverageData, filenames: Collection[str], contexts: Iterable[str]
) -> Collected:
    """What ran in `filenames` in any of `contexts`, made for once."""
    collected = Collected()
    if names := "|".join(map(re.escape, contexts)):
        data.set_query_contexts([f"^(?:{names})$"])
        try:
            for name in filenames:
                arcs = data.arcs(name) if data.has_arcs() else None
                collected.add(name, data.lines(name) or (), arcs)
        finally:
            data.set_query_contexts(None)
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

    def lines_without_arcs(self) -> set[int]:
        """The lines that ran while lines alone were measured, where branches were too."""
        if self.arcs is None:
            return set()
        return self.lines - {abs(line) for arc in self.arcs for line in arc}


#: Tells which reported lines of a file a measured line stands for.
LinesOf = Callable[[ReportedFile, int], Iterable[int]]


#: Whether a context is one of those that a report is on.
Chosen = Callable[[str], bool]


class Results(CoverageData):
    """Measured files that coverage.py's reporters can read as they read a data file.

    It holds plain sets: a report over a thousand cells would need thousands of queries. `datas`
    are gone through for contexts only, whose lines `lines_of` translates. `tracers` are the names
    of the file tracers that measured files, by filename. `narrow` gives the files with what chosen
    contexts ran of them; without it, all contexts are.
    """

    def __init__(
        self,
        files: Iterable[ReportedFile],
        datas: Iterable[CoverageData],
        lines_of: LinesOf,
        tracers: Mapping[str, str] | None = None,
        narrow: Callable[[Chosen], Iterable[ReportedFile]] | None = None,
    ) -> None:
        super().__init__(os.devnull, no_disk=True)  # whose path needs no current directory
        self.files = self._all = {file.name: file for file in files}
        self._narrow = narrow
        self._chosen_by: tuple[str, ...] = ()
        self._narrowed: dict[tuple[str, ...], dict[str, ReportedFile]] = {(): self._all}
        self._datas = datas
        self._lines_of = lines_of
        self._tracers = tracers or {}
        self._contexts: dict[str, dict[int, set[str]]] = {}
        self.by_test = False
        self._has_arcs = any(file.arcs is not None for file in self.files.values())

    def has_arcs(self) -> bool:
        return self._has_arcs

    def leave_out(self, filename: str) -> None:
        """Have no report tell of a file."""
        del self._all[filename]

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
                        chosen = list(filter(self.chooses, contexts))
                        for reported in lines(line) if chosen else ():
                            found[reported].update(chosen)
        self._contexts[filename] = dict(found)
        return self._contexts[filename]

    def measured_contexts(self) -> set[str]:
        contexts = {context for data in self._datas for context in data.measured_contexts()}
        return {shown for context in contexts for shown in self._shown([context])}

    def _shown(self, contexts: Iterable[str]) -> list[str]:
        """What reports call contexts: their cells, or with `by_test` their tests."""
        return tests_of(contexts) if self.by_test else whole_contexts(contexts)

    def chooses(self, context: str) -> bool:
        """Whether a context is one of those that are reported."""
        patterns = self._chosen_by
        return not patterns or any(re.search(pattern, context) for pattern in patterns)

    def set_query_contexts(self, contexts: Sequence[str] | None) -> None:
        """Report what ran in the contexts in which one of these regular expressions is found.

        None and an empty list stand for all contexts. Raises `ConfigError` for what is no regular
        expression.
        """
        asked = tuple(contexts or ()) if self._narrow is not None else ()
        if asked == self._chosen_by:
            return
        for each in asked:
            try:
                re.compile(each)
            except re.error as error:
                raise ConfigError(f"Invalid context regex {each!r}: {error}") from error
        self._chosen_by = asked
        self._contexts.clear()
        if self._narrow is not None and asked not in self._narrowed:
            ran = {file.name: file for file in self._narrow(self.chooses)}
            self._narrowed[asked] = {
                name: ran.get(name)
                or replace(file, lines=set(), arcs=None if file.arcs is None else set(), version=-1)
                for name, file in self._all.items()
            }
        self.files = self._narrowed[asked]

    def set_query_context(self, context: str) -> None:
        """Do nothing: coverage.py's reports choose contexts by regular expressions."""

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
