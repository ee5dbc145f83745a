"""What a shell ran before ipycov was there: the texts of its cells, from its history."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EarlierCell:
    """A cell that a shell has compiled: the name of its code, its text as typed and as compiled.

    `count` is the execution count of its latest run.
    """

    name: str
    typed: str
    compiled: str
    count: int


def earlier_cells(shell: Any) -> Iterator[EarlierCell]:
    """The cells that `shell` has run, of which IPython keeps the text in `linecache`.

    Code typed in a terminal has no name that coverage.py measures; its cells are left out.
    """
    history = shell.history_manager
    typed_texts, compiled_texts = history.input_hist_raw, history.input_hist_parsed
    for count, (typed, compiled) in enumerate(zip(typed_texts, compiled_texts, strict=False)):
        if not typed.strip():
            continue
        for text in (compiled, compiled + "\n"):
            name = shell.compile.get_code_name(typed, text, count)
            if name in linecache.cache and not name.startswith("<"):
                yield EarlierCell(name, typed, text, count)
                break
