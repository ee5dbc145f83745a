"""What stands between a collector of coverage.py's and its data.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import coverage

from ipycov.coverage_collector import take_as_named
from ipycov.coverage_files import is_ipycovs
from ipycov.coverage_tracers import tell_frames

#: Takes what was collected: lines or arcs by the names in the code, and whether it is arcs.
Share = Callable[[Mapping[str, set[Any]], bool], None]
#: Makes a call, and keeps its errors from its caller.
Safely = Callable[[Callable[[], object]], object]


def leave_ipycov_out(collector: Any) -> None:
    """Have a `collector` that starts now measure nothing of ipycov, which runs around each cell."""
    decide = collector.should_trace

    def should_trace(filename: str, frame: Any) -> Any:
        decision = decide(filename, frame)
        if decision.trace and is_ipycovs(filename):
            decision.trace = False
        return decision

    collector.should_trace = should_trace


class Tap:
    """Stands between a collector and its data: what is taken out of one is put into the other."""

    def __init__(self, collector: Any) -> None:
        self.collector = collector
        self._safely: Safely = lambda call: call()
        leave_ipycov_out(collector)
        self._decide = collector.should_trace
        self._branch: bool = collector.branch
        self._other: coverage.Coverage | None = None  # for which it collects too
        self._share: Share | None = None
        self._not_its: set[str] = set()  # the names of files that only the other measures
        self._kept: dict[str, set[Any]] = {}  # for its data, by the names in the code
        self._start_tracer = collector._start_tracer
        self._begun: list[FrameType] = []  # frames that the other looks on as this one starts
        self._not_seen: dict[str, set[int]] = {}  # their lines, which are not its own to see
        collector.should_trace = self.should_trace
        collector.flush_data = self.flush_data
        collector._start_tracer = self.start_tracer

    @property
    def collects_for_another(self) -> bool:
        return self._share is not None

    def collect_for(
        self, other: coverage.Coverage, share: Share, begun: list[FrameType], safely: Safely
    ) -> None:
        """Collect for `other` too, from the start that is about to be, and in frames in `begun`.

        `safely` makes calls whose errors must not come to whoever starts or stops the collector.
        """
        self.take()
        self._begun, self._safely = begun, safely
        self._other, self._share = other, share
        known = self.collector.should_trace_cache
        for name, decision in list(known.items()):
            if decision is None or not decision.trace:
                del known[name]
        self.collector.branch = self._branch or other._collector.branch  # type: ignore[union-attr]

    def leave(self) -> None:
        """Collect for itself alone again."""
        self.take()
        self._other = self._share = None
        self._not_seen.clear()
        self.collector.branch = self._branch

    def take(self, *, shared: bool = True) -> None:
        """Take what was collected, for the other where it is `shared`, and for its own data."""
        arcs = bool(self.collector.branch)
        found = take_as_named(self.collector)
        its = {name: each for name, each in found.items() if name not in self._not_its}
        for name in self._not_seen.keys() & its.keys():
            lines = self._not_seen[name]
            its[name] = {each for each in its[name] if not lines.intersection(_lines_in(each))}
        self._keep(its, arcs)
        if found and shared and self._share is not None:
            self._share(found, arcs)

    def give(self, files: Mapping[str, set[Any]], arcs: bool) -> None:
        """Keep what another has measured of its files."""
        self._keep({name: each for name, each in files.items() if self._measures(name)}, arcs)

    def _measures(self, name: str) -> bool:
        return bool(self._decide(name, None).trace)

    def _keep(self, files: Mapping[str, set[Any]], arcs: bool) -> None:
        for name, found in files.items():
            kept = self._kept.setdefault(name, set())
            if arcs and not self._branch:
                kept |= {line for arc in found for line in arc if line > 0}
            elif self._branch and not arcs:
                kept |= {(-1, line) for line in found}
            else:
                kept |= found

    def should_trace(self, filename: str, frame: Any) -> Any:
        """Whether a file is to be traced; in the place of the collector's own."""
        decision = self._decide(filename, frame)
        if decision.trace or self._other is None:
            return decision
        others = self._other._should_trace(filename, frame)
        if not others.trace or others.file_tracer or others.source_filename is None:
            return decision
        self._not_its.add(others.source_filename)
        decision.trace = True  # of the class that its core knows
        decision.source_filename = others.source_filename
        decision.canonical_filename = others.canonical_filename
        return decision

    def start_tracer(self) -> Any:
        """Start a tracer; in the place of the collector's own.

        It has the first know the frames that have begun, as the other does which it collects for.
        """
        begun, self._begun = self._begun, []
        if not begun:
            return self._start_tracer()
        frames = [*begun, sys._getframe()]
        self._safely(lambda: self._decide_on(frames))
        trace = self._start_tracer()
        tell_frames(self.collector.tracers[-1], frames)
        self._safely(lambda: take_as_named(self.collector))
        return trace

    def _decide_on(self, frames: list[FrameType]) -> None:
        """Decide on files beforehand, and which lines of them are not its own to see."""
        known = self.collector.should_trace_cache
        for frame in frames:
            name = frame.f_code.co_filename
            if known.get(name) is None:
                known[name] = self.should_trace(name, frame)
            lines = {line for _, _, line in frame.f_code.co_lines() if line}
            self._not_seen.setdefault(name, set()).update(lines)

    def flush_data(self) -> bool:
        """Put what was collected into the data; in the place of the collector's own."""
        if not self._kept and not self.collector._activity():
            return False
        self.take()
        kept, self._kept = self._kept, {}
        collector = self.collector
        named = collector.mapped_file_dict(kept)
        (collector.covdata.add_arcs if self._branch else collector.covdata.add_lines)(named)
        tracers = {
            name: plugin
            for name, plugin in collector.file_tracers.copy().items()
            if plugin not in collector.disabled_plugins
        }
        collector.covdata.add_file_tracers(collector.mapped_file_dict(tracers))
        return True


def put_on(collector: Any) -> Tap | None:
    """The tap that was put on a collector."""
    tap = getattr(getattr(collector, "flush_data", None), "__self__", None)
    return tap if isinstance(tap, Tap) else None


def tap_of(collector: Any) -> Tap:
    """The tap on a collector, put there if there is none."""
    return put_on(collector) or Tap(collector)


def _lines_in(found: Any) -> tuple[int, ...]:
    """The lines of what was collected: a line, or both ends of an arc."""
    return tuple(map(abs, found)) if isinstance(found, tuple) else (found,)
