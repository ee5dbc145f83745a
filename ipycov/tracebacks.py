"""Tracebacks of cells whose code is marked, as IPython shows those of others.

IPython takes the first of the lines that it shows from the first line of the code, which is 0 where
`ipycov.locations` has marked it: the records that it makes a traceback of are given the line 1.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from types import CodeType
from typing import Any


class Tracebacks:
    """Mends the tracebacks that `shell` shows."""

    def __init__(self, shell: Any) -> None:
        self._formatter = getattr(shell, "InteractiveTB", None)
        self._records: Any = None

    def install(self) -> None:
        """Begin to mend."""
        original = getattr(self._formatter, "get_records", None)
        if original is None:
            return

        @functools.wraps(original)
        def records(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            with suppress(Exception):  # it is the user's error that is to be seen
                for record in found:
                    code = getattr(record, "code", None)
                    if isinstance(code, CodeType) and code.co_firstlineno == 0:
                        record.code = code.replace(co_firstlineno=1)
            return found

        self._records = records
        self._formatter.get_records = records  # type: ignore[union-attr]

    def uninstall(self) -> None:
        """Leave the shell as it was."""
        if self._records is not None and vars(self._formatter).get("get_records") is self._records:
            del self._formatter.get_records  # type: ignore[union-attr]
