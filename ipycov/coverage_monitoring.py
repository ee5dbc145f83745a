"""coverage.py's sysmon core, across the starts and stops of cells.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import sys
import tokenize
from collections.abc import Callable, Iterable
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import CodeType, FrameType
from typing import Any

import coverage

_SUSPENDABLE = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


def is_monitoring(cov: coverage.Coverage) -> bool:
    """Whether the sysmon core of `cov` goes on, beside another `Coverage` or after it."""
    tracers: Any = cov._collector.tracers  # type: ignore[union-attr]
    return bool(tracers) and bool(tracers[0].sysmon_on)


def halt(cov: coverage.Coverage) -> None:
    """Have the sysmon core of `cov` look on no more, so that what stops it costs less."""
    if is_monitoring(cov):
        _look_on(cov, sys.monitoring.events.NO_EVENTS)


def look_on(cov: coverage.Coverage) -> None:
    """Have the sysmon core of `cov` look on again that was halted and not stopped."""
    _look_on(cov, sys.monitoring.events.PY_START)
    sys.monitoring.restart_events()


def _look_on(cov: coverage.Coverage, events: int) -> None:
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    sys.monitoring.set_events(tracer.myid, events)


class MonitoredCode:
    """What a sysmon core has learnt of code objects, carried from one start to the next.

    Each start makes a tracer that knows nothing. Generators, coroutines and functions of other
    threads get no start event when they go on, and a tracer that has not seen code start drops its
    lines. Code that is not measured, such as IPython's, would be looked at anew for each cell.
    """

    def __init__(self) -> None:
        self._untraced: dict[int, Any] = {}
        self._kept_alive: list[CodeType] = []  # for their ids to mean them
        self._unfinished: list[CodeType] = []

    def keep(self, cov: coverage.Coverage) -> None:
        """Take over what the running `cov` knows before it is stopped."""
        tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
        running = {id(frame.f_code) for frame in _frames()}
        self._unfinished = []
        for code in list(tracer.code_objects):
            info = tracer.code_infos[id(code)]
            if not info.tracing:
                if not code.co_filename.startswith("<"):
                    self._untraced[id(code)] = info
                    self._kept_alive.append(code)
            elif code.co_flags & _SUSPENDABLE or id(code) in running:
                self._unfinished.append(code)

    def give_back(self, cov: coverage.Coverage) -> None:
        """Let a `cov` that was just started know it again."""
        tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
        tracer.code_infos.update(self._untraced)
        for code in self._unfinished:
            tracer.sysmon_py_start(code, 0)


def know_multiline_statements(
    cov: coverage.Coverage, map_for: Callable[[str], dict[int, int] | None]
) -> None:
    """Let a sysmon `cov` that measures branches know the multi-line statements of cells.

    It reads them from the source file, and a cell has none.
    """
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    if hasattr(tracer, "multiline_maps"):
        tracer.multiline_maps = _MultilineMaps(map_for)


class _MultilineMaps(dict[str, dict[int, int]]):
    def __init__(self, map_for: Callable[[str], dict[int, int] | None]) -> None:
        self._map_for = map_for

    def get(self, filename: str, default: Any = None) -> Any:
        known = super().get(filename)
        if known is None:
            known = self._map_for(filename)
            if known is not None:
                self[filename] = known
        return default if known is None else known


def multiline_map(text: str) -> dict[int, int]:
    """Which line starts the statement that each line of a multi-line statement belongs to."""
    try:
        from coverage.parser import multiline_map_from_text
    except ImportError:  # an older coverage.py, whose tracer has no such map either
        return {}
    try:
        return multiline_map_from_text(text)
    except (tokenize.TokenError, SyntaxError):
        return {}


def _frames() -> Iterable[FrameType]:
    """Every frame of every thread."""
    for frame in sys._current_frames().values():
        at: FrameType | None = frame
        while at is not None:
            yield at
            at = at.f_back
