"""coverage.py's sysmon core, across the starts and stops of cells.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import sys
import threading
import tokenize
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import CodeType, FrameType
from typing import Any

import coverage

from ipycov.coverage_tracers import wrap_init

#: How many seconds a thread waits for another that notes a file, which takes microseconds.
_PATIENCE = 0.5

#: How many tools sys.monitoring knows.
_TOOLS = 6

#: What a sysmon core has callbacks for, so far as sys.monitoring knows it.
_EVENTS = ("PY_START", "PY_RETURN", "LINE", "BRANCH_LEFT", "BRANCH_RIGHT")

#: What holds suspended code, by what its attributes begin with: the one that it waits for.
_KINDS = {"cr": "cr_await", "gi": "gi_yieldfrom", "ag": "ag_await"}

_SUSPENDABLE = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


def is_monitoring(cov: coverage.Coverage) -> bool:
    """Whether the sysmon core of `cov` goes on, beside another `Coverage` or after it."""
    tracers: Any = cov._collector.tracers  # type: ignore[union-attr]
    return bool(tracers) and bool(tracers[0].sysmon_on)


def halt(cov: coverage.Coverage) -> None:
    """Have the sysmon core of `cov` look on no more, so that what stops it costs less."""
    if not is_monitoring(cov):
        return
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    if sys.monitoring.get_tool(tracer.myid) is None:  # a cell has freed it, and its callbacks go on
        sys.monitoring.use_tool_id(tracer.myid, "coverage.py")
    sys.monitoring.set_events(tracer.myid, sys.monitoring.events.NO_EVENTS)


def rest(cov: coverage.Coverage) -> None:
    """Free the tool id of a `cov` that another was started after, and can't be stopped before."""
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    tracer.stop()


def go_on(cov: coverage.Coverage) -> None:
    """Have a `cov` that rests look on again. Raises `ValueError` or `RuntimeError` for no id."""
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    tracer.start()
    know_what_goes_on(cov)


def forget_callbacks() -> None:
    """Let the memory of sysmon cores be freed that have been stopped.

    `sys.monitoring` keeps the callbacks of a tool id that is free, and with them all they know.
    """
    for tool_id in range(_TOOLS):
        if sys.monitoring.get_tool(tool_id) is not None:
            continue
        for event in filter(None, (getattr(sys.monitoring.events, name, 0) for name in _EVENTS)):
            callback = sys.monitoring.register_callback(tool_id, event, None)
            if getattr(getattr(callback, "__self__", None), "sysmon_on", True):
                sys.monitoring.register_callback(tool_id, event, callback)  # another tool's


def loosen_locks(cov: coverage.Coverage) -> None:
    """Let no lock of the sysmon core of a prepared `cov` keep it from going on.

    A newer coverage.py takes its lock in one call and minds errors from the next line on. One that
    comes between the two leaves it locked, and the next file that runs would wait for ever. What is
    changed after a start is too late: a thread may hold the lock then.
    """
    collector: Any = cov._collector
    if collector.data_lock is not None:
        collector.data_lock = PatientLock()

    def make(tracer: Any, init: Callable[[], object]) -> None:
        init()
        # Where `include` has coverage.py's own code in, that which takes this lock begins more of
        # it: no event comes in a callback, but what is called as one, as here, is measured.
        tracer.lock = threading.RLock()

    wrap_init(cov, make)


class PatientLock:
    """A lock that is waited for in vain for a while, and not for ever."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def anew(self) -> PatientLock:
        """One like it that nothing holds."""
        return PatientLock()

    def acquire(self) -> bool:
        """Wait until no other thread holds it; False where that takes too long."""
        return self._lock.acquire(timeout=_PATIENCE)

    def release(self) -> None:
        """Let go of it, where it is held."""
        with suppress(RuntimeError):  # it was not waited for any longer
            self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()


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
        know_what_goes_on(cov)


def know_what_goes_on(cov: coverage.Coverage) -> None:
    """Let a sysmon `cov` that looks on from now know code that began before, and goes on.

    Functions of other threads, and tasks of the loop that runs here, may have begun between two
    cells.
    """
    tracer: Any = cov._collector.tracers[0]  # type: ignore[union-attr]
    here = threading.get_ident()
    codes = {frame.f_code for frame in _frames(but_of=here)} | set(_codes_of_tasks())
    for code in codes:
        if id(code) not in tracer.code_infos:
            tracer.sysmon_py_start(code, 0)


def _codes_of_tasks() -> Iterator[CodeType]:
    """The code of every coroutine that a task of the running loop is in."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no loop runs here
        return
    for task in tasks:
        waiting: Any = task.get_coro()
        while waiting is not None:
            kind = next((kind for kind in _KINDS if hasattr(waiting, f"{kind}_code")), None)
            if kind is None:
                break
            yield getattr(waiting, f"{kind}_code")
            waiting = getattr(waiting, _KINDS[kind])


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


def _frames(but_of: int | None = None) -> Iterable[FrameType]:
    """Every frame of every thread, but not of the thread `but_of`."""
    for thread, frame in sys._current_frames().items():
        at: FrameType | None = frame if thread != but_of else None
        while at is not None:
            yield at
            at = at.f_back
