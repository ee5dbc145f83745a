"""Interrupts, put off while ipycov changes what must not be left half changed."""

from __future__ import annotations

import _signal  # what `signal` is made of: that makes names of numbers, which takes longer
import threading
from types import FrameType, TracebackType
from typing import Any


class PutOff:
    """Puts an interrupt off, as Ctrl-C or a front end sends it, until the block has ended.

    Only the main thread is interrupted; elsewhere it does nothing.
    """

    def __init__(self) -> None:
        self._theirs: Any = None
        self._came: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        theirs = _signal.getsignal(_signal.SIGINT)
        if callable(theirs):
            _signal.signal(_signal.SIGINT, self._note)
            self._theirs = theirs

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._theirs is None:
            return
        _signal.signal(_signal.SIGINT, self._theirs)
        if self._came is not None:
            self._theirs(*self._came)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number, frame
