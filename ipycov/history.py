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
    kept: dict[str, list[tuple[str, str]]] = {}  # by text: the name, and the newlines at its end
    for name, entry in linecache.cache.items():
        if len(entry) > 1 and not name.startswith("<"):
            text = "".join(entry[2])
            kept.setdefault(text.rstrip("\n"), []).append((name, text[len(text.rstrip("\n")) :]))
    taken: set[str] = set()
    history = shell.history_manager
    typed_texts, compiled_texts = history.input_hist_raw, history.input_hist_parsed
    for count, (typed, compiled) in enumerate(zip(typed_texts, compiled_texts, strict=False)):
        if not typed.strip():
            continue
        found = {
            name: EarlierCell(name, whole, compiled + end, count)
            for name, end in kept.get("\n".join(compiled.splitlines()), ())
            for whole in (typed + end, typed + end[1:])  # the history has no newlines at the end
            if shell.compile.get_code_name(whole, compiled + end, count) == name
        }
        if found:  # one that differs in its end alone is another run's
            name = next((each for each in found if each not in taken), next(iter(found)))
            taken.add(name)
            yield found[name]
