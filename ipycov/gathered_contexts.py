"""Which cells ran each line of what was gathered from stores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ipycov.results import Chosen, ReportedFile, Results, by_number, whole_contexts


@dataclass(frozen=True)
class _Run:
    """The context of a run, the notebook that it was one of, and the lines that it ran."""

    context: str
    notebook: str
    lines: Callable[[], Iterable[int]]


class GatheredContexts:
    """The runs that covered files, by the files' names in a report.

    They are asked for their lines only when a report shows them.
    """

    def __init__(self) -> None:
        self._runs: dict[str, list[_Run]] = defaultdict(list)
        self._notebooks: set[str] = set()

    def add(
        self, name: str, context: str, notebook: str, lines: Callable[[], Iterable[int]]
    ) -> None:
        """A run called `context` of the notebook named so covered `lines` of the file `name`."""
        self._notebooks.add(notebook)
        self._runs[name].append(_Run(context, notebook, lines))

    def of(self, name: str, own: bool, chosen: Chosen) -> dict[int, list[str]]:
        """The cells that ran each line of a file, as `In[n]`, in the `chosen` contexts.

        Where there are several notebooks their names stand before, but of a notebook's `own`
        lines.
        """
        named = not own and len(self._notebooks) > 1
        found: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
        for run in self._runs.get(name, ()):
            cells = whole_contexts(filter(chosen, [run.context]))
            for line in run.lines() if cells else ():
                found[line].update((run.notebook if named else "", cell) for cell in cells)
        return {
            line: [
                f"{notebook}:{cell}" if notebook else cell
                for notebook, cell in sorted(found[line], key=lambda at: (at[0], by_number(at[1])))
            ]
            for line in sorted(found)
        }


class GatheredResults(Results):
    """What was gathered, with the cells that ran it as its contexts."""

    def __init__(
        self,
        files: Iterable[ReportedFile],
        contexts: GatheredContexts,
        notebooks: Iterable[str],
        narrow: Callable[[Chosen], Iterable[ReportedFile]],
    ) -> None:
        super().__init__(files, [], lambda file, line: [line], narrow=narrow)
        self._gathered = contexts
        self._notebooks = set(notebooks)

    def contexts_by_lineno(self, filename: str) -> dict[int, list[str]]:
        return self._gathered.of(filename, filename in self._notebooks, self.chooses)

    def contexts_of(self, filename: str) -> dict[int, set[str]]:
        return {line: set(ran) for line, ran in self.contexts_by_lineno(filename).items()}

    def measured_contexts(self) -> set[str]:
        return {
            context
            for filename in self.files
            for ran in self.contexts_by_lineno(filename).values()
            for context in ran
        }
