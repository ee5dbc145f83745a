"""Measuring on while a `Coverage` of the user's own measures in the same thread.

Of what coverage.py does not document, like the other modules `coverage_*`.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import coverage
from coverage import CoverageData

from ipycov.coverage_collector import Caught, Put


def measure_beside(
    cov: coverage.Coverage, share: Callable[[Mapping[str, set[Any]], bool], None]
) -> None:
    """Lose nothing of what runs while a `Coverage` measures that a measured cell has started.

    coverage.py pauses the one that measures when another is started. Where sys.monitoring can have
    both, `cov` goes on; else what the other collects is given to `share` too, with whether it is
    arcs.
    """
    collector: Any = cov._collector
    pause, resume = collector.pause, collector.resume
    taps: list[_Tap] = []

    def paused() -> None:
        other = sys._getframe(1).f_locals.get("self")
        if other is collector or not isinstance(other, type(collector)):
            pause()
            return
        beside = collector.tracer_name() == "SysMonitor" and (
            other.tracer_name() != "SysMonitor" or _takes_any_tool_id(other)
        )
        taps.append(_Tap(other, None if beside else share))
        if not beside:
            pause()

    def resumed() -> None:
        tap = taps.pop() if taps else None
        if tap is not None and tap.share is None:
            return
        if tap is not None:
            tap.take_off()
        resume()

    collector.pause, collector.resume = paused, resumed


def _takes_any_tool_id(collector: Any) -> bool:
    """Whether its sysmon core starts where another has the first tool id of sys.monitoring.

    An older coverage.py raises what its start does not catch.
    """
    return "ValueError" in collector.core.tracer_class.start.__code__.co_names


class _Tap:
    """Gives what the collector `other` collects to `share` too, until it is taken off."""

    def __init__(
        self, other: Any, share: Callable[[Mapping[str, set[Any]], bool], None] | None
    ) -> None:
        self.share = share
        self._other = other
        self._data = other.covdata
        if share is not None:
            other.covdata = Put(self._data, self._put, self._copy)

    def _put(self, data: CoverageData, found: Mapping[str, Any], arcs: bool) -> None:
        self._copy(found, arcs)
        (data.add_arcs if arcs else data.add_lines)(found)

    def _copy(self, found: Mapping[str, Any], arcs: bool) -> None:
        if self.share is not None:
            self.share({os.path.abspath(name): set(each) for name, each in found.items()}, arcs)

    def take_off(self) -> None:
        """Give what was collected and not asked for yet, and leave it where it is.

        A flush would take it out and forget that anything ran, without which nothing is saved.
        """
        other = self._other
        if isinstance(other.covdata, Put):
            other.covdata = self._data
        if any(tracer.activity() for tracer in other.tracers):
            self._copy(_flushed_copy(other), bool(other.branch))


def _flushed_copy(collector: Any) -> dict[str, set[Any]]:
    """What a collector would put into its data now, which it keeps."""
    peeked = copy.copy(collector)
    peeked.data = {name: set(found) for name, found in collector.data.copy().items()}
    peeked.tracers = [SimpleNamespace(activity=lambda: True, reset_activity=lambda: None)]
    peeked.covdata = caught = Caught()
    peeked.flush_data()
    return caught.files
