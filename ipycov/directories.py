"""The directory that a session began in, whatever directory its cells have gone to since."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def standing_in(directory: str) -> Iterator[None]:
    """Have `directory` be the current one, from which coverage.py takes relative names.

    It looks there for its configuration file too. Where one of the two is gone, nothing is changed.
    """
    try:
        before = os.getcwd()
        if before != directory:
            os.chdir(directory)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        if before != directory:
            with suppress(OSError):
                os.chdir(before)
