"""What ran in one context, as it is taken out of coverage.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ipycov.results import Measured


@dataclass(frozen=True)
class Taken:
    """What ran in one context, by filename: lines, or with `branch` arcs."""

    context: str
    files: dict[str, set[Any]]
    branch: bool

    def measured(self) -> dict[str, Measured]:
        """The same as lines and arcs."""
        return {name: measured_from(found, self.branch) for name, found in self.files.items()}


def measured_from(found: set[Any], branch: bool) -> Measured:
    """What ran of a file, from its lines or, with `branch`, from its arcs."""
    if not branch:
        return Measured(found, None, -1)
    return Measured({line for arc in found for line in arc if line > 0}, found, -1)
