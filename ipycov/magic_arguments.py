"""The arguments of magics, parsed: what is wrong with them is one line that says what to do."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import parse_argstring

from ipycov.options import separated
from ipycov.report import COLUMNS


def parsed(magic: Any, line: str) -> Any:
    """The arguments that `line` gives to `magic`. Raises UsageError when they are wrong."""
    explains = f"%{magic.__name__}? explains"
    try:
        return parse_argstring(magic, line)
    except UsageError as error:
        raise UsageError(f"{error}; {explains}") from None
    except ValueError as error:  # of a quote that is not closed
        raise UsageError(f"{error} in {line.strip()}; {explains}") from None


def no_arguments(name: str, line: str) -> None:
    """Raise UsageError when a line gives arguments to the magic `name`, which takes none."""
    if line.strip():
        raise UsageError(f"%{name} takes no arguments, not {line.strip()!r}")


def percentage(given: str) -> float:
    """An argument from 0 to 100."""
    try:
        value = float(given)
    except ValueError:
        raise ArgumentTypeError(f"{given} is no percentage") from None
    if not 0 <= value <= 100:
        raise ArgumentTypeError(f"{given} is not between 0 and 100")
    return value


def digits(given: str) -> int:
    """An argument that is a number of digits, up to 100."""
    if not given.isdecimal() or len(given) > 3 or int(given) > 100:
        raise ArgumentTypeError(f"{given} is no number of digits up to 100")
    return int(given)


def column(given: str) -> str:
    """An argument that names a column to sort by, with - before it from high to low."""
    if given.lstrip("+-").lower() not in COLUMNS:
        raise ArgumentTypeError(f"there is no column {given!r}; choose from {', '.join(COLUMNS)}")
    return given


def patterns(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Patterns given one by one or with commas between, as coverage.py takes them."""
    if given is None:
        return None
    return separated(map(unquoted, given))


def unquoted(given: str) -> str:
    """A value without the quotes that IPython leaves around it."""
    quoted = len(given) > 1 and given[0] == given[-1] and given[0] in "'\""
    return given[1:-1] if quoted else given
