"""Code objects whose own exit can be told from those of the functions in them.

coverage.py records that code was left as an arc to minus its first line. The code of a cell's
statement starts on line 1 like that of a function or class which stands there, so that the two
exits look the same. `starting_at_zero` gives the statement's code the first line 0.

The table of line numbers counts from the first line; its format is the one that CPython documents
in Objects/locations.md (3.11 and later) and says may change: for anything else than what is known
here the code is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

_NO_COLUMNS, _LONG, _NO_LOCATION = 13, 14, 15


def starting_at_zero(code: CodeType) -> CodeType:
    """`code` with the first line 0 and all its positions as they were."""
    marked = code.replace(
        co_firstlineno=0, co_linetable=_shifted(code.co_linetable, code.co_firstlineno)
    )
    return marked if list(marked.co_lines()) == list(code.co_lines()) else code


def holds_code_at(code: CodeType, line: int) -> bool:
    """Whether a function, class or the like inside `code` starts on `line`."""
    return any(
        isinstance(const, CodeType) and (const.co_firstlineno == line or holds_code_at(const, line))
        for const in code.co_consts
    )


def _shifted(table: bytes, lines: int) -> bytes:
    """The table with `lines` added to the first line number in it."""
    at = 0
    while at < len(table):
        kind, length = table[at] >> 3 & 15, table[at] & 7
        end = next((i for i in range(at + 1, len(table)) if table[i] & 128), len(table))
        if kind != _NO_LOCATION:
            break
        at = end
    else:
        return table
    rest = iter(table[at + 1 : end])
    if kind == _NO_COLUMNS:
        delta, columns = _signed(rest), None
    elif kind == _LONG:
        delta, columns = _signed(rest), [_unsigned(rest) for _ in range(3)]
    elif kind >= 10:
        delta = kind - 10
        columns = [0, next(rest) + 1, next(rest) + 1]
    else:
        delta, second = 0, next(rest)
        start = kind << 3 | second >> 4 & 7
        columns = [0, start + 1, start + (second & 15) + 1]
    entry = bytes([128 | (_NO_COLUMNS if columns is None else _LONG) << 3 | length])
    entry += _from_signed(delta + lines)
    for column in columns or ():
        entry += _from_unsigned(column)
    return table[:at] + entry + table[end:]


def _unsigned(octets: Iterator[int]) -> int:
    value = shift = 0
    while True:
        octet = next(octets)
        value |= (octet & 63) << shift
        shift += 6
        if not octet & 64:
            return value


def _signed(octets: Iterator[int]) -> int:
    value = _unsigned(octets)
    return -(value >> 1) if value & 1 else value >> 1


def _from_unsigned(value: int) -> bytes:
    out = bytearray()
    while value >= 64:
        out.append(64 | value & 63)
        value >>= 6
    out.append(value)
    return bytes(out)


def _from_signed(value: int) -> bytes:
    return _from_unsigned(-value << 1 | 1 if value < 0 else value << 1)
