"""Processes that a measured cell starts: each keeps what it covers in a file of its own.

A child leaves its parent's files and displays alone. The parent takes the files in.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from ipycov import store
from ipycov.ending import Ending
from ipycov.launching import Launching, order
from ipycov.measure import Measurement
from ipycov.results import Measured
from ipycov.store import StoredSession
from ipycov.taken import Taken

T = TypeVar("T")


class Children:
    """The children of this process, and of those theirs.

    `forked` is called in a child, and tells whether it is measured; `taken` gives what a child
    has covered since it was last asked; `unlock` lets go of every lock that another thread may hold
    which is not there any more; `measurement` is what measures now, if anything does.
    `directory` is where a process keeps its data that is a child itself.
    """

    def __init__(
        self,
        forked: Callable[[], bool],
        taken: Callable[[], Iterable[Taken]],
        unlock: Callable[[], None],
        measurement: Callable[[], Measurement | None],
        directory: str | None = None,
    ) -> None:
        self._forked = forked
        self._taken = taken
        self._unlock = unlock
        self._measurement = measurement
        self._parent = os.getpid()
        self._directory = directory
        self._ending: Ending | None = None
        self._sizes: dict[str, int] = {}
        self._closed = False
        self._put = False
        # What processes are told by must not hold on to what has ended, nor can hooks be taken off.
        own = weakref.ref(self)
        self._launching = Launching(lambda: _call(own, Children._order))
        self._launching.install()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=lambda: _call(own, Children._before),
                after_in_parent=lambda: _call(own, Children._after_in_parent),
                after_in_child=lambda: _call(own, Children._after_in_child),
            )

    def new(self) -> Iterator[tuple[str, dict[str, Measured]]]:
        """What children covered and was not told yet: contexts, and files in each."""
        if self._directory is None or os.getpid() != self._parent:
            return
        for name in sorted(os.listdir(self._directory)):
            path = os.path.join(self._directory, name)
            size = os.stat(path).st_size
            if name.startswith(".") or self._sizes.get(name) == size:
                continue
            self._sizes[name] = size
            session = store.read_session(path)
            if isinstance(session, StoredSession):
                yield from session.covered.items()

    def close(self) -> None:
        """Forget the children."""
        self._closed = True
        self._launching.uninstall()
        if self._directory is not None:
            _remove(self._directory, self._parent)
            self._directory = None

    def keep(self) -> None:
        """Keep what this process covers, itself a child that began anew."""
        self._ending = Ending(self._directory or "", self._taken, self._unlock)
        self._ending.save_at_the_end()

    def _prepare(self) -> str | None:
        """The directory in which children keep their data; None where there can't be one."""
        if self._directory is None and not self._closed:
            with suppress(OSError):  # children are not measured then
                self._directory = tempfile.mkdtemp(prefix="ipycov-")
                weakref.finalize(self, _remove, self._directory, self._parent)
        return self._directory

    def _order(self) -> str | None:
        """What a process is told that starts now; None where nothing is measured."""
        measurement = None if self._closed else self._measurement()
        directory = self._prepare() if measurement is not None else None
        if measurement is None or directory is None:
            return None
        return order(measurement, directory)

    def _before(self) -> None:
        if self._ending is not None:
            self._ending.before_fork()
        self._prepare()
        self._put = self._launching.put()  # the child may become another program

    def _after_in_parent(self) -> None:
        if self._ending is not None:
            self._ending.after_fork()
        if self._put:
            self._launching.take_back()

    def _after_in_child(self) -> None:
        try:
            self._unlock()
            if self._closed or self._directory is None or not self._forked():
                return
            if self._ending is None:
                self.keep()
            else:
                self._ending.begin()
        finally:
            if self._ending is not None:
                self._ending.after_fork()


def _remove(directory: str, pid: int) -> None:
    """Remove what children have written, where this is the process `pid` and no child."""
    if os.getpid() == pid:
        shutil.rmtree(directory, ignore_errors=True)


def _call(own: weakref.ref[Children], hook: Callable[[Children], T]) -> T | None:
    children = own()
    if children is not None:
        try:
            return hook(children)
        except Exception as error:  # what the user starts comes first
            print(f"ipycov: a child process is not measured: {error}", file=sys.__stderr__)
    return None
