"""The measurements of a session, one for each set of options: which of them measures now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from ipycov.measure import CannotMeasure, Measurement
from ipycov.options import Options
from ipycov.taken import Taken


class Measurements(Mapping[Options, Measurement]):
    """Measurements by their options; `make` makes one. `active` is the one that measures now.

    With a trace function a thread goes on to be measured by the one that it was started under. What
    it runs while another is active counts as run by the cell that runs, like all else. Threads that
    sys.monitoring told of are seen by none with a trace function, so that it tells of them beside.
    """

    def __init__(self, make: Callable[[Options], Measurement]) -> None:
        self._make = make
        self._made: dict[Options, Measurement] = {}
        self.active: Measurement | None = None
        self._monitor: Measurement | None = None  # the last that sys.monitoring measured with
        self._threads_before = frozenset(sys._current_frames())

    def __getitem__(self, options: Options) -> Measurement:
        return self._made[options]

    def __iter__(self) -> Iterator[Options]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def add(self, options: Options) -> Measurement:
        """Make the one for `options`. Raises what making it does."""
        made = self._made[options] = self._make(options)
        return made

    def drop(self, options: Options) -> None:
        """Take the one for `options` for not made."""
        self._made.pop(options, None)

    def start(self, options: Options, context: str) -> None:
        """Have the one for `options` measure, as `context`. Raises `CannotMeasure`."""
        starting = self._made[options]
        if starting.monitors:
            self._monitor = starting
        elif self._monitor is not None and self._threads_began:
            with suppress(CannotMeasure):  # what is to be measured can be without it
                self._monitor.start(context, for_threads=True)
        try:
            starting.start(context)
        except BaseException:
            self._stop_beside()
            raise
        self.active = starting
        for each in self._in_threads():
            each.follow(context, starting)

    @property
    def _threads_began(self) -> bool:
        """Whether there are threads that began after the session."""
        return not self._threads_before.issuperset(sys._current_frames())

    def label(self, context: str) -> None:
        """Call what is measured `context`, where nothing was since the start."""
        if self.active is not None:
            self.active.label(context)
            for each in self._in_threads():
                each.follow(context, self.active)

    def switch(self, context: str) -> set[str]:
        """Go on as `context`; return the names of the files that have new data."""
        if self.active is None:
            return set()
        touched = self.active.switch(context)
        for each in self._in_threads():
            touched |= each.follow(context, self.active)
        return touched

    def halt(self) -> None:
        """Look on no more, so that what is done until `stop` costs less."""
        if self.active is not None:
            self.active.halt()
            if self._monitor is not None and self._monitor.for_threads:
                self._monitor.halt()

    def stop(self) -> set[str]:
        """Stop measuring; return the names of the files that have new data.

        Where nothing was measured, neither was what threads have run meanwhile.
        """
        active, self.active = self.active, None
        if active is None:
            for each in self._made.values():
                each.pass_over()
            return set()
        try:
            touched = active.stop()
            for each in self._in_threads(but=active):
                touched |= each.follow(active.context, active)
        finally:
            self._stop_beside()
        return touched

    def _stop_beside(self) -> None:
        if self._monitor is not None and self._monitor.for_threads:
            self._monitor.stop()

    def begin_child(self) -> None:
        """Go on in a process that was forked, without what the parent keeps."""
        if self.active is not None:
            for each in [self.active, *self._in_threads()]:
                each.begin_child()

    def unlock(self) -> None:
        """Let go of every lock: whoever holds one is in another process, or never goes on."""
        for each in self._made.values():
            each.unlock()

    def taken(self) -> list[Taken]:
        """What this child process has measured and not told yet."""
        if self.active is None:
            return []
        return [taken for each in [self.active, *self._in_threads()] for taken in each.taken()]

    def erase(self) -> None:
        """Forget what was measured; nothing is active."""
        for options, each in list(self._made.items()):
            # Of threads that have begun, another could not be asked to tell.
            if each.measures_threads or (each is self._monitor and self._threads_began):
                each.erase()
            else:
                del self._made[options]
                each.close()
                if each is self._monitor:
                    self._monitor = None

    def _in_threads(self, but: Measurement | None = None) -> list[Measurement]:
        """Those that measure threads though they are not active."""
        but = but or self.active
        return [each for each in self._made.values() if each is not but and each.measures_threads]
