"""coverage.py's trace functions in other threads, which go on where this one's is stopped.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import coverage

from ipycov.coverage_tracers import tracer_of


class ThreadTracers:
    """The tracers of other threads than the one that starts and stops `cov`, which is prepared.

    A trace function can only be put on from within its thread, so that a thread whose tracer was
    stopped would be measured no more. They are kept from the collector, which goes on to tell them
    which data is theirs, but does not stop them.
    """

    def __init__(self, cov: coverage.Coverage) -> None:
        collector: Any = cov._collector
        self._collector = collector
        self._thread = threading.get_ident()
        self._started: list[Started] = []
        self._closed = False
        self._start_tracer, self._active = collector._start_tracer, collector._activity
        collector._start_tracer, collector._activity = self.start_tracer, self.activity

    def starting_here(self) -> None:
        """`cov` is about to be started: this thread is the one that it will be stopped in."""
        self._thread = threading.get_ident()

    def __bool__(self) -> bool:
        """Whether there are any that were not found to have `ended`."""
        return bool(self._started)

    @property
    def tracers(self) -> list[Any]:
        return [each.tracer for each in self._started if each.tracer is not None]

    def ended(self) -> list[Started]:
        """Those whose thread has ended: once their data is taken they can be forgotten."""
        started = self._started.copy()  # before asking which threads there are: one may begin
        threads = set(sys._current_frames()) if started else set()  # and hold no frame
        ended = []
        for each in reversed(started):
            if each.thread in threads:
                threads.remove(each.thread)  # those before it had the same identifier
            else:
                ended.append(each)
        return ended

    def forget(self, ended: Iterable[Started]) -> None:
        """Keep them no more.

        A tracer in C that was not stopped takes the trace function off the thread in which it is
        freed, whichever that is.
        """
        for each in ended:
            if each.tracer is not None:
                each.tracer.stop()
            self._started.remove(each)

    def stop(self) -> None:
        """Stop them for good: each thread takes its trace function off when it goes on."""
        self._closed = True  # before asking for those that were started: one may be
        for tracer in self.tracers:
            tracer.stop()

    def start_tracer(self) -> Any:
        """Start a tracer in the thread that calls; in the place of the collector's own."""
        thread = threading.get_ident()
        if thread == self._thread:
            return self._start_tracer()
        started = Started(thread)
        self._started.append(started)
        trace = type(self._collector)._start_tracer(_WithoutTracers(self._collector))
        started.tracer = tracer_of(trace)
        if self._closed:
            started.tracer.stop()
        return trace

    def activity(self) -> bool:
        """Whether anything may have been collected; in the place of the collector's own."""
        return bool(self._started) or self._active()


@dataclass(eq=False)
class Started:
    """A tracer that was started in another thread, or is about to be."""

    thread: int
    tracer: Any = None


class _WithoutTracers:
    """A collector that keeps none of the tracers that it starts."""

    def __init__(self, collector: Any) -> None:
        self._collector = collector
        self.tracers: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collector, name)
