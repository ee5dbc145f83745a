"""The arguments of magics, parsed: what is wrong with them is one line that says what to do."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import parse_argstring


def parsed(magic: Any, line: str) -> Any:
    """The arguments that `line` gives to `magic`. Raises UsageError when they are wrong."""
    explains = f"%{magic.__name__}? explains"
    try:
        return parse_argstring(magic, line)
    except UsageError as error:
        raise UsageError(f"{error}; {explains}") from None
    except ValueError as error:  # of a quote that is not closed
        raise UsageError(f"{error} in {line.strip()}; {explains}") from None
