"""coverage.py's trace functions: which one measures, without its costs and leftovers.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from types import FrameType, SimpleNamespace
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


def renew_locks(cov: coverage.Coverage, others: Iterable[Any]) -> None:
    """Let nobody hold a lock of `cov`, nor of `others` of its tracers.

    One that another thread held when this process was forked is held for good, and so it is in a
    signal handler: that thread goes on no more.
    """
    collector: Any = cov._collector
    if collector is None:
        return
    lock: Any = getattr(collector.data_lock, "anew", threading.Lock)()
    if collector.data_lock is not None:
        collector.data_lock = lock
    for tracer in (*collector.tracers, *others):
        if hasattr(tracer, "lock"):
            tracer.lock = threading.RLock()
        if hasattr(tracer, "lock_data"):  # a newer coverage.py gives it those of the lock itself
            tracer.lock_data, tracer.unlock_data = lock.acquire, lock.release


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


def pause_for_another(collector: Any, pause: Callable[[], None]) -> None:
    """Pause `collector`, whose trace function another is about to take the place of.

    A stopped tracer takes itself off at the next event that it sees, which may be one of a frame
    that it saw begin when the other traces already: that is gone then. The Python one goes on
    with such frames, but it counts them, and a call while it stops would be one too many.
    """
    warnings = [(tracer, tracer.warn) for tracer in collector.tracers if hasattr(tracer, "stopped")]
    if warnings:
        sys.settrace(None)
        for tracer, _ in warnings:
            tracer.warn = None
    pause()
    for tracer, warn in warnings:
        tracer.warn = warn
    if not warnings:
        forget_local_traces(collector.tracers)


def forget_local_traces(tracers: Iterable[Any]) -> None:
    """Have the frames of this thread call `tracers`, which are stopped, no more."""
    stopped = list(tracers)
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_trace is not None and tracer_of(frame.f_trace) in stopped:
            frame.f_trace = None
        frame = frame.f_back


def frames_within(frame: FrameType, collector: Any) -> list[FrameType]:
    """The frames from the outermost that `collector` measures to `frame`, which may be none."""
    frames: list[FrameType] = []
    within = 0
    at: FrameType | None = frame
    while at is not None:
        frames.append(at)
        decision = collector.should_trace_cache.get(at.f_code.co_filename)
        if decision is not None and decision.trace:
            within = len(frames)
        at = at.f_back
    return frames[:within][::-1]


def tell_frames(
    tracer: Any, begun: Sequence[FrameType], ended: int = 0, before: Sequence[FrameType] = ()
) -> None:
    """Tell a running tracer of frames that began, and ended, while it did not look on.

    Of the frames on its stack the last `ended` are gone, those in `before` are next, and those in
    `begun` are within them, outermost first. It knows frames by the order of events alone, so that
    none may come in between. Lines that it takes for run by this are to be thrown away.
    """
    if hasattr(tracer, "sysmon_py_start"):  # it is told of code
        for frame in (*before, *begun):
            tracer.sysmon_py_start(frame.f_code, 0)
        return
    if tracer is not tracer_of(sys.gettrace()):
        return  # another has taken its place
    own = sys._getframe()
    steps = [(own, "return")] * (ended + 1)  # this call is on its stack already
    steps += [(frame, "line") for frame in before[-1:]]
    steps += [(frame, event) for frame in (*begun, own) for event in ("call", "line")]
    tell = tracer
    if isinstance(tracer, pytracer.PyTracer):
        tell = tracer._trace
        for frame in (*before, *begun):
            frame.f_trace = tracer._cached_bound_method_trace
    deque(map(tell, *zip(*steps, strict=True), repeat(None)), maxlen=0)


def tracer_of(trace: Any) -> Any:
    """The tracer that a trace function is, or is a method of."""
    return getattr(trace, "__self__", trace)


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


def drop_tracers(cov: coverage.Coverage) -> None:
    """Keep the tracers of `cov` no more, whose data was taken, before it starts another.

    One in C that was not stopped takes the trace function off where it is freed.
    """
    collector: Any = cov._collector
    for tracer in collector.tracers:
        tracer.stop()
    collector.tracers.clear()


def wrap_init(cov: coverage.Coverage, wrap: Callable[[Any, Callable[[], object]], object]) -> None:
    """Have `wrap` make the tracers of a prepared `cov`: it is given each, and what makes it."""
    core: Any = cov._collector.core  # type: ignore[union-attr]
    tracer_class = core.tracer_class

    def init(tracer: Any, *args: Any, **kwargs: Any) -> None:
        wrap(tracer, lambda: tracer_class.__init__(tracer, *args, **kwargs))

    names = {"__init__": init, "__module__": tracer_class.__module__}
    core.tracer_class = type(tracer_class.__name__, (tracer_class,), names)


def register_nothing_at_exit(cov: coverage.Coverage) -> None:
    """Have the Python tracers of a prepared `cov` register nothing for the end of the process.

    Each start and each thread makes one, and what it registers, which only PyPy needs, would hold
    it, and `cov`, until then.
    """
    if cov._collector.core.tracer_class is not pytracer.PyTracer:  # type: ignore[union-attr]
        return

    def make(tracer: Any, init: Callable[[], object]) -> None:
        registry: Any = pytracer
        registry.atexit = SimpleNamespace(register=lambda *args: None)
        try:
            init()
        finally:
            registry.atexit = atexit

    wrap_init(cov, make)
