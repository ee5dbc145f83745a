"""One run of a cell or of a line in it: what it was called, and what it covered."""

from __future__ import annotations

from dataclasses import dataclass, field

from ipycov.cells import Cell
from ipycov.measure import Measurement


@dataclass
class Ran:
    """What one run covered: its cell's or line's context and the files with new data.

    `asked` tells that the user asked for it, with %%cov or %cov. `line` is the typed line of a
    %cov among other lines of its cell; `parts` are the contexts of those in this run. `typed` is
    the text of a cell as the shell tells it.
    """

    cell: Cell | None
    context: str
    asked: bool = False
    line: int | None = None
    touched: set[str] = field(default_factory=set)
    measurement: Measurement | None = None
    parts: list[str] = field(default_factory=list)
    typed: str | None = None

    def contexts(self) -> list[str]:
        """The context of the run and those of its parts."""
        return [self.context, *self.parts]
