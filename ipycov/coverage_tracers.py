"""coverage.py's trace functions: which one measures, without its costs and leftovers.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

import coverage
from coverage import pytracer

T = TypeVar("T")


def core_name(cov: coverage.Coverage) -> str:
    """The core that a started `cov` measures with: ctrace, pytrace or sysmon.

    `[run] core` says what was asked for, not what is used.
    """
    name = cov._collector.tracer_name()  # type: ignore[union-attr]
    return {"CTracer": "ctrace", "PyTracer": "pytrace", "SysMonitor": "sysmon"}.get(name, name)


def has_c_tracer() -> bool:
    """Whether this coverage.py has its trace function in C."""
    try:
        import coverage.tracer
    except ImportError:
        return False
    return hasattr(coverage.tracer, "CTracer")


def after_fork(cov: coverage.Coverage) -> None:
    """Let a `cov` that measured in the parent measure in a child.

    Locks that another thread held are held for good there.
    """
    collector: Any = cov._collector
    if getattr(collector, "data_lock", None):
        collector.data_lock = threading.Lock()
    for tracer in collector.tracers:
        if hasattr(tracer, "lock"):
            tracer.lock = threading.Lock()


def untraced(call: Callable[[], T]) -> T:
    """Call `call` where coverage.py's C tracer does not see it, which makes it twice as fast.

    The tracer's methods are C functions: none of them is a Python call that it sees begin or end
    alone, so that it finds its stack as it left it.
    """
    tracer: Any = sys.gettrace()
    if type(tracer).__name__ != "CTracer":
        return call()
    tracer.stop()
    try:
        return call()
    finally:
        tracer.start()


def join_lineless_arcs(measured: set[Any]) -> None:
    """Lead arcs to and from no line at all, which can't be stored, past it.

    From Python 3.14 on code may return where it has no line, as after an `except*`, and the
    Python tracer takes it for one.
    """
    into = [arc for arc in measured.copy() if isinstance(arc, tuple) and arc[1] is None]
    for start, _ in into:
        out = [arc for arc in measured.copy() if isinstance(arc, tuple) and arc[0] is None]
        measured.update((start, end) for _, end in out)
    measured -= {arc for arc in measured.copy() if isinstance(arc, tuple) and None in arc}


def let_go(cov: coverage.Coverage) -> None:
    """Let the memory of a `cov` be freed that measures no more.

    What it has registered for the end of the process, to stop and to save, holds it until then, and
    so does a cache of file names, which all collectors share. The garbage collector does not see
    into tracers in C, which hold it too.
    """
    atexit.unregister(cov._atexit)
    collector: Any = cov._collector
    if collector is not None:
        collector.tracers = []
    clear = getattr(getattr(collector, "cached_mapped_file", None), "cache_clear", None)
    if clear is not None:
        clear()


def free_tracers(cov: coverage.Coverage) -> None:
    """Have the Python tracers of a prepared `cov` register nothing for the end of the process.

    Each start and each thread makes one, and what it registers, which only PyPy needs, would hold
    it, and `cov`, until then.
    """
    core: Any = cov._collector.core  # type: ignore[union-attr]
    tracer_class = core.tracer_class
    if tracer_class is not pytracer.PyTracer:
        return

    def init(tracer: Any) -> None:
        registry: Any = pytracer
        registry.atexit = SimpleNamespace(register=lambda *args: None)
        try:
            tracer_class.__init__(tracer)
        finally:
            registry.atexit = atexit

    names = {"__init__": init, "__module__": tracer_class.__module__}
    core.tracer_class = type(tracer_class.__name__, (tracer_class,), names)
