"""Two `Coverage`s in one thread: neither loses what runs while the other collects.

coverage.py has one of them collect at a time: the one that was started last, until it is stopped.
What it collects is collected for the other as well, in files that it would leave out and with
branches that it does not want, which are taken out before anything comes to its data.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import coverage

from ipycov.coverage_collector import take_as_named
from ipycov.coverage_taps import Share, Tap, leave_ipycov_out, put_on, tap_of
from ipycov.coverage_tracers import (
    forget_local_traces,
    frames_within,
    pause_for_another,
    tell_frames,
    tracer_of,
)


class Beside:
    """What `cov`, which has been prepared, needs of those that are started while it measures.

    `share` takes what another has collected. `wanted` tells whether `cov` is to go on when the
    other is stopped. `failed` is told of errors: they must not be those of whoever started it.
    `ours` tells that `cov` is a session's, which gives what it measures to those that it takes the
    place of: to another session's here.
    """

    def __init__(
        self,
        cov: coverage.Coverage,
        share: Share,
        wanted: Callable[[], bool] = lambda: True,
        failed: Callable[[Exception], None] | None = None,
        *,
        ours: bool = False,
    ) -> None:
        self._cov = cov
        self.ours = ours
        self._share = share
        self._wanted = wanted
        self._failed = failed
        collector: Any = cov._collector
        self._collector = collector
        self._pause, self._resume = collector.pause, collector.resume
        self._above: list[_Above] = []
        collector.pause, collector.resume = self.paused, self.resumed

    @property
    def collecting(self) -> bool:
        """Whether another collects for `cov`."""
        return bool(self._above) and self._above[-1].tap is not None

    @property
    def side_by_side(self) -> bool:
        """Whether `cov` itself goes on while another collects."""
        return bool(self._above) and not self._above[-1].was_paused

    def collect(self, *, shared: bool = True) -> None:
        """Take what another has collected by now, to be `shared` or left to it alone."""
        tap = self._above[-1].tap if self._above else None
        if tap is not None:
            tap.take(shared=shared)

    def begin(self, collect: Callable[[], None]) -> None:
        """A session's takes the place of `cov`."""

    def give(self, files: Mapping[str, set[Any]], arcs: bool) -> None:
        """Have `cov` take what was measured in its place."""
        if self._wanted():
            self._share(files, arcs)

    def forget_frames(self) -> None:
        """Hold no frame any more: the cell ends that they are of."""
        for each in self._above:
            each.frames.clear()

    def withdraw(self) -> None:
        """Leave the others, which go on: `cov` measures no more."""
        for above in self._above:
            if above.tap is not None:
                self._safely(above.tap.leave)
        self._above.clear()
        _take_off(self._cov)

    def paused(self) -> None:
        """Another is started, or `cov` itself is stopped; called by coverage.py."""
        other = _starting(sys._getframe(1), self._collector)
        if other is None:
            self._pause()
        elif _side_by_side(self._collector, other):
            own = _beside_of(other)
            if own is None or not own.ours:
                leave_ipycov_out(other)
            self._above.append(_Above(None, was_paused=False))
        else:
            frames = frames_within(sys._getframe(), self._collector)
            tap, tracer = self._tap(other, frames[:-1]), self._tracer_of_this_thread()
            self._above.append(_Above(tap, frames, tracer) if tap is not None else _Above(None))
            pause_for_another(self._collector, self._pause)

    def resumed(self) -> None:
        """The other is stopped; called by coverage.py."""
        above = self._above.pop() if self._above else _Above(None)
        if above.tap is not None:
            self._safely(above.tap.leave)
            forget_local_traces(above.tap.collector.tracers)
        if not above.was_paused:
            return
        if self._wanted():
            self._resume()
            if above.tap is not None and above.tracer in self._collector.tracers:
                try:  # in no call more: the tracer counts them
                    self._catch_up(above)
                except Exception as error:
                    self._tell(error)

    def _catch_up(self, above: _Above) -> None:
        """Have the tracer of this thread know which frames are there since it was paused."""
        if above.tracer is not self._tracer_of_this_thread():
            above.tracer.start()  # each of the tracers was, and the last is in place
        now = frames_within(sys._getframe(), self._collector)
        both = [each for each, other in zip(now, above.frames, strict=False) if each is other]
        ended = 1  # it has seen this call begin
        if above.frames:
            ended += len(above.frames) + 1 - len(both)  # and the call that paused it
        own = take_as_named(self._collector)
        tell_frames(above.tracer, now[len(both) :], ended, both)
        take_as_named(self._collector)
        if own:
            self._share(own, bool(self._collector.branch))

    def _tracer_of_this_thread(self) -> Any:
        if self._collector.core.systrace:
            return tracer_of(sys.gettrace())
        return self._collector.tracers[0]

    def _tap(self, other: Any, frames: list[FrameType]) -> Tap | None:
        own = _beside_of(other)
        if own is not None and own.ours:
            return None
        tap = tap_of(other)
        self._safely(lambda: tap.collect_for(self._cov, self._share, frames, self._safely))
        return tap

    def _safely(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if self._failed is None:
            raise error
        self._failed(error)


@dataclass
class _Above:
    """Another that was started: what it has for ours, and where ours stood.

    `frames` are those that the `tracer` of this thread looked on, outermost first.
    """

    tap: Tap | None
    frames: list[FrameType] = field(default_factory=list)
    tracer: Any = None
    was_paused: bool = True


class Below:
    """What `other` needs, which had begun before one of ours that takes its place now.

    coverage.py has the one that was started last be stopped first; whoever started `other` knows
    of no later one.
    """

    def __init__(self, other: coverage.Coverage) -> None:
        self._cov = other
        collector: Any = other._collector
        self._collector = collector
        self._tap = tap_of(collector)
        self._collect: Callable[[], None] | None = None
        self._stop, self._pause, self._resume = collector.stop, collector.pause, collector.resume
        collector.stop = self.stopped
        collector.pause, collector.resume = self.paused, self.resumed

    def begin(self, collect: Callable[[], None]) -> None:
        """Another takes its place; `collect` has that give what it has measured by then."""
        self._collect = collect

    def give(self, files: Mapping[str, set[Any]], arcs: bool) -> None:
        """Have it take what was measured in its place, of the files that it measures."""
        if self._collect is not None:
            self._tap.give(files, arcs)

    def stopped(self) -> None:
        """It is stopped, which may no more be the last that was started; called by coverage.py."""
        collectors = self._collector._collectors
        if self._collector not in collectors[:-1]:
            self._stop()
            return
        _take_off(self._cov)
        if self._collect is not None:
            self._collect()
            self._collect = None

    def paused(self) -> None:
        """Another is started, or it is stopped; called by coverage.py."""
        if _starting(sys._getframe(1), self._collector) is None:
            self._pause()
        else:
            pause_for_another(self._collector, self._pause)

    def resumed(self) -> None:
        """The other is stopped; called by coverage.py."""
        other = sys._getframe(1).f_locals.get("self")
        forget_local_traces(getattr(other, "tracers", ()))
        self._resume()


def below_one_to_start() -> Below | Beside | None:
    """What the `Coverage` needs that measures now; None where it is told by other ways."""
    other = coverage.Coverage.current()
    own = _beside_of(other._collector) if other is not None else None
    if other is None or own is not None:
        return own if own is not None and own.ours else None
    put = getattr(other._collector.stop, "__self__", None)  # type: ignore[union-attr]
    return put if isinstance(put, Below) else Below(other)


def one_collects_for_another() -> bool:
    """Whether the `Coverage` that measures was started while another did, and collects for both."""
    cov = coverage.Coverage.current()
    tap = put_on(cov._collector) if cov is not None else None
    return tap is not None and tap.collects_for_another


def _take_off(cov: coverage.Coverage) -> None:
    """Take a `Coverage` out of those that coverage.py has measure, wherever it stands there."""
    collector: Any = cov._collector
    for stack, each in ((collector._collectors, collector), (cov._instances, cov)):
        if each in stack:
            stack.remove(each)


def _starting(frame: FrameType, collector: Any) -> Any:
    """The collector that pauses `collector`, as it starts in `frame`; None where it stops."""
    other = frame.f_locals.get("self")
    return None if other is collector or not isinstance(other, type(collector)) else other


def _beside_of(collector: Any) -> Beside | None:
    """What was put on a collector for those that are started while it measures."""
    put = getattr(collector.pause, "__self__", None)
    return put if isinstance(put, Beside) else None


def _side_by_side(collector: Any, other: Any) -> bool:
    """Whether two collectors can measure at the same time: only one can be the trace function."""
    monitors = [each.tracer_name() == "SysMonitor" for each in (collector, other)]
    return any(monitors) and (not all(monitors) or _takes_any_tool_id(other))


def _takes_any_tool_id(collector: Any) -> bool:
    """Whether its sysmon core starts where another has the first tool id of sys.monitoring.

    An older coverage.py raises what its start does not catch.
    """
    return "ValueError" in collector.core.tracer_class.start.__code__.co_names
